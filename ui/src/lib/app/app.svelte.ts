import { describe, type ErrorAction } from '$lib/errors';
import type {
  AppError,
  Backend,
  CloseAsked,
  ConnectRequest,
  JournalStatus,
  QueueSite,
  SendOptions,
  SessionInfo,
  Site,
} from '$lib/backend';
import type { Action } from '$lib/actions';
import { Drags } from '$lib/browser/drags.svelte';
import { Pane } from '$lib/browser/pane.svelte';
import { Log } from '$lib/log/log.svelte';
import { t } from '$lib/messages';
import { Notices } from '$lib/notices/notices.svelte';
import { BLANK_REQUEST, ConnectFlow } from '$lib/session/connect-flow.svelte';
import { loadRecent, remember, withoutPassword, type Recent } from '$lib/session/recent';
import { Tab } from '$lib/session/tabs.svelte';
import { Preferences } from '$lib/settings/settings.svelte';
import { Sharing } from '$lib/sharing/sharing.svelte';
import { Sites } from '$lib/sites/sites.svelte';
import type { Side } from '$lib/testids';
import { Queue } from '$lib/transfers/queue.svelte';
import { Sending } from '$lib/transfers/sending.svelte';
import { actionsOf } from './actions';

/** How long the window says what it keeps before it closes. */
const CLOSING_NOTE_MS = 900;

/** What stands in the quick-connect bar. */
export interface QuickForm {
  address: string;
  user: string;
  password: string;
  tls: ConnectRequest['tls'];
}

/** The whole window: what is open, and how the features work together. */
export class App {
  readonly notices = new Notices();
  readonly log = new Log();
  readonly preferences: Preferences;
  readonly sites: Sites;
  readonly queue: Queue;
  readonly sending: Sending;
  readonly sharing: Sharing;
  readonly flow: ConnectFlow;
  readonly drags: Drags;
  readonly actions: Action[];

  tabs = $state.raw<Tab[]>([]);
  tab = $state.raw<Tab>() as Tab;
  activeSide = $state<Side>('local');
  panelOpen = $state(true);
  panel = $state<'transfers' | 'log'>('transfers');
  paletteOpen = $state(false);
  settingsOpen = $state(false);
  /** The window was to be closed with transfers not finished. */
  closeAsked = $state.raw<CloseAsked | null>(null);
  /** Whether this window's transfers are kept. */
  journal = $state.raw<JournalStatus | null>(null);
  journalShown = $state(false);
  quick = $state<QuickForm>({ address: '', user: '', password: '', tls: 'auto' });
  recent = $state.raw<Recent[]>([]);
  /** Grows when the address field should take the keyboard. */
  addressWanted = $state(0);

  #backend: Backend;
  #nextTab = 1;
  /** The tab that a reconnect goes into, also when it is tried again: until it succeeds or is given up. */
  #into: Tab | null = null;

  constructor(backend: Backend) {
    this.#backend = backend;
    this.preferences = new Preferences(backend, this.notices);
    this.sites = new Sites(backend, this.notices);
    const showQueue = () => this.showPanel('transfers');
    this.queue = new Queue(backend, this.notices, showQueue);
    this.sending = new Sending(this.notices, showQueue);
    this.sharing = new Sharing(backend, this.notices);
    this.flow = new ConnectFlow(backend, {
      connected: (session, request) => this.#connected(session, request),
      failed: (error) => this.#failed(error),
      cancelled: () => (this.#into = null),
    });
    this.drags = new Drags({
      allowed: (from, over) => this.#mayDrop(from, over),
      drop: (from) => void this.transfer(from),
      dropSystem: (drop, over) => void this.#acceptDrop(drop, over),
    });
    this.recent = loadRecent(localStorage);
    this.tab = this.#makeTab();
    this.tabs = [this.tab];
    this.actions = actionsOf(this);
  }

  get local(): Pane {
    return this.tab.local;
  }

  get remote(): Pane | null {
    return this.tab.remote;
  }

  /** The pane that keys act on. */
  get active(): Pane {
    return this.activeSide === 'remote' && this.remote ? this.remote : this.local;
  }

  async start(): Promise<void> {
    const backend = this.#backend;
    const info = await this.preferences.load();
    this.#showHidden(this.preferences.showHidden);
    await Promise.allSettled([
      backend.onFolderChanged((listing) => this.#folderChanged(listing)),
      backend.onSystemDrag((drag) => this.drags.system(drag)),
      backend.onCloseAsked((asked) => this.#askClose(asked)),
      this.log.watch(backend).catch((thrown: unknown) => this.notices.error(thrown)),
      this.queue.watch(),
      this.sharing.watch(),
      this.sites.load(),
      this.local.home(),
    ]);
    if (info) this.#tellJournal(info.journal);
    if (info?.practiceAtStart) void this.practice();
  }

  // Connecting

  connectQuick(): Promise<void> {
    const { address, user, password, tls } = this.quick;
    if (!address.trim()) {
      this.addressWanted += 1;
      return Promise.resolve();
    }
    const request = {
      ...BLANK_REQUEST,
      address: address.trim(),
      user: user.trim(),
      password: password || null,
      tls,
    };
    return this.#connect(request, withoutPassword(address));
  }

  connectRecent({ address, user, tls }: Recent): Promise<void> {
    this.quick = { address, user, password: '', tls };
    return this.connectQuick();
  }

  connectSite(site: Site, password: string | null = null): Promise<void> {
    this.sites.close();
    return this.#connect({ ...BLANK_REQUEST, site: site.id, password }, site.name);
  }

  /** Transfers of an earlier run wait for this site: only a person can log in. */
  connectQueueSite({ site, address, tls, name }: QueueSite): Promise<void> {
    const saved = this.sites.list.find(({ id }) => id === site);
    if (saved) return this.connectSite(saved);
    if (!address) return this.practice();
    return this.#connect({ ...BLANK_REQUEST, address, tls }, name);
  }

  showJournal(): void {
    this.journalShown = true;
  }

  practice(): Promise<void> {
    this.#into = null;
    return this.flow.practice(t.connect.practiceHost);
  }

  reconnect(): Promise<void> {
    const { request, session } = this.tab;
    if (request) {
      const label = session?.title ?? withoutPassword(request.address);
      return this.#connect(request, label, this.tab);
    }
    this.#into = this.tab;
    return this.flow.practice(t.connect.practiceHost);
  }

  async refreshSecurity(): Promise<void> {
    const { tab } = this;
    if (!tab.session) return;
    try {
      tab.security = await this.#backend.sessionSecurity(tab.session.id);
    } catch (thrown) {
      this.notices.error(thrown);
    }
  }

  // Tabs

  newTab(): void {
    const tab = this.#makeTab();
    const { listing } = this.local;
    this.tabs = [...this.tabs, tab];
    this.selectTab(tab);
    void (listing ? tab.local.goTo(listing.place) : tab.local.home());
    this.addressWanted += 1;
  }

  selectTab(tab: Tab): void {
    this.tab = tab;
    if (!tab.remote) this.activeSide = 'local';
    this.#title();
  }

  nextTab(): void {
    const next = this.tabs[(this.tabs.indexOf(this.tab) + 1) % this.tabs.length];
    if (next) this.selectTab(next);
  }

  closeTab(tab: Tab): void {
    const index = this.tabs.indexOf(tab);
    // A reconnect of this tab has nowhere to go any more.
    if (this.#into === tab) this.flow.cancel();
    if (tab.session) this.#disconnect(tab.session.id);
    tab.remote?.close();
    const rest = this.tabs.filter((other) => other !== tab);
    if (rest.length === 0) {
      // The last tab stays, not connected: the window is never empty.
      tab.session = null;
      tab.remote = null;
      tab.security = null;
      tab.request = null;
      this.selectTab(tab);
      return;
    }
    tab.local.close();
    this.tabs = rest;
    const next = rest[Math.min(index, rest.length - 1)];
    if (this.tab === tab && next) this.selectTab(next);
    else this.#title();
  }

  // Panes

  activate(side: Side): void {
    this.activeSide = side === 'remote' && !this.remote ? 'local' : side;
  }

  switchPane(): void {
    this.activate(this.activeSide === 'local' ? 'remote' : 'local');
    this.active.focusWanted += 1;
  }

  setShowHidden(show: boolean): void {
    this.preferences.setShowHidden(show);
    this.#showHidden(show);
  }

  async transfer(from: Side): Promise<void> {
    const batch = this.#batch(from);
    if (batch) await this.sending.send(batch.call, batch.ends);
  }

  /** The same, after the person has said how. */
  async transferWith(from: Side): Promise<void> {
    const batch = this.#batch(from);
    if (batch) await this.sending.sendWith(batch.call, batch.ends, batch.count, batch.place);
  }

  /** The folder of this computer that would be shared: the one that is selected, or the one that is open. */
  get shareable(): { row: number | null; name: string } | null {
    const { listing, selection } = this.local;
    if (!listing) return null;
    const [only] = selection.size === 1 ? this.local.chosen() : [];
    if (only && (only.row.kind === 'folder' || only.row.kind === 'link')) {
      return { row: only.row.id, name: only.row.name };
    }
    return { row: null, name: listing.crumbs.at(-1)?.label ?? '' };
  }

  share(): void {
    const { listing } = this.local;
    const folder = this.shareable;
    if (listing && folder) void this.sharing.prepare(listing.id, folder.row);
  }

  /** The answer to the question whether to close the window. */
  close(confirm: boolean): void {
    this.closeAsked = null;
    this.#backend.closeWindow(confirm).catch((thrown: unknown) => this.notices.error(thrown));
  }

  showPanel(panel: 'transfers' | 'log'): void {
    this.panel = panel;
    this.panelOpen = true;
  }

  act(action: ErrorAction, pane: Pane | null): void {
    if (action === 'retry') pane?.retry();
    else if (action === 'refresh') void pane?.refresh();
    else if (action === 'sites') this.sites.show();
    else if (action === 'log') this.showPanel('log');
    else if (pane?.side === 'remote') void this.reconnect();
    else this.addressWanted += 1;
  }

  // Inside

  /** What is chosen, on its way to the other pane. */
  #batch(from: Side) {
    const [source, target] =
      from === 'local' ? [this.local, this.remote] : [this.remote, this.local];
    if (!source?.listing || !target?.listing) {
      this.notices.info(t.pane.noTarget);
      return null;
    }
    const rows = source.chosen().map((entry) => entry.row.id);
    if (rows.length === 0) {
      this.notices.info(t.pane.nothingSelected);
      return null;
    }
    const listing = source.listing.id;
    const to = target.listing.id;
    return {
      call: (options: SendOptions) => this.#backend.sendEntries(listing, rows, to, options),
      ends: [source, target],
      count: rows.length,
      place: target.listing.crumbs.at(-1)?.label ?? '',
    };
  }

  #connect(request: ConnectRequest, label: string, into: Tab | null = null): Promise<void> {
    this.#into = into;
    return this.flow.start(request, label);
  }

  #makeTab(): Tab {
    const pane = new Pane('local', { kind: 'local' }, this.#backend, this.notices);
    pane.setShowHidden(this.preferences.showHidden);
    return new Tab(this.#nextTab++, pane);
  }

  #connected(session: SessionInfo, request: ConnectRequest | null): void {
    const into = this.#into ?? (this.tab.session ? null : this.tab);
    this.#into = null;
    const fresh = into === null;
    const tab = into ?? this.#makeTab();
    if (fresh) this.tabs = [...this.tabs, tab];
    const site = this.sites.list.find(({ id }) => id === session.site);
    const previous = tab.remote;
    const place = previous?.listing?.place.label;
    if (tab.session) this.#disconnect(tab.session.id);
    previous?.close();

    const remote = new Pane(
      'remote',
      { kind: 'remote', session: session.id },
      this.#backend,
      this.notices,
    );
    remote.setShowHidden(this.preferences.showHidden);
    tab.session = session;
    tab.security = session.security;
    tab.remote = remote;
    // Never the password; the answers of a person are kept for connecting again.
    tab.request = request && {
      ...request,
      address: withoutPassword(request.address),
      password: null,
      rememberPassword: false,
    };
    if (request && !request.site) {
      this.recent = remember(localStorage, this.recent, request);
    }
    if (fresh || !tab.local.listing || (site?.localPath && !previous)) {
      const here = this.local.listing?.place;
      if (site?.localPath) void tab.local.goToPath(site.localPath);
      else if (here) void tab.local.goTo(here);
      else void tab.local.home();
    }
    this.quick.password = '';
    // It stood there for the connect alone; another one may be half typed by now.
    if (this.quick.address.trim() === request?.address) {
      this.quick.address = withoutPassword(request.address);
    }
    this.selectTab(tab);
    this.notices.say(t.connect.connected(session.title));
    const path = place ?? site?.remotePath;
    void (path ? remote.goToPath(path) : remote.home());
    this.activeSide = 'remote';
    remote.focusWanted += 1;
    void this.sites.load();
  }

  #failed(error: AppError): void {
    const retry = describe(error).action === 'retry';
    this.notices.error(
      error,
      retry ? { label: t.common.retry, run: () => void this.flow.again() } : null,
    );
  }

  #disconnect(session: number): void {
    this.#backend.disconnect(session).catch((thrown: unknown) => this.notices.error(thrown));
  }

  #folderChanged(listing: number): void {
    for (const tab of this.tabs) {
      for (const pane of [tab.local, tab.remote]) {
        if (pane?.listing?.id === listing) pane.folderChanged();
      }
    }
  }

  #showHidden(show: boolean): void {
    for (const tab of this.tabs) {
      tab.local.setShowHidden(show);
      tab.remote?.setShowHidden(show);
    }
  }

  #mayDrop(from: Side | 'system', over: Side): boolean {
    if (!this.remote) return false;
    return from === 'system' ? over === 'remote' : from !== over;
  }

  async #acceptDrop(drop: number, over: Side): Promise<void> {
    const pane = over === 'remote' ? this.remote : this.local;
    if (!pane?.listing) return this.notices.info(t.pane.noTarget);
    const to = pane.listing.id;
    await this.sending.send((options) => this.#backend.acceptDrop(drop, to, options), [pane]);
  }

  #askClose(asked: CloseAsked): void {
    this.closeAsked = asked;
    if (closesQuietly(asked)) {
      // Nothing is lost: it is said for as long as it takes to read, and then the window closes.
      setTimeout(() => this.close(true), CLOSING_NOTE_MS);
      return;
    }
    // The shell hears that the question is on the screen: a window that shows none is closed the next time.
    this.#backend.closeWindow(false).catch((thrown: unknown) => this.notices.error(thrown));
  }

  /** What became of the transfers of last time, and whether those of this time are kept. */
  #tellJournal(journal: JournalStatus): void {
    this.journal = journal;
    const { problem, recovered, unfinished } = journal;
    this.journalShown = problem !== null;
    if (recovered) {
      const { rescued, lost, why, path } = recovered;
      const text = t.journal.recoveredText(rescued, lost);
      this.notices.problem(t.journal.recovered, text, `${why}\n${path}`);
    }
    if (unfinished > 0) this.notices.info(t.journal.unfinished(unfinished));
  }

  #title(): void {
    const { session } = this.tab;
    const text = session ? t.app.title(session.title) : t.app.name;
    document.title = text;
    this.#backend.setTitle(text).catch(() => undefined);
  }
}

/** Nothing is lost and nobody cut off: there is nothing to ask, only to say. */
export function closesQuietly({ kept, serving }: CloseAsked): boolean {
  return kept && serving === 0;
}
