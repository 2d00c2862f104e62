import type { Column } from './sort';

export interface ColumnInfo {
  id: Column;
  /** Where its cells are aligned. */
  end: boolean;
}

export const COLUMNS: readonly ColumnInfo[] = [
  { id: 'name', end: false },
  { id: 'size', end: true },
  { id: 'modified', end: false },
  { id: 'permissions', end: false },
];

const MIN = 48;
const MAX = 480;

/** Widths and visibility of a pane's columns. The name takes what is left. */
export class Columns {
  widths = $state<Record<Exclude<Column, 'name'>, number>>({
    size: 76,
    modified: 112,
    permissions: 88,
  });
  off = $state.raw<ReadonlySet<Column>>(new Set());

  constructor(off: Column[] = []) {
    this.off = new Set(off);
  }

  readonly visible = $derived(COLUMNS.filter(({ id }) => !this.off.has(id)));

  /** The grid's template: a minimum keeps names readable in a narrow window. */
  readonly template = $derived(
    this.visible
      .map(({ id }) => (id === 'name' ? 'minmax(104px, 1fr)' : `${this.widths[id]}px`))
      .join(' '),
  );

  toggle(id: Column): void {
    if (id === 'name') return;
    const off = new Set(this.off);
    if (!off.delete(id)) off.add(id);
    this.off = off;
  }

  resize(id: Column, width: number): void {
    if (id === 'name') return;
    this.widths[id] = Math.round(Math.min(MAX, Math.max(MIN, width)));
  }
}
