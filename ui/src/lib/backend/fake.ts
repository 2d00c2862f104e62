/**
 * A backend in memory, for tests and for `npm run dev` in a plain browser.
 * Addresses that contain a word ask the question of that name: "cert", "changed",
 * "plain", "ask"; "dead" can't be reached. The password "wrong" is refused.
 */
import {
  NO_KEYRING,
  EMPTY_REQUEST,
  READ_ONLY,
  SITES,
  error,
  same,
  clean,
  hostOf,
  certificate,
  tlsFacts,
} from './fake-facts';
import { FakeQueue } from './fake-queue';
import { FakeShares } from './fake-shares';
import { FakeTree, LOCAL, REMOTE, missing, rowOf, type Node } from './fake-tree';
import type {
  Backend,
  CloseAsked,
  ConnectOutcome,
  ConnectRequest,
  FolderTarget,
  JournalStatus,
  Listing,
  LogLine,
  PaneSource,
  Place,
  Security,
  SendOptions,
  Sent,
  SessionInfo,
  Settings,
  Site,
  SystemDrag,
  TrustedCertificate,
} from './types';

export interface FakeOptions {
  /** Wait before answers, in milliseconds; 0 in tests. */
  delay?: number;
  keyring?: boolean;
  practiceAtStart?: boolean;
  journal?: Partial<JournalStatus>;
  now?: number;
  bigFolder?: number;
  sites?: Site[];
}

export interface FakeBackend extends Backend {
  readonly titles: string[];
  readonly queue: FakeQueue;
  readonly shares: FakeShares;
  readonly local: FakeTree;
  readonly remote: FakeTree;
  readonly settings: Settings;
  readonly openListings: () => number[];
  /** Listings under way, by the window's ids. */
  readonly requests: () => number[];
  /** What a listing waits for before its rows come, and between them; rejects to make it fail there. */
  gate: (path: string, rows: number) => Promise<void>;
  readonly sessions: () => number[];
  emitFolderChanged(listing: number): void;
  emitSystemDrag(drag: SystemDrag): void;
  emitCloseAsked(asked: CloseAsked): void;
  /** What the window answered when it was to be closed. */
  readonly closeAnswers: boolean[];
  /** The passwords kept by the pretended keyring, by site id. */
  readonly passwords: Map<string, string>;
}

interface OpenListing {
  listing: Listing;
  tree: FakeTree;
  path: string;
  nodes: Node[];
  source: PaneSource;
}

export function fakeBackend(options: FakeOptions = {}): FakeBackend {
  const delay = options.delay ?? 60;
  const now = options.now ?? Date.now();
  const keyring = options.keyring ?? true;
  const local = new FakeTree(LOCAL, now);
  const remote = new FakeTree(REMOTE, now);
  const queue = new FakeQueue();
  const shares = new FakeShares();
  const listings = new Map<number, OpenListing>();
  const places = new Map<number, { path: string; source: PaneSource }>();
  const sessions = new Map<number, SessionInfo>();
  const sites = new Map<string, Site>((options.sites ?? SITES).map((site) => [site.id, site]));
  const passwords = new Map<string, string>();
  const pinned = new Map<string, TrustedCertificate>();
  const titles: string[] = [];
  const logWatchers: ((lines: LogLine[]) => void)[] = [];
  const log: LogLine[] = [];
  const folderWatchers = new Set<(listing: number) => void>();
  const stops = new Map<number, () => void>();
  const closeWatchers = new Set<(asked: CloseAsked) => void>();
  const closeAnswers: boolean[] = [];
  const dragWatchers = new Set<(drag: SystemDrag) => void>();
  let settings: Settings = { theme: 'system', showHidden: false, conflict: 'ask' };
  let nextId = 1;
  let nextPlace = 1;
  let nextSession = 1;
  let seq = 0;
  let connectTurn = 0;

  remote.addMany('/archive-100k', options.bigFolder ?? 100_000);

  const pause = (factor = 1) =>
    delay > 0 ? new Promise<void>((go) => setTimeout(go, delay * factor)) : Promise.resolve();

  function say(session: number | null, direction: LogLine['direction'], text: string): void {
    seq += 1;
    const line: LogLine = { seq, session, at: now + seq * 137, direction, text };
    log.push(line);
    for (const watcher of logWatchers) watcher([line]);
  }

  function place(source: PaneSource, path: string, label: string): Place {
    for (const [id, known] of places) {
      if (known.path === path && same(known.source, source)) return { id, label };
    }
    const id = nextPlace++;
    places.set(id, { path, source });
    return { id, label };
  }

  function describe(source: PaneSource, path: string): Listing {
    const parts = path.split('/').filter(Boolean);
    const at = (count: number) => `/${parts.slice(0, count).join('/')}`;
    return {
      id: nextId++,
      place: place(source, path, path),
      parent: parts.length > 0 ? place(source, at(parts.length - 1), at(parts.length - 1)) : null,
      crumbs: [place(source, '/', '/'), ...parts.map((part, i) => place(source, at(i + 1), part))],
      encoding: 'UTF-8',
    };
  }

  function listingOf(id: number): OpenListing {
    const open = listings.get(id);
    if (!open) throw error('stale-listing', 'This listing is no longer open.', null);
    return open;
  }

  function resolve(source: PaneSource, target: FolderTarget): string {
    switch (target.kind) {
      case 'home':
        return source.kind === 'local' ? '/home/me/site' : '/www';
      case 'path':
        return clean(target.text);
      case 'place': {
        const known = places.get(target.place);
        if (!known) throw error('internal', 'Unknown place.', null);
        return known.path;
      }
      case 'entry': {
        const open = listingOf(target.listing);
        const node = open.nodes[target.row];
        if (!node) throw error('stale-listing', 'This row is gone.', null);
        return clean(`${open.path}/${node.name}`);
      }
    }
  }

  function changed(tree: FakeTree, path: string): void {
    for (const [id, open] of listings) {
      if (open.tree === tree && open.path === path) for (const tell of folderWatchers) tell(id);
    }
  }

  function openSession(request: ConnectRequest, host: string, security: Security): ConnectOutcome {
    const id = nextSession++;
    const site = request.site ? sites.get(request.site) : undefined;
    const session: SessionInfo = {
      id,
      title: site?.name ?? host,
      host,
      port: 21,
      user: site?.user || request.user || 'anonymous',
      site: request.site,
      security,
      server: '220 Slipway practice server ready',
    };
    sessions.set(id, session);
    say(id, 'info', `Connected to ${host}:21`);
    say(id, 'received', '220 Slipway practice server ready');
    if (security.kind === 'tls') {
      say(id, 'sent', 'AUTH TLS');
      say(id, 'received', '234 Begin TLS negotiation');
    }
    say(id, 'sent', `USER ${session.user}`);
    say(id, 'received', '331 Password required');
    say(id, 'sent', 'PASS ********');
    say(id, 'received', '230 Logged in');
    return { kind: 'connected', session };
  }

  async function send(
    nodes: Node[],
    from: string,
    into: OpenListing,
    options: SendOptions,
  ): Promise<Sent> {
    await pause();
    const there = into.tree.find(into.path).children;
    const odd = nodes.filter((node) => node.kind === 'other');
    const direction = into.source.kind === 'local' ? 'download' : 'upload';
    const ids = nodes
      .filter((node) => !odd.includes(node))
      .map((node) => {
        const onDone = () => {
          into.tree.find(into.path).children?.set(node.name, structuredClone(node));
          changed(into.tree, into.path);
        };
        const isFolder = node.kind === 'folder';
        const old = isFolder ? undefined : there?.get(node.name);
        const facts = ({ size, modified }: Node) => ({ size, modified });
        return queue.add({
          direction,
          name: node.name,
          source: `${from}/${node.name}`,
          target: `${into.path}/${node.name}`,
          total: node.size,
          isFolder,
          conflict: old ? { source: facts(node), target: facts(old) } : null,
          rule: options.conflict ?? settings.conflict,
          priority: options.priority,
          startAt: options.startAt,
          onDone,
        });
      });
    const why = error('unsupported', 'It is neither a file nor a folder.', null);
    return { ids, failed: odd.map((node) => ({ name: node.name, error: why })) };
  }

  async function connect(request: ConnectRequest): Promise<ConnectOutcome> {
    const turn = ++connectTurn;
    const site = request.site ? sites.get(request.site) : undefined;
    if (request.site && !site) throw error('site-not-found', 'This site no longer exists.', null);
    const host = site?.host ?? hostOf(request.address);
    await pause(6);
    if (turn !== connectTurn) throw error('cancelled', 'Cancelled.', null);
    if (!host) throw error('argument', 'The address names no host.', null);
    if (host.includes('dead')) {
      throw error('connect', `${host} does not answer.`, 'Connection refused (os error 111)', true);
    }
    const tls = site?.tls ?? request.tls;
    if (tls !== 'off' && /cert|changed/.test(host) && !request.trust && !pinned.has(host)) {
      return {
        kind: 'certificate',
        question: {
          host,
          port: 21,
          reason: 'no authority trusted here has signed it',
          certificate: certificate(host, now),
          pinnedBefore: host.includes('changed'),
        },
      };
    }
    if (request.trust?.always) {
      const { fingerprint, subject } = request.trust;
      pinned.set(host, { host, port: 21, fingerprint, subject, trustedAt: now });
    }
    const plain = tls === 'off' || host.includes('plain');
    if (plain && !request.allowPlaintext && !site?.allowPlaintext) {
      return { kind: 'plaintext', host };
    }
    const password = request.password ?? (site ? passwords.get(site.id) : undefined) ?? null;
    const user = site?.user ?? request.user;
    if (password === 'wrong') {
      const message = '530 Login incorrect.';
      return { kind: 'password', user, host, reason: 'refused', message };
    }
    if (password === null && (host.includes('ask') || (site && user))) {
      const reason = keyring ? 'missing' : 'noKeyring';
      return { kind: 'password', user, host, reason, message: null };
    }
    if (request.rememberPassword && site && password && keyring) {
      passwords.set(site.id, password);
      sites.set(site.id, { ...site, passwordStored: true });
    }
    const trusted = request.trust !== null || pinned.has(host);
    return openSession(request, host, plain ? { kind: 'plain' } : tlsFacts(host, now, trusted));
  }

  const backend: FakeBackend = {
    titles,
    queue,
    shares,
    local,
    remote,
    passwords,
    get settings() {
      return settings;
    },
    openListings: () => [...listings.keys()],
    requests: () => [...stops.keys()],
    gate: () => Promise.resolve(),
    sessions: () => [...sessions.keys()],
    emitFolderChanged: (listing) => folderWatchers.forEach((tell) => tell(listing)),
    closeAnswers,
    emitCloseAsked: (asked) => closeWatchers.forEach((tell) => tell(asked)),
    emitSystemDrag: (drag) => dragWatchers.forEach((tell) => tell(drag)),

    connect,
    cancelConnect: async () => {
      connectTurn += 1;
    },
    disconnect: async (session) => {
      sessions.delete(session);
      say(session, 'sent', 'QUIT');
    },
    sessionSecurity: async (session) => {
      const security = sessions.get(session)?.security ?? { kind: 'plain' };
      return security.kind === 'tls' ? { ...security, resumes: true } : security;
    },
    startPractice: async () => {
      await pause(4);
      return openSession(
        { ...EMPTY_REQUEST, user: 'practice' },
        'practice.slipway',
        tlsFacts('practice.slipway', now, true),
      );
    },
    appInfo: async () => ({
      version: '0.1.0',
      practiceAtStart: options.practiceAtStart ?? false,
      keyring: await backend.keyringStatus(),
      journal: { problem: null, recovered: null, unfinished: 0, ...options.journal },
    }),

    async openFolder(source, target, request, onEvent) {
      const path = resolve(source, target);
      const tree = source.kind === 'local' ? local : remote;
      const stopped = new Promise<boolean>((go) => stops.set(request, () => go(true)));
      const wait = (factor: number, rows: number) => {
        const both = Promise.all([pause(factor), backend.gate(path, rows)]);
        return Promise.race([both.then(() => false), stopped]);
      };
      let id: number | null = null;
      try {
        if (await wait(1, 0)) throw error('cancelled', 'It was cancelled.', null);
        if (path.endsWith('/private')) {
          const line = '550 Permission denied.';
          throw error('refused', 'The server refused to list this folder.', line);
        }
        const node = tree.find(path);
        if (!node.children) throw missing(path);
        const nodes = [...node.children.values()];
        const listing = describe(source, path);
        id = listing.id;
        listings.set(id, { listing, tree, path, nodes, source });
        onEvent({ kind: 'opened', listing });
        if (source.kind === 'remote') say(source.session, 'sent', `MLSD ${path}`);
        let sent = 0;
        while (sent < nodes.length) {
          const to = Math.min(nodes.length, sent + (sent === 0 ? 200 : 10_000));
          const from = sent;
          onEvent({ kind: 'rows', rows: nodes.slice(from, to).map((n, i) => rowOf(n, from + i)) });
          sent = to;
          if (sent === nodes.length || !(await wait(1.5, sent))) continue;
          onEvent({ kind: 'done', total: sent, millis: 31, unparsed: 0, stopped: true });
          return listing;
        }
        onEvent({ kind: 'done', total: sent, millis: 31, unparsed: 0, stopped: false });
        if (source.kind === 'remote') say(source.session, 'received', '226 Transfer complete');
        return listing;
      } catch (thrown) {
        if (id !== null) listings.delete(id);
        throw thrown;
      } finally {
        stops.delete(request);
      }
    },
    stopListing: async (request) => stops.get(request)?.(),
    closeListing: async (listing) => {
      listings.delete(listing);
    },
    async createFolder(listing, name) {
      const { tree, path } = listingOf(listing);
      await pause();
      const folder = tree.find(path);
      if (folder.children?.has(name)) {
        throw error('refused', `${name} exists already.`, `550 ${name}: File exists`);
      }
      folder.children?.set(name, tree.folder(name));
      changed(tree, path);
    },
    async renameEntry(listing, row, name) {
      const { tree, path, nodes } = listingOf(listing);
      await pause();
      const node = nodes[row];
      const folder = tree.find(path);
      if (!node || !folder.children?.delete(node.name)) throw missing(path);
      node.name = name;
      folder.children.set(name, node);
      changed(tree, path);
    },
    async deleteEntries(listing, rows) {
      const { tree, path, nodes } = listingOf(listing);
      await pause();
      const failed = [];
      let deleted = 0;
      for (const row of rows) {
        const node = nodes[row];
        if (!node) continue;
        if (node.name === 'readme.txt') {
          failed.push({ name: node.name, error: READ_ONLY });
        } else if (tree.find(path).children?.delete(node.name)) deleted += 1;
      }
      changed(tree, path);
      return { deleted, failed };
    },
    async onFolderChanged(handle) {
      folderWatchers.add(handle);
      return () => folderWatchers.delete(handle);
    },

    async sendEntries(listing, rows, to, options) {
      const from = listingOf(listing);
      const into = listingOf(to);
      if (from.source.kind === into.source.kind) {
        throw error('unsupported', 'Both folders are on the same side.', null);
      }
      const nodes = rows.flatMap((row) => from.nodes[row] ?? []);
      return send(nodes, from.path, into, options);
    },
    async acceptDrop(drop, to, options) {
      const into = listingOf(to);
      if (into.source.kind === 'local') {
        throw error('unsupported', 'Dropped files can only be uploaded.', null);
      }
      return send([into.tree.file(`dropped-${drop}.txt`, 1200)], '/tmp', into, options);
    },
    async onSystemDrag(handle) {
      dragWatchers.add(handle);
      return () => dragWatchers.delete(handle);
    },
    watchQueue: async (onUpdate) => queue.watch(onUpdate),
    cancelTransfers: async (ids) => queue.cancel(ids),
    retryTransfers: async (ids) => queue.retry(ids),
    clearFinished: async () => queue.clearFinished(),
    pauseTransfers: async (ids, paused) => queue.pause(ids, paused),
    pauseQueue: async (paused) => queue.pauseAll(paused),
    pauseSite: async (site, paused) => queue.changeSite(site, { paused }),
    setPriority: async (ids, priority) => queue.prioritize(ids, priority),
    moveTransfers: async (ids, place) => queue.move(ids, place),
    startTransfersAt: async (ids, at) => queue.startAt(ids, at),
    answerConflicts: async (ids, rule) => queue.answer(ids, rule),
    setLimits: async (limits) => queue.set({ limits }),
    setSiteLimits: async (site, limits) => queue.changeSite(site, { limits }),
    setTimetable: async (timetable) => {
      const { problem } = await backend.checkTimetable(timetable);
      if (problem) throw error('argument', problem, null);
      queue.set({ timetable });
    },
    checkTimetable: async (text) =>
      /^[\s,]*$|^\s*\d\d:\d\d-\d\d:\d\d \S+/.test(text)
        ? { problem: null, now: text.trim() ? 512 * 1024 : null, next: null }
        : { problem: `“${text}” begins with no time like 08:00-18:00.`, now: null, next: null },
    receipt: async (id) => queue.receipt(id),
    receipts: async (limit, offset) =>
      queue.rows.flatMap((row) => queue.receipt(row.id) ?? []).slice(offset, offset + limit),

    async prepareShare(listing, row) {
      await pause();
      const { path, source, nodes } = listingOf(listing);
      if (source.kind !== 'local')
        throw error('unsupported', 'Only folders of this computer.', null);
      const node = row === null ? null : nodes[row];
      if (node && !node.children) throw error('local', 'It is not a folder.', null);
      const full = node ? clean(`${path}/${node.name}`) : path;
      const name = full.split('/').at(-1) || full;
      return shares.draft(place(source, full, full).id, name, full);
    },
    newPassword: async () => shares.password(),
    async shareFolder(request) {
      await pause();
      return shares.start(request, now);
    },
    async stopShare(id) {
      await pause();
      shares.stop(id);
    },
    setShareLimits: async (id, limits) => shares.limit(id, limits),
    kickVisitor: async (id, visitor) => shares.kick(id, visitor),
    shareQr: async (id, withPassword) => shares.qr(id, withPassword),
    watchShares: async (onShares) => shares.watch(onShares),

    watchLog: async (onLines) => {
      logWatchers.push(onLines);
      onLines([...log]);
    },

    listSites: async () => [...sites.values()],
    async saveSite(input, change) {
      if (!input.host.trim()) throw error('argument', 'A site needs a host.', null);
      const id = input.id ?? `site-${sites.size + 1}-${nextId++}`;
      if (change.kind === 'store') {
        if (!keyring) throw error('keyring', 'There is no keyring.', NO_KEYRING);
        passwords.set(id, change.password);
      } else if (change.kind === 'forget') passwords.delete(id);
      const site: Site = { ...input, id, passwordStored: passwords.has(id) };
      sites.set(id, site);
      return site;
    },
    deleteSite: async (id) => {
      const left = sites.get(id)?.passwordStored && !keyring;
      sites.delete(id);
      if (left) return { passwordLeft: error('keyring', 'There is no keyring.', NO_KEYRING) };
      passwords.delete(id);
      return { passwordLeft: null };
    },
    keyringStatus: async () => ({
      available: keyring,
      message: keyring ? null : NO_KEYRING,
    }),

    listTrusted: async () => [...pinned.values()],
    forgetTrusted: async (host) => {
      pinned.delete(host);
    },

    loadSettings: async () => settings,
    saveSettings: async (next) => {
      settings = next;
    },
    setTitle: async (text) => {
      titles.push(text);
    },
    async onCloseAsked(handle) {
      closeWatchers.add(handle);
      return () => closeWatchers.delete(handle);
    },
    closeWindow: async (confirm) => {
      closeAnswers.push(confirm);
    },
  };
  return backend;
}
