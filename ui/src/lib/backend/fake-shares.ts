/** The fake backend's shared folders: nobody comes by unless a test says so. */
import { error } from './fake-facts';
import type {
  QrCode,
  Share,
  ShareDraft,
  ShareLimits,
  ShareMove,
  ShareRequest,
  ShareVisitor,
} from './types';

/** A small pattern that is no QR code, but looks like one to the page. */
const PATTERN = 'M0 0h7v7h-7zM14 0h7v7h-7zM0 14h7v7h-7zM10 10h2v2h-2z';

export class FakeShares {
  list: Share[] = [];
  networks: ShareDraft['networks'] = [{ address: '192.168.1.20', interface: 'wlan0' }];
  wide: ShareDraft['wide'] = null;
  /** Ports that another program has. */
  readonly taken = new Set<number>();
  readonly kicked: [share: number, visitor: number][] = [];

  #watchers: ((shares: Share[]) => void)[] = [];
  #folders = new Map<number, { name: string; path: string }>();
  #next = 1;
  #passwords = 1;

  draft(place: number, name: string, path: string): ShareDraft {
    this.#folders.set(place, { name, path });
    return {
      place,
      name,
      path,
      shared: this.list.find((share) => share.path === path)?.id ?? null,
      user: 'guest',
      password: this.password(),
      networks: this.networks,
      wide: this.wide,
    };
  }

  password(): string {
    return `tide-4r9k-m2vx-${String(this.#passwords++).padStart(4, 'a')}`;
  }

  start(request: ShareRequest, now: number): Share {
    const folder = this.#folders.get(request.place);
    if (!folder) throw error('stale-listing', 'This place is not remembered any more.', null);
    if (this.taken.has(request.port)) {
      throw error('local', `Port ${request.port} is in use on this computer.`, 'os error 98');
    }
    const { reach } = request;
    const hosts =
      reach.kind === 'network'
        ? [reach.address]
        : reach.kind === 'thisComputer'
          ? ['127.0.0.1']
          : this.networks.map(({ address }) => address);
    const id = this.#next++;
    const port = request.port || 40_000 + id;
    const share: Share = {
      id,
      ...folder,
      reach,
      addresses: hosts.map((host) => `${host}:${port}`),
      user: request.user,
      password: request.password,
      fingerprint: `sha256:${'3fa9c07e'.repeat(8)}`,
      encryption: request.encryption,
      readOnly: request.readOnly,
      limits: request.limits,
      since: now,
      visitors: [],
      moves: [],
      downloads: 0,
      downloadBytes: 0,
      uploads: 0,
      uploadBytes: 0,
      refused: 0,
      bytesPerSecond: 0,
    };
    this.list = [...this.list, share];
    this.#tell();
    return share;
  }

  stop(id: number): void {
    this.#of(id);
    this.list = this.list.filter((share) => share.id !== id);
    this.#tell();
  }

  limit(id: number, limits: ShareLimits): void {
    this.change(id, { limits });
  }

  kick(id: number, visitor: number): void {
    this.kicked.push([id, visitor]);
    const { visitors } = this.#of(id);
    this.change(id, { visitors: visitors.filter((one) => one.id !== visitor) });
  }

  qr(id: number, withPassword: boolean): QrCode {
    const share = this.#of(id);
    const text = `ftpes://${share.user}@${share.addresses[0]}/`;
    return { size: 21, path: PATTERN, text: withPassword ? null : text };
  }

  watch(onShares: (shares: Share[]) => void): void {
    this.#watchers.push(onShares);
    onShares(this.list);
  }

  /** Somebody connects, or does something else. */
  visit(id: number, visitor: Partial<ShareVisitor> & { id: number }): void {
    const full: ShareVisitor = {
      peer: '192.168.1.33',
      user: 'guest',
      encrypted: true,
      moving: null,
      ...visitor,
    };
    const others = this.#of(id).visitors.filter((one) => one.id !== full.id);
    this.change(id, { visitors: [...others, full] });
  }

  /** Something was taken or brought. */
  moved(id: number, move: Partial<ShareMove> & { path: string }): void {
    const share = this.#of(id);
    const full: ShareMove = {
      seq: share.moves.length + 1,
      at: share.since,
      peer: '192.168.1.33',
      direction: 'download',
      bytes: 4096,
      outcome: 'complete',
      why: null,
      ...move,
    };
    const down = full.direction === 'download' && full.outcome === 'complete';
    this.change(id, {
      moves: [full, ...share.moves],
      downloads: share.downloads + (down ? 1 : 0),
      downloadBytes: share.downloadBytes + (down ? full.bytes : 0),
    });
  }

  change(id: number, more: Partial<Share>): void {
    this.#of(id);
    this.list = this.list.map((share) => (share.id === id ? { ...share, ...more } : share));
    this.#tell();
  }

  #of(id: number): Share {
    const share = this.list.find((one) => one.id === id);
    if (!share) throw error('stale-listing', 'This folder is not shared any more.', null);
    return share;
  }

  #tell(): void {
    for (const watcher of this.#watchers) watcher(this.list);
  }
}
