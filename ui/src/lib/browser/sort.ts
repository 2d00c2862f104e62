import type { Entry } from './entry';

export type Column = 'name' | 'size' | 'modified' | 'permissions';

export interface SortOrder {
  column: Column;
  descending: boolean;
}

export type Compare = (a: Entry, b: Entry) => number;

/** Folders first whatever the order; equal cells by name, equal names by arrival. */
export function comparator({ column, descending }: SortOrder): Compare {
  const sign = descending ? -1 : 1;
  const byCell = CELLS[column];
  return (a, b) => {
    if (a.folder !== b.folder) return a.folder ? -1 : 1;
    const cell = byCell(a, b);
    if (cell !== 0) return cell * sign;
    return byName(a, b) || a.row.id - b.row.id;
  };
}

const byName: Compare = (a, b) =>
  a.key < b.key ? -1 : a.key > b.key ? 1 : compareText(a.row.name, b.row.name);

const CELLS: Record<Column, Compare> = {
  name: byName,
  size: (a, b) => (a.row.size ?? -1) - (b.row.size ?? -1),
  modified: (a, b) => (a.row.modified ?? -Infinity) - (b.row.modified ?? -Infinity) || 0,
  permissions: (a, b) => compareText(a.row.permissions ?? '', b.row.permissions ?? ''),
};

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const RUN = 1024;
const CHECK = 4096;

/**
 * Sorts into a new array, yielding often enough that a caller can give the window its turn:
 * runs of 1024 are sorted at once, then merged pairwise.
 */
export function* sortSteps(entries: Entry[], compare: Compare): Generator<void, Entry[]> {
  let runs: Entry[][] = [];
  for (let from = 0; from < entries.length; from += RUN) {
    runs.push(entries.slice(from, from + RUN).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const merged: Entry[][] = [];
    for (let i = 0; i < runs.length; i += 2) {
      const left = runs[i] ?? [];
      const right = runs[i + 1];
      merged.push(right ? yield* mergeSteps(left, right, compare) : left);
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

/** Merges two sorted arrays into a new one, in steps. */
export function* mergeSteps(
  left: Entry[],
  right: Entry[],
  compare: Compare,
): Generator<void, Entry[]> {
  if (left.length === 0) return right;
  if (right.length === 0) return left;
  const out = new Array<Entry>(left.length + right.length);
  let i = 0;
  let j = 0;
  for (let at = 0; at < out.length; at += 1) {
    const a = left[i];
    const b = right[j];
    if (a && (!b || compare(a, b) <= 0)) {
      out[at] = a;
      i += 1;
    } else if (b) {
      out[at] = b;
      j += 1;
    }
    if (at % CHECK === CHECK - 1) yield;
  }
  return out;
}
