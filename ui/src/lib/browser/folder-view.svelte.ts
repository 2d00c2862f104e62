import type { Row } from '$lib/backend';
import { entryOf, fold, type Entry } from './entry';
import { runSliced, type SliceOptions } from './slices';
import { comparator, mergeSteps, sortSteps, type SortOrder } from './sort';

export interface ViewOptions {
  order: SortOrder;
  filter: string;
  showHidden: boolean;
}

const WRAP_CHECK = 512;

/**
 * One folder's rows as the pane shows them: sorted, filtered, growing while they arrive.
 * Large folders are worked on in slices, off the hot path; `view` changes by whole arrays.
 */
export class FolderView {
  /** What the list shows. */
  view = $state.raw<Entry[]>([]);
  /** Rows that have arrived, shown or not. */
  total = $state(0);
  hiddenCount = $state(0);

  #entries: Entry[] = [];
  #arriving: Row[][] = [];
  #options: ViewOptions;
  #slices: SliceOptions;
  #resort = false;
  #job: Promise<void> | null = null;
  #closed = false;

  constructor(options: ViewOptions, slices: SliceOptions = {}) {
    this.#options = options;
    this.#slices = slices;
  }

  append(rows: Row[]): void {
    this.#arriving.push(rows);
    this.#start();
  }

  configure(options: ViewOptions): void {
    const { order, filter, showHidden } = this.#options;
    if (options.order === order && options.filter === filter && options.showHidden === showHidden) {
      return;
    }
    this.#options = options;
    this.#resort = true;
    this.#start();
  }

  /** Resolves when everything that arrived so far is shown. */
  async settled(): Promise<void> {
    while (this.#job) await this.#job;
  }

  close(): void {
    this.#closed = true;
  }

  entry(id: number): Entry | undefined {
    return this.#entries[id];
  }

  indexOf(id: number | null): number {
    if (id === null) return -1;
    return this.view.findIndex((entry) => entry.row.id === id);
  }

  named(name: string): Entry | undefined {
    return this.#entries.find((entry) => entry.row.name === name);
  }

  #start(): void {
    this.#job ??= this.#work().finally(() => {
      this.#job = null;
      if (this.#arriving.length > 0 || this.#resort) this.#start();
    });
  }

  async #work(): Promise<void> {
    while (!this.#closed && (this.#arriving.length > 0 || this.#resort)) {
      const whole = this.#resort;
      this.#resort = false;
      const rows = this.#arriving;
      this.#arriving = [];
      const next = await runSliced(this.#steps(rows, whole), {
        ...this.#slices,
        stale: () => this.#closed,
      });
      if (next === null) return;
      this.total = this.#entries.length;
      // An order changed meanwhile makes this one old, but it is still better than none.
      this.view = next;
    }
  }

  *#steps(batches: Row[][], whole: boolean): Generator<void, Entry[]> {
    const fresh: Entry[] = [];
    for (const rows of batches) {
      for (const [i, row] of rows.entries()) {
        const entry = entryOf(row);
        // The row's id is its index in the listing.
        this.#entries[row.id] = entry;
        fresh.push(entry);
        if (row.hidden) this.hiddenCount += 1;
        if (i % WRAP_CHECK === WRAP_CHECK - 1) yield;
      }
    }
    const { order, filter, showHidden } = this.#options;
    const needle = fold(filter.trim());
    const shown = (entry: Entry) =>
      (showHidden || !entry.row.hidden) && (needle === '' || fold(entry.row.name).includes(needle));
    const candidates: Entry[] = [];
    for (const [i, entry] of (whole ? this.#entries : fresh).entries()) {
      if (entry && shown(entry)) candidates.push(entry);
      if (i % WRAP_CHECK === WRAP_CHECK - 1) yield;
    }
    const compare = comparator(order);
    const sorted = yield* sortSteps(candidates, compare);
    return whole ? sorted : yield* mergeSteps(this.view, sorted, compare);
  }
}
