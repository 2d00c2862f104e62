import { toAppError, type Backend, type QrCode, type Share, type ShareVisitor } from '$lib/backend';
import { formatSize } from '$lib/format';
import { t } from '$lib/messages';
import type { Notices } from '$lib/notices/notices.svelte';
import { draftOfRate, parseRate, type RateDraft } from '$lib/rate';
import { formOf, requestOf, type ShareForm } from './form';

export type { ShareForm } from './form';

export type LimitName = 'download' | 'upload';
export type LimitDrafts = Record<LimitName, RateDraft>;

/** Folders of this computer that others can reach: deciding, starting, watching, stopping. */
export class Sharing {
  list = $state.raw<Share[]>([]);
  /** What is being decided on; nothing is open before it is started. */
  form = $state<ShareForm | null>(null);
  starting = $state(false);
  /** Why it was not started. */
  error = $state<string | null>(null);
  /** The dialog of what is shared. */
  open = $state(false);
  selected = $state<number | null>(null);
  /** A share whose visitors would be cut off: stop it all the same? */
  asking = $state<number | null>(null);
  stopping = $state.raw<ReadonlySet<number>>(new Set());
  qr = $state.raw<QrCode | null>(null);
  qrWithPassword = $state(false);
  /** Limits as they are being typed. */
  drafts = $state<Record<number, LimitDrafts>>({});

  #backend: Backend;
  #notices: Notices;
  #qrTurn = 0;
  #watching = false;

  constructor(backend: Backend, notices: Notices) {
    this.#backend = backend;
    this.#notices = notices;
  }

  readonly current = $derived(this.list.find(({ id }) => id === this.selected) ?? this.list[0]);
  readonly visitors = $derived(
    this.list.reduce((sum, share) => sum + share.visitors.filter(isIn).length, 0),
  );
  readonly speed = $derived(this.list.reduce((sum, share) => sum + share.bytesPerSecond, 0));

  async watch(): Promise<void> {
    try {
      await this.#backend.watchShares((shares) => this.#update(shares));
    } catch (thrown) {
      this.#notices.error(thrown);
    }
  }

  // Deciding

  /** The folder of a row, or the listing's own. One that is shared already is shown instead. */
  async prepare(listing: number, row: number | null): Promise<void> {
    try {
      const draft = await this.#backend.prepareShare(listing, row);
      if (draft.shared !== null) return this.show(draft.shared);
      this.error = null;
      this.form = formOf(draft);
    } catch (thrown) {
      this.#notices.error(thrown);
    }
  }

  async newPassword(): Promise<void> {
    try {
      const password = await this.#backend.newPassword();
      if (this.form) this.form.password = password;
    } catch (thrown) {
      this.#notices.error(thrown);
    }
  }

  async start(): Promise<void> {
    const request = this.form && requestOf(this.form);
    if (!request || this.starting) return;
    this.starting = true;
    this.error = null;
    try {
      const share = await this.#backend.shareFolder(request);
      this.form = null;
      // The watcher says so, too; who comes first does not matter.
      if (!this.list.some(({ id }) => id === share.id)) this.list = [...this.list, share];
      this.#notices.say(t.sharing.started(share.name));
      this.show(share.id);
    } catch (thrown) {
      const { message, detail } = toAppError(thrown);
      this.error = [message, detail].filter(Boolean).join(' ');
    } finally {
      this.starting = false;
    }
  }

  cancel(): void {
    this.form = null;
    this.error = null;
  }

  // What is shared

  show(id: number | null = null): void {
    this.open = true;
    this.select(id ?? this.current?.id ?? null);
  }

  close(): void {
    this.open = false;
    this.asking = null;
    this.qrWithPassword = false;
    this.qr = null;
  }

  select(id: number | null): void {
    this.selected = id;
    this.asking = null;
    this.qrWithPassword = false;
    void this.#askQr();
  }

  showPassword(withPassword: boolean): void {
    this.qrWithPassword = withPassword;
    void this.#askQr();
  }

  /** Stops at once where nobody is cut off, and asks otherwise. */
  askStop(share: Share): void {
    if (share.visitors.some(({ moving }) => moving !== null)) this.asking = share.id;
    else void this.stop(share.id);
  }

  async stop(id: number): Promise<void> {
    if (this.stopping.has(id)) return;
    this.stopping = new Set(this.stopping).add(id);
    this.asking = null;
    const name = this.list.find((share) => share.id === id)?.name ?? '';
    try {
      await this.#backend.stopShare(id);
      this.list = this.list.filter((share) => share.id !== id);
      this.#notices.say(t.sharing.stopped(name));
    } catch (thrown) {
      this.#notices.error(thrown);
    } finally {
      this.stopping = new Set([...this.stopping].filter((one) => one !== id));
      if (this.open) this.select(this.current?.id ?? null);
    }
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.list.map(({ id }) => this.stop(id)));
  }

  async kick(share: number, visitor: number): Promise<void> {
    try {
      await this.#backend.kickVisitor(share, visitor);
    } catch (thrown) {
      this.#notices.error(thrown);
    }
  }

  limitsOf(share: Share): LimitDrafts {
    const { download, upload } = share.limits;
    return (
      this.drafts[share.id] ?? { download: draftOfRate(download), upload: draftOfRate(upload) }
    );
  }

  /** A limit holds from the moment that it can be read as one. */
  async limit(share: Share, name: LimitName, draft: RateDraft): Promise<void> {
    const drafts = { ...this.limitsOf(share), [name]: draft };
    this.drafts[share.id] = drafts;
    const download = parseRate(drafts.download);
    const upload = parseRate(drafts.upload);
    if (download === undefined || upload === undefined) return;
    try {
      await this.#backend.setShareLimits(share.id, { download, upload });
    } catch (thrown) {
      this.#notices.error(thrown);
    }
  }

  // Inside

  async #askQr(): Promise<void> {
    const turn = ++this.#qrTurn;
    const share = this.current;
    if (!this.open || !share) {
      this.qr = null;
      return;
    }
    try {
      const qr = await this.#backend.shareQr(share.id, this.qrWithPassword);
      if (turn === this.#qrTurn) this.qr = qr;
    } catch (thrown) {
      if (turn !== this.#qrTurn) return;
      this.qr = null;
      this.#notices.error(thrown);
    }
  }

  #update(shares: Share[]): void {
    const before = this.list;
    this.list = shares;
    for (const id of Object.keys(this.drafts)) {
      if (!shares.some((share) => share.id === Number(id))) delete this.drafts[Number(id)];
    }
    // What was there when the window came is no news.
    if (this.#watching) {
      for (const share of shares) {
        const old = before.find(({ id }) => id === share.id);
        if (old) this.#tell(old, share);
      }
    }
    this.#watching = true;
  }

  /** Says who came, and what was taken or brought. */
  #tell(old: Share, share: Share): void {
    const known = new Set(old.visitors.filter(isIn).map(({ id }) => id));
    for (const visitor of share.visitors.filter(isIn)) {
      if (!known.has(visitor.id)) {
        this.#notices.say(t.sharing.arrived(visitor.user ?? '', visitor.peer, share.name));
      }
    }
    const last = old.moves[0]?.seq ?? 0;
    const fresh = share.moves.filter(({ seq, outcome }) => seq > last && outcome === 'complete');
    const one = fresh[0];
    if (!one) return;
    const bytes = fresh.reduce((sum, move) => sum + move.bytes, 0);
    const text =
      fresh.length > 1
        ? t.sharing.movedSome(fresh.length, formatSize(bytes))
        : one.direction === 'download'
          ? t.sharing.taken(one.path, formatSize(one.bytes))
          : t.sharing.brought(one.path, formatSize(one.bytes));
    this.#notices.say(text);
  }
}

/** Whoever has said the password. */
function isIn(visitor: ShareVisitor): boolean {
  return visitor.user !== null;
}
