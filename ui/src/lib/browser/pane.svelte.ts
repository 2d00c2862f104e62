import {
  toAppError,
  type AppError,
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
import { Selection } from './selection.svelte';
import type { Column, SortOrder } from './sort';
import { TypeAhead } from './typeahead';

interface OpenOptions {
  /** What the history becomes when the folder is open. */
  history: 'visit' | 'back' | 'forward' | 'keep';
  /** The row to put the cursor on. */
  focus?: string;
}

export interface DeleteQuestion {
  rows: number[];
  names: string[];
  folders: boolean;
}

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
  error = $state.raw<AppError | null>(null);
  stats = $state.raw<{ millis: number; unparsed: number } | null>(null);
  order = $state.raw<SortOrder>(BY_NAME);
  filter = $state('');
  filtering = $state(false);
  editingPath = $state(false);
  creating = $state(false);
  renaming = $state<number | null>(null);
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

  refresh(focus?: string): Promise<boolean> {
    const listing = this.listing?.id;
    if (listing === undefined) return this.home();
    return this.#load({ kind: 'refresh', listing }, { history: 'keep', focus });
  }

  /** The folder changed behind our back: read it again, but never over a name being typed. */
  folderChanged(): void {
    if (this.loading || this.arriving || this.renaming !== null) this.#again = true;
    else void this.refresh();
  }

  /** Abandons a listing under way. */
  stop(): void {
    if (!this.loading) return;
    this.#turn += 1;
    this.loading = false;
    this.arriving = false;
  }

  retry(): void {
    this.error = null;
    this.#retry?.();
  }

  close(): void {
    this.#closed = true;
    this.#turn += 1;
    this.folder.close();
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
    if (!entry) return;
    this.selection.only(entry.row.id);
    const index = this.folder.indexOf(entry.row.id);
    this.reveal = { index };
    this.renaming = entry.row.id;
  }

  endRename(): void {
    this.renaming = null;
    this.focusWanted += 1;
    this.#catchUp();
  }

  async rename(name: string): Promise<void> {
    const row = this.renaming;
    const listing = this.listing;
    const old = row === null ? undefined : this.folder.entry(row)?.row.name;
    this.endRename();
    if (row === null || !listing || !name || name === old) return;
    await this.#change(
      () => this.#backend.renameEntry(listing.id, row, name),
      name,
      t.pane.renamed(name),
    );
  }

  async createFolder(name: string): Promise<void> {
    const listing = this.listing;
    this.creating = false;
    this.focusWanted += 1;
    if (!listing || !name) return;
    await this.#change(
      () => this.#backend.createFolder(listing.id, name),
      name,
      t.pane.created(name),
    );
  }

  askRemove(): void {
    const chosen = this.chosen();
    if (chosen.length === 0) return;
    this.removing = {
      rows: chosen.map((entry) => entry.row.id),
      names: chosen.slice(0, 6).map((entry) => entry.row.name),
      folders: chosen.some((entry) => entry.folder),
    };
  }

  async remove(): Promise<void> {
    const question = this.removing;
    const listing = this.listing;
    this.removing = null;
    if (!question || !listing) return;
    const next = this.#survivor(new Set(question.rows));
    this.loading = true;
    try {
      const report = await this.#backend.deleteEntries(listing.id, question.rows);
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
      this.selection.clear();
      await this.refresh(next);
    } catch (thrown) {
      this.#fail(thrown, () => undefined);
    }
  }

  // Inside

  #viewOptions(): ViewOptions {
    return { order: this.order, filter: this.filter, showHidden: this.#showHidden };
  }

  #reconfigure(): void {
    this.folder.configure(this.#viewOptions());
  }

  async #change(act: () => Promise<void>, focus: string, said: string): Promise<void> {
    this.loading = true;
    try {
      await act();
      this.#notices.say(said);
      await this.refresh(focus);
    } catch (thrown) {
      this.#fail(thrown, () => void this.#change(act, focus, said));
    }
  }

  #fail(thrown: unknown, retry: () => void): void {
    const error = toAppError(thrown);
    this.loading = false;
    this.arriving = false;
    if (error.code === 'cancelled' || this.#closed) return;
    this.#retry = retry;
    this.error = error;
    this.#notices.say(error.message);
  }

  /** Reads a folder. Resolves with true when it is shown whole. */
  async #load(target: FolderTarget, options: OpenOptions): Promise<boolean> {
    if (this.#closed) return false;
    const turn = ++this.#turn;
    const stale = () => turn !== this.#turn;
    const refreshing = target.kind === 'refresh';
    const incoming = new FolderView({
      ...this.#viewOptions(),
      filter: refreshing ? this.filter : '',
    });
    this.loading = true;
    this.#again = false;
    let opened: Listing | null = null;
    let shown = false;
    let finish: (done: Extract<ListingEvent, { kind: 'done' }>) => void;
    const done = new Promise<Extract<ListingEvent, { kind: 'done' }>>((go) => (finish = go));

    const show = () => {
      if (shown || !opened || stale()) return;
      shown = true;
      this.#swap(opened, incoming, options, refreshing);
    };
    const abandon = () => {
      incoming.close();
      if (opened && opened.id !== this.listing?.id) this.#forget(opened.id);
    };
    const receive = (event: ListingEvent) => {
      if (event.kind === 'opened') opened = event.listing;
      if (event.kind === 'done') finish(event);
      if (stale()) return;
      if (event.kind === 'rows') {
        incoming.append(event.rows);
        // Another folder shows its first rows at once; the same folder is replaced whole.
        if (!refreshing && !shown) void incoming.settled().then(show);
      }
    };

    try {
      const listing = await this.#backend.openFolder(this.source, target, receive);
      opened = listing;
      if (stale()) {
        abandon();
        return false;
      }
      const { millis, unparsed } = await done;
      await incoming.settled();
      if (stale()) {
        if (!shown) abandon();
        return false;
      }
      show();
      this.stats = { millis, unparsed };
    } catch (thrown) {
      incoming.close();
      if (!stale()) this.#fail(thrown, () => void this.#load(target, options));
      return false;
    }
    this.loading = false;
    this.arriving = false;
    this.#settleFocus(options.focus, refreshing);
    if (!refreshing) this.#notices.say(t.pane.announceOpened(this.path, this.view.length));
    this.#catchUp();
    return true;
  }

  #swap(listing: Listing, incoming: FolderView, options: OpenOptions, refreshing: boolean): void {
    const before = this.listing;
    this.error = null;
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
    if (before && before.id !== listing.id) this.#forget(before.id);
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
    if (!this.#again || this.renaming !== null || this.loading) return;
    this.#again = false;
    void this.refresh();
  }

  #forget(listing: number): void {
    // Nobody waits for it, and a listing that is gone already is no problem.
    this.#backend.closeListing(listing).catch(() => undefined);
  }
}
