import { describe, expect, it, vi } from 'vitest';
import type { Backend, Conflict, TransferRow } from '$lib/backend';
import { fakeRow } from '$lib/backend/fake-queue';
import { Notices } from '$lib/notices/notices.svelte';
import { Conflicts, biggerOf, newerOf } from './conflicts.svelte';

const facts = (size: number | null, modified: number | null) => ({ size, modified });
const conflict: Conflict = { source: facts(2, 900_000), target: facts(1, 0) };

const asking = (id: number, batch: number | null = null): TransferRow =>
  fakeRow(id, { state: 'asking', batch, conflict });

function open(rows: TransferRow[], count = rows.length) {
  const answerConflicts = vi.fn<Backend['answerConflicts']>().mockResolvedValue();
  const conflicts = new Conflicts({ answerConflicts } as unknown as Backend, new Notices());
  conflicts.update(rows, count, true);
  return { conflicts, answerConflicts };
}

describe('which one is newer', () => {
  it('knows the limits of what servers tell', () => {
    const at = (source: number | null, target: number | null) =>
      newerOf({ source: facts(1, source), target: facts(1, target) });
    expect(at(900_000, 0)).toBe('source');
    expect(at(0, 900_000)).toBe('target');
    // A listing in minutes.
    expect(at(59_000, 0)).toBe('same');
    expect(at(null, 0)).toBe('unknown');
    expect(biggerOf({ source: facts(null, 0), target: facts(1, 0) })).toBe('unknown');
    expect(biggerOf({ source: facts(1, 0), target: facts(1, 0) })).toBe('same');
    expect(biggerOf(conflict)).toBe('source');
  });
});

describe('the table of conflicts', () => {
  it('opens by itself once the whole question is there, and not again after "later"', () => {
    const { conflicts } = open([]);
    conflicts.update([asking(1)], 1, false);
    expect(conflicts.open).toBe(false);
    conflicts.update([asking(1), asking(2)], 2, true);
    expect(conflicts.open).toBe(true);
    conflicts.later();
    conflicts.update([asking(1), asking(2), asking(3)], 3, true);
    expect(conflicts.open).toBe(false);
    conflicts.show();
    expect(conflicts.open).toBe(true);
    conflicts.update([], 0, true);
    expect(conflicts.open).toBe(false);
    conflicts.update([asking(9)], 1, true);
    expect(conflicts.open).toBe(true);
  });

  it('tells only what was decided, by rule', async () => {
    const { conflicts, answerConflicts } = open([asking(1), asking(2), asking(3)]);
    expect(conflicts.decided).toBe(0);
    conflicts.decide(1, 'overwrite');
    conflicts.decide(3, 'skip');
    expect(conflicts.decided).toBe(2);
    await conflicts.apply();
    expect(answerConflicts.mock.calls).toEqual([
      [[1], 'overwrite'],
      [[3], 'skip'],
    ]);
    // The one that is left does not open the table by itself.
    conflicts.update([asking(2)], 1, true);
    expect(conflicts.open).toBe(false);
  });

  it('decides for all, also for those that it can not list', async () => {
    const { conflicts, answerConflicts } = open([asking(1, 7), asking(2, 7), asking(3)], 5000);
    conflicts.decideAll('ifNewer');
    expect(conflicts.decided).toBe(5000);
    await conflicts.apply();
    expect(answerConflicts.mock.calls).toEqual([[[7, 3], 'ifNewer']]);
  });

  it('takes one out of a choice for all', async () => {
    const { conflicts, answerConflicts } = open([asking(1), asking(2), asking(3)]);
    conflicts.decideAll('overwrite');
    conflicts.decide(2, 'skip');
    expect(conflicts.all).toBeNull();
    expect([1, 2, 3].map((id) => conflicts.of(id))).toEqual(['overwrite', 'skip', 'overwrite']);
    await conflicts.apply();
    expect(answerConflicts.mock.calls).toEqual([
      [[1, 3], 'overwrite'],
      [[2], 'skip'],
    ]);
  });
});
