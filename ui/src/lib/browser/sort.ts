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
const CHECK = 2048;

/**
 * Sorts into a new array, yielding often enough that a caller can give the window its turn:
 * runs of 1024 are sorted at once, then merged pairwise between two arrays, so that large
 * folders make no garbage.
 */
export function* sortSteps(entries: Entry[], compare: Compare): Generator<void, Entry[]> {
  const count = entries.length;
  let from = entries.slice();
  for (let start = 0; start < count; start += RUN) {
    const run = from.slice(start, start + RUN).sort(compare);
    for (const [i, entry] of run.entries()) from[start + i] = entry;
    yield;
  }
  let to = count > RUN ? new Array<Entry>(count) : from;
  for (let width = RUN; width < count; width *= 2) {
    for (let left = 0; left < count; left += 2 * width) {
      const middle = Math.min(left + width, count);
      const right = Math.min(left + 2 * width, count);
      let i = left;
      let j = middle;
      for (let at = left; at < right; at += 1) {
        const a = i < middle ? from[i] : undefined;
        const b = j < right ? from[j] : undefined;
        if (a && (!b || compare(a, b) <= 0)) {
          to[at] = a;
          i += 1;
        } else if (b) {
          to[at] = b;
          j += 1;
        }
        if (at % CHECK === CHECK - 1) yield;
      }
    }
    [from, to] = [to, from];
    yield;
  }
  return from;
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
