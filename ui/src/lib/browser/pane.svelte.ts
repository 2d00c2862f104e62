import {
  AppError,
  toAppError,
  type Backend,
  type FolderTarget,
  type Listing,
  type ListingEvent,
  type PaneSource,
  type Place,
} from '$lib/backend';
import { t } from '$lib/messages';
import type { Notices } from '$lib/notices/notices.svelte';
import type { Side } from '$lib/testids';
import { Columns } from './columns.svelte';
import type { Entry } from './entry';
import { FolderView, type ViewOptions } from './folder-view.svelte';
import { History } from './history';
import { Selection } from '$lib/selection/selection.svelte';
import type { Column, SortOrder } from './sort';
import { TypeAhead } from './typeahead';

interface OpenOptions {
  /** What the history becomes when the folder is open. */
  history: 'visit' | 'back' | 'forward' | 'keep';
  /** The row to put the cursor on. */
  focus?: string;
}

/** About rows as they were when it was asked: they are of that listing, whatever is shown since. */
export interface DeleteQuestion {
  listing: number;
  rows: number[];
  names: string[];
  folders: boolean;
}

/** Chosen by the window, so that a listing can be stopped before the shell has answered. */
let lastRequest = 0;

const CANCELLED = new AppError({
  code: 'cancelled',
  message: '',
  detail: null,
  retryable: false,
});
const BY_NAME: SortOrder = { column: 'name', descending: false };

/** One side of the window: a folder of this computer or of a server. */
export class Pane {
  readonly side: Side;
  readonly source: PaneSource;
  readonly selection = new Selection();
  readonly columns: Columns;

  listing = $state.raw<Listing | null>(null);
  folder = $state.raw<FolderView>(
    new FolderView({ order: BY_NAME, filter: '', showHidden: false }),
  );
  loading = $state(false);
  /** Rows are still arriving into the shown folder. */
  arriving = $state(false);
  /** Why not all of the folder is shown, if that is so. */
  partial = $state<'stopped' | 'failed' | null>(null);
  error = $state.raw<AppError | null>(null);
  stats = $state.raw<{ millis: number; unparsed: number } | null>(null);
  order = $state.raw<SortOrder>(BY_NAME);
  filter = $state('');
  filtering = $state(false);
  editingPath = $state(false);
  creating = $state(false);
  renaming = $state.raw<{ listing: number; row: number } | null>(null);
  removing = $state.raw<DeleteQuestion | null>(null);
  history = $state.raw(History.empty);
  /** Grows when the list must show another folder from its top. */
  visits = $state(0);
  /** Asks the list to bring a row into sight. */
  reveal = $state.raw<{ index: number } | null>(null);
  /** Grows when the list should take the keyboard. */
  focusWanted = $state(0);

  #backend: Backend;
  #notices: Notices;
  #showHidden = false;
  #turn = 0;
  #again = false;
  /** The listing under way, if one is. */
  #request = $state<number | null>(null);
  #holds = 0;
  /** No longer shown, but still spoken of. */
  #leftovers: number[] = [];
  #typeAhead = new TypeAhead();
  #retry: (() => void) | null = null;
  #closed = false;

  constructor(side: Side, source: PaneSource, backend: Backend, notices: Notices) {
    this.side = side;
    this.source = source;
    this.#backend = backend;
    this.#notices = notices;
    this.columns = new Columns(side === 'local' ? ['permissions'] : []);
  }

  readonly view = $derived(this.folder.view);
  readonly path = $derived(this.listing?.place.label ?? '');
  /** Bytes in the selected files; null when none of them has a known size. */
  readonly selectedSize = $derived.by(() => {
    let bytes: number | null = null;
    for (const id of this.selection.ids()) {
      const size = this.folder.entry(id)?.row.size ?? null;
      if (size !== null) bytes = (bytes ?? 0) + size;
    }
    return bytes;
  });

  get cursorIndex(): number {
    return this.folder.indexOf(this.selection.cursor);
  }

  // Going places

  home = () => this.open({ kind: 'home' });
  goTo = (place: Place, focus?: string) => this.open({ kind: 'place', place: place.id }, focus);
  goToPath = (text: string) => this.open({ kind: 'path', text });

  open(target: FolderTarget, focus?: string): Promise<boolean> {
    return this.#load(target, { history: 'visit', focus });
  }

  up(): void {
    const parent = this.listing?.parent;
    const own = this.listing?.crumbs.at(-1)?.label;
    if (parent) void this.goTo(parent, own);
  }

  back(): void {
    const place = this.history.past.at(-1);
    const focus = this.listing?.crumbs.at(-1)?.label;
    if (place) void this.#load({ kind: 'place', place: place.id }, { history: 'back', focus });
  }

  forward(): void {
    const place = this.history.future[0];
    if (place) void this.#load({ kind: 'place', place: place.id }, { history: 'forward' });
  }

  /** Reads the folder again, by its place: its listing may be gone. Put off while rows are spoken of. */
  refresh(focus?: string): Promise<boolean> {
    const place = this.listing?.place.id;
    if (place === undefined) return this.home();
    if (this.held) {
      this.#again = true;
      this.#settleDown();
      return Promise.resolve(false);
    }
    return this.#load({ kind: 'place', place }, { history: 'keep', focus });
  }

  /** The folder changed behind our back: read it again, but never over a name being typed. */
  folderChanged(): void {
    if (this.loading || this.arriving || this.held) this.#again = true;
    else void this.refresh();
  }

  /** A folder is being read, and that can be stopped. */
  get stoppable(): boolean {
    return this.#request !== null;
  }

  /** Rows are spoken of, in a question or while a name is typed: they must stay what they are. */
  get held(): boolean {
    return this.#holds > 0 || this.renaming !== null || this.removing !== null;
  }

  /** Keeps rows what they are until the answer is called. */
  hold(): () => void {
    let held = true;
    this.#holds += 1;
    return () => {
      if (held) this.#holds -= 1;
      held = false;
      this.#catchUp();
    };
  }

  /** Abandons a listing under way. What is shown of it stays. */
  stop(): void {
    if (this.#abandon()) this.#notices.say(t.pane.stopped);
  }

  retry(): void {
    this.error = null;
    this.#retry?.();
  }

  close(): void {
    this.#abandon();
    this.#closed = true;
    this.#turn += 1;
    this.folder.close();
    for (const listing of this.#leftovers.splice(0)) this.#forget(listing);
    if (this.listing) this.#forget(this.listing.id);
  }

  // What is shown

  sortBy(column: Column): void {
    const same = this.order.column === column;
    this.order = { column, descending: same ? !this.order.descending : false };
    this.#reconfigure();
  }

  setFilter(text: string): void {
    this.filter = text;
    // What can't be seen must not be selected.
    this.selection.clear();
    this.#reconfigure();
  }

  closeFilter(): void {
    this.filtering = false;
    if (this.filter) this.setFilter('');
    this.focusWanted += 1;
  }

  setShowHidden(show: boolean): void {
    if (this.#showHidden === show) return;
    this.#showHidden = show;
    this.selection.clear();
    this.#reconfigure();
  }

  // Cursor and selection

  moveCursor(to: number, how: 'only' | 'extend' | 'point'): void {
    const view = this.view;
    const index = Math.max(0, Math.min(view.length - 1, to));
    const entry = view[index];
    if (!entry) return;
    if (how === 'extend') this.selection.extendTo(entry.row.id, view);
    else if (how === 'point') this.selection.point(entry.row.id);
    else this.selection.only(entry.row.id);
    this.reveal = { index };
  }

  typeAhead(char: string, now: number): void {
    const index = this.#typeAhead.type(char, this.view, this.cursorIndex, now);
    if (index >= 0) this.moveCursor(index, 'only');
  }

  typing(now: number): boolean {
    return this.#typeAhead.active(now);
  }

  mark(): void {
    const index = Math.max(0, this.cursorIndex);
    const entry = this.view[index];
    if (!entry) return;
    this.selection.mark(entry.row.id);
    this.moveCursor(index + 1, 'point');
  }

  selectAll(): void {
    this.selection.all(this.view);
    if (this.selection.cursor === null && this.view[0]) this.selection.cursor = this.view[0].row.id;
  }

  /** What an action is about: the selection, else the cursor's row. */
  chosen(): Entry[] {
    if (this.selection.size > 0) {
      return this.selection.ids().flatMap((id) => this.folder.entry(id) ?? []);
    }
    const entry = this.view[this.cursorIndex];
    return entry ? [entry] : [];
  }

  /** Opens a folder (or a link, which may be one). False if it is a file. */
  openEntry(entry: Entry | undefined): boolean {
    if (!entry || !this.listing) return true;
    if (entry.row.kind !== 'folder' && entry.row.kind !== 'link') return false;
    void this.open({ kind: 'entry', listing: this.listing.id, row: entry.row.id });
    return true;
  }

  // Changing things

  startRename(): void {
    const entry = this.chosen()[0];
    if (!entry || !this.listing) return;
    this.selection.only(entry.row.id);
    const index = this.folder.indexOf(entry.row.id);
    this.reveal = { index };
    this.renaming = { listing: this.listing.id, row: entry.row.id };
  }

  endRename(): void {
    this.renaming = null;
    this.focusWanted += 1;
    this.#catchUp();
  }

  async rename(name: string): Promise<void> {
    const { renaming } = this;
    const old = renaming ? this.folder.entry(renaming.row)?.row.name : undefined;
    const release = this.hold();
    this.endRename();
    if (renaming && name && name !== old) {
      const { listing, row } = renaming;
      await this.#change(
        () => this.#backend.renameEntry(listing, row, name),
        name,
        t.pane.renamed(name),
        release,
      );
    }
    release();
  }

  async createFolder(name: string): Promise<void> {
    const listing = this.listing;
    this.creating = false;
    this.focusWanted += 1;
    if (!listing || !name) return;
    const release = this.hold();
    await this.#change(
      () => this.#backend.createFolder(listing.id, name),
      name,
      t.pane.created(name),
      release,
    );
    release();
  }

  askRemove(): void {
    const chosen = this.chosen();
    if (chosen.length === 0 || !this.listing) return;
    this.removing = {
      listing: this.listing.id,
      rows: chosen.map((entry) => entry.row.id),
      names: chosen.slice(0, 6).map((entry) => entry.row.name),
      folders: chosen.some((entry) => entry.folder),
    };
  }

  keep(): void {
    this.removing = null;
    this.focusWanted += 1;
    this.#catchUp();
  }

  async remove(): Promise<void> {
    const question = this.removing;
    if (!question) return;
    const release = this.hold();
    this.removing = null;
    this.focusWanted += 1;
    const next = this.#survivor(new Set(question.rows));
    this.#abandon();
    const turn = this.#turn;
    this.loading = true;
    try {
      const report = await this.#backend.deleteEntries(question.listing, question.rows);
      if (report.deleted > 0) this.#notices.say(t.pane.deleted(report.deleted));
      const first = report.failed[0];
      if (first) {
        const lines = report.failed.map(
          ({ name, error }) => `${name}: ${error.detail ?? error.message}`,
        );
        this.#notices.problem(
          t.pane.deletePartly(report.failed.length),
          first.error.message,
          lines.join('\n'),
        );
      }
      if (this.listing?.id === question.listing) this.selection.clear();
      release();
      if (turn === this.#turn) await this.refresh(next);
    } catch (thrown) {
      this.#failChange(thrown, () => void this.refresh());
    } finally {
      release();
    }
  }

  // Inside

  #viewOptions(): ViewOptions {
    return { order: this.order, filter: this.filter, showHidden: this.#showHidden };
  }

  #reconfigure(): void {
    this.folder.configure(this.#viewOptions());
  }

  async #change(
    act: () => Promise<void>,
    focus: string,
    said: string,
    release: () => void,
  ): Promise<void> {
    this.#abandon();
    const turn = this.#turn;
    this.loading = true;
    try {
      await act();
      this.#notices.say(said);
      release();
      if (turn === this.#turn) await this.refresh(focus);
    } catch (thrown) {
      this.#failChange(thrown, () => void this.#change(act, focus, said, () => undefined));
    }
  }

  /** A change that was meant for rows that are gone changes nothing; the person looks again. */
  #failChange(thrown: unknown, retry: () => void): void {
    if (toAppError(thrown).code !== 'stale-listing') return this.#fail(thrown, retry);
    this.#settleDown();
    this.#again = true;
    if (!this.#closed) this.#notices.error(thrown);
  }

  /** Ends what is on its way. Rows that are shown already stay. False if nothing was. */
  #abandon(): boolean {
    if (this.#request === null) return false;
    // Nobody waits for it: what comes of it is not looked at any more.
    this.#backend.stopListing(this.#request).catch(() => undefined);
    this.#request = null;
    if (this.arriving) this.partial = 'stopped';
    this.#turn += 1;
    this.loading = false;
    this.arriving = false;
    return true;
  }

  #fail(thrown: unknown, retry: () => void): void {
    const error = toAppError(thrown);
    this.#settleDown();
    if (error.code === 'cancelled' || this.#closed) return;
    this.#retry = retry;
    this.error = error;
    this.#notices.say(error.message);
  }

  /** Nothing is under way any more, unless another folder was asked for meanwhile. */
  #settleDown(): void {
    if (this.#request !== null) return;
    this.loading = false;
    this.arriving = false;
  }

  /** Reads a folder. Resolves with true when it is shown whole. */
  async #load(target: FolderTarget, options: OpenOptions): Promise<boolean> {
    if (this.#closed) return false;
    this.#abandon();
    const turn = ++this.#turn;
    const request = ++lastRequest;
    const stale = () => turn !== this.#turn;
    const refreshing = options.history === 'keep';
    const incoming = new FolderView({
      ...this.#viewOptions(),
      filter: refreshing ? this.filter : '',
    });
    this.#request = request;
    this.loading = true;
    this.#again = false;
    let opened: Listing | null = null;
    let arrived = false;
    let shown = false;
    let finish: (done: Extract<ListingEvent, { kind: 'done' }>) => void;
    const done = new Promise<Extract<ListingEvent, { kind: 'done' }>>((go) => (finish = go));

    const show = () => {
      if (shown || !opened || stale()) return;
      shown = true;
      this.#swap(opened, incoming, options, refreshing);
    };
    /** Nobody wants it any more. What is shown of it stays. */
    const drop = () => {
      if (shown) return;
      incoming.close();
      if (opened) this.#forget(opened.id);
    };
    const receive = (event: ListingEvent) => {
      if (event.kind === 'opened') opened = event.listing;
      if (event.kind === 'done') finish(event);
      if (stale()) {
        // The shell may have begun after it was told to stop.
        if (event.kind === 'opened') drop();
        return;
      }
      if (event.kind === 'rows') {
        arrived = true;
        incoming.append(event.rows);
        // Another folder shows its first rows at once; the same folder is replaced whole.
        if (!refreshing && !shown) void incoming.settled().then(show);
      }
    };

    try {
      opened = await this.#backend.openFolder(this.source, target, request, receive);
      const { millis, unparsed, stopped } = await (stale() ? Promise.reject(CANCELLED) : done);
      await incoming.settled();
      if (stale()) throw CANCELLED;
      this.#request = null;
      if (refreshing && (this.held || stopped)) {
        // The rows on the screen are spoken of: not now.
        drop();
        this.#again ||= !stopped;
        this.#settleDown();
        return false;
      }
      show();
      this.stats = { millis, unparsed };
      this.partial = stopped ? 'stopped' : null;
    } catch (thrown) {
      if (!stale()) {
        this.#request = null;
        await incoming.settled();
        if (arrived && !refreshing) show();
      }
      drop();
      if (stale()) return false;
      if (shown) this.partial = 'failed';
      // Its listing is gone, and so may be the one that it was asked from; its place is not.
      const place = (opened as Listing | null)?.place.id;
      const again: FolderTarget = place === undefined ? target : { kind: 'place', place };
      this.#fail(thrown, shown ? () => void this.refresh() : () => void this.#load(again, options));
      return false;
    }
    this.#settleDown();
    this.#settleFocus(options.focus, refreshing);
    if (!refreshing) this.#notices.say(t.pane.announceOpened(this.path, this.view.length));
    this.#catchUp();
    return true;
  }

  #swap(listing: Listing, incoming: FolderView, options: OpenOptions, refreshing: boolean): void {
    const before = this.listing;
    this.error = null;
    this.partial = null;
    if (refreshing) {
      const names = new Set(
        this.selection.ids().map((id) => this.folder.entry(id)?.row.name ?? ''),
      );
      const cursor = this.folder.entry(this.selection.cursor ?? -1)?.row.name;
      const ids: number[] = [];
      let cursorId: number | null = null;
      for (const { row } of incoming.view) {
        if (names.has(row.name)) ids.push(row.id);
        if (row.name === cursor) cursorId = row.id;
      }
      this.folder.close();
      this.folder = incoming;
      this.selection.restore(ids, cursorId);
    } else {
      this.folder.close();
      this.folder = incoming;
      this.filter = '';
      this.filtering = false;
      this.creating = false;
      this.renaming = null;
      this.stats = null;
      this.selection.reset();
      this.visits += 1;
      this.arriving = true;
    }
    // The order may have been changed while the rows were on their way.
    incoming.configure(this.#viewOptions());
    this.listing = listing;
    if (options.history === 'visit') this.history = this.history.visit(listing.place);
    else if (options.history === 'back') this.history = this.history.back();
    else if (options.history === 'forward') this.history = this.history.forward();
    if (!before || before.id === listing.id) return;
    if (this.held) this.#leftovers.push(before.id);
    else this.#forget(before.id);
  }

  #settleFocus(focus: string | undefined, refreshing: boolean): void {
    const entry = focus === undefined ? undefined : this.folder.named(focus);
    const index = entry ? this.folder.indexOf(entry.row.id) : -1;
    if (index >= 0) this.moveCursor(index, 'only');
    else if (!refreshing && this.selection.cursor === null && this.view[0]) {
      this.selection.point(this.view[0].row.id);
    }
  }

  /** The name that the cursor goes to when these rows are gone. */
  #survivor(gone: Set<number>): string | undefined {
    const from = Math.max(0, this.cursorIndex);
    const after = this.view.slice(from).find((entry) => !gone.has(entry.row.id));
    const before = this.view.slice(0, from).findLast((entry) => !gone.has(entry.row.id));
    return (after ?? before)?.row.name;
  }

  #catchUp(): void {
    if (this.held) return;
    for (const listing of this.#leftovers.splice(0)) this.#forget(listing);
    if (!this.#again || this.loading) return;
    this.#again = false;
    void this.refresh();
  }

  #forget(listing: number): void {
    // Nobody waits for it, and a listing that is gone already is no problem.
    this.#backend.closeListing(listing).catch(() => undefined);
  }
}
