/** What can be selected: anything with a row that has an id. */
export interface Selectable {
  row: { id: number };
}

/**
 * Which rows are selected, by id, and where the cursor is. Kept in a plain Set (a hundred
 * thousand ids are selected at once by Ctrl+A); `version` makes it reactive.
 */
export class Selection {
  /** The row that keys act on. */
  cursor = $state<number | null>(null);
  version = $state(0);
  /** Rows are being marked one by one: moving the cursor leaves them. */
  marking = false;
  #ids = new Set<number>();
  #anchor: number | null = null;

  get size(): number {
    void this.version;
    return this.#ids.size;
  }

  has(id: number): boolean {
    void this.version;
    return this.#ids.has(id);
  }

  ids(): number[] {
    void this.version;
    return [...this.#ids];
  }

  /** Selects this row alone. */
  only(id: number): void {
    this.marking = false;
    this.#ids = new Set([id]);
    this.#moveTo(id, true);
  }

  /** Moves the cursor and leaves the selection. */
  point(id: number): void {
    this.#moveTo(id, true);
  }

  toggle(id: number): void {
    if (!this.#ids.delete(id)) this.#ids.add(id);
    this.#moveTo(id, true);
  }

  /**
   * Marks the row or takes its mark away. The first mark stays on a row that is selected
   * only because the cursor went there.
   */
  mark(id: number): void {
    if (this.marking || !this.#ids.has(id)) this.toggle(id);
    this.marking = true;
  }

  /** Selects from the anchor to this row; `keep` adds to what is selected. */
  extendTo(id: number, view: readonly Selectable[], keep = false): void {
    const to = view.findIndex((entry) => entry.row.id === id);
    if (to < 0) return;
    const anchor = this.#anchor ?? this.cursor ?? id;
    const from = view.findIndex((entry) => entry.row.id === anchor);
    const [low, high] = from < 0 ? [to, to] : [Math.min(from, to), Math.max(from, to)];
    const ids = keep ? new Set(this.#ids) : new Set<number>();
    this.marking = false;
    for (let i = low; i <= high; i += 1) {
      const entry = view[i];
      if (entry) ids.add(entry.row.id);
    }
    this.#ids = ids;
    this.#anchor = from < 0 ? id : anchor;
    this.#moveTo(id, false);
  }

  all(view: readonly Selectable[]): void {
    this.marking = false;
    this.#ids = new Set(view.map((entry) => entry.row.id));
    this.version += 1;
  }

  clear(): void {
    this.marking = false;
    this.#ids = new Set();
    this.version += 1;
  }

  /** Starts over in another folder. */
  reset(): void {
    this.marking = false;
    this.#ids = new Set();
    this.#anchor = null;
    this.cursor = null;
    this.version += 1;
  }

  /** After a refresh: the rows of the same names, under their new ids. */
  restore(ids: Iterable<number>, cursor: number | null): void {
    this.#ids = new Set(ids);
    this.#anchor = cursor;
    this.cursor = cursor;
    this.version += 1;
  }

  #moveTo(id: number, anchor: boolean): void {
    this.cursor = id;
    if (anchor) this.#anchor = id;
    this.version += 1;
  }
}
