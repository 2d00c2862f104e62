import { describe, expect, it } from 'vitest';
import type { Row } from '$lib/backend';
import { entryOf, naturalKey } from './entry';
import { runSliced } from './slices';
import { comparator, mergeSteps, sortSteps, type SortOrder } from './sort';

function row(id: number, name: string, more: Partial<Row> = {}): Row {
  return {
    id,
    name,
    kind: 'file',
    size: null,
    modified: null,
    precision: null,
    permissions: null,
    target: null,
    hidden: false,
    ...more,
  };
}

async function sorted(rows: Row[], order: SortOrder): Promise<string[]> {
  const result = await runSliced(sortSteps(rows.map(entryOf), comparator(order)));
  return (result ?? []).map((entry) => entry.row.name);
}

const byName: SortOrder = { column: 'name', descending: false };

describe('naturalKey', () => {
  it('puts numbers in their order, whatever their length', () => {
    const names = ['page 10', 'page 2', 'page 1', 'page 100', 'page 09'];
    const keyed = names.sort((a, b) => (naturalKey(a) < naturalKey(b) ? -1 : 1));
    expect(keyed).toEqual(['page 1', 'page 2', 'page 09', 'page 10', 'page 100']);
  });

  it('sees no case and no accents', () => {
    expect(naturalKey('Überblick')).toBe(naturalKey('uberblick'));
  });

  it('stands numbers of hundreds of digits', () => {
    const long = '1'.repeat(400);
    expect(naturalKey(`a${long}`) > naturalKey('a2')).toBe(true);
    expect(naturalKey(`a${long}2`) > naturalKey(`a${long}`)).toBe(true);
  });
});

describe('sorting', () => {
  it('keeps folders first in both directions', async () => {
    const rows = [row(0, 'b'), row(1, 'a', { kind: 'folder' }), row(2, 'c')];
    expect(await sorted(rows, byName)).toEqual(['a', 'b', 'c']);
    expect(await sorted(rows, { column: 'name', descending: true })).toEqual(['a', 'c', 'b']);
  });

  it('sorts by size and puts unknown sizes at the small end', async () => {
    const rows = [row(0, 'big', { size: 9 }), row(1, 'none'), row(2, 'small', { size: 1 })];
    expect(await sorted(rows, { column: 'size', descending: false })).toEqual([
      'none',
      'small',
      'big',
    ]);
  });

  it('sorts by time with unknown times together, by name', async () => {
    const rows = [row(0, 'z'), row(1, 'a'), row(2, 'm', { modified: 5 })];
    expect(await sorted(rows, { column: 'modified', descending: false })).toEqual(['a', 'z', 'm']);
  });

  it('gives the same order in slices as at once, for many rows', async () => {
    const rows = Array.from({ length: 20_000 }, (_, i) => row(i, `f${(i * 7919) % 20_000}`));
    const expected = rows.map(entryOf).sort(comparator(byName));
    let pauses = 0;
    let clock = 0;
    const result = await runSliced(sortSteps(rows.map(entryOf), comparator(byName)), {
      budget: 2,
      now: () => (clock += 1),
      pause: async () => void (pauses += 1),
    });
    expect(result?.map((entry) => entry.row.id)).toEqual(expected.map((entry) => entry.row.id));
    expect(pauses).toBeGreaterThan(5);
  });

  it('merges what arrived with what is there', () => {
    const compare = comparator(byName);
    const left = ['a', 'c', 'e'].map((name, i) => entryOf(row(i, name)));
    const right = ['b', 'd'].map((name, i) => entryOf(row(10 + i, name)));
    const steps = mergeSteps(left, right, compare);
    const { value } = steps.next();
    expect(Array.isArray(value) && value.map((entry) => entry.row.name).join('')).toBe('abcde');
  });

  it('stops when the work has become stale', async () => {
    const entries = Array.from({ length: 5000 }, (_, i) => entryOf(row(i, `${i}`)));
    let clock = 0;
    const result = await runSliced(sortSteps(entries, comparator(byName)), {
      budget: 0,
      now: () => (clock += 1),
      pause: async () => undefined,
      stale: () => true,
    });
    expect(result).toBeNull();
  });
});
