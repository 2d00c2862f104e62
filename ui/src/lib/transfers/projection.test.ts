import { describe, expect, it, vi } from 'vitest';
import type { Backend, QueueUpdate, TransferRow } from '$lib/backend';
import { Notices } from '$lib/notices/notices.svelte';
import { QueueProjection, summarize } from './projection';
import { Queue } from './queue.svelte';

function transfer(id: number, more: Partial<TransferRow> = {}): TransferRow {
  return {
    id,
    batch: null,
    direction: 'upload',
    isFolder: false,
    name: `file ${id}`,
    source: '/a',
    target: '/b',
    state: 'waiting',
    bytes: 0,
    total: 100,
    bytesPerSecond: null,
    secondsLeft: null,
    attempts: 0,
    error: null,
    verified: null,
    ...more,
  };
}

const changes = (
  revision: number,
  upserts: TransferRow[],
  removed: number[] = [],
): QueueUpdate => ({
  kind: 'changes',
  revision,
  upserts,
  removed,
});

describe('QueueProjection', () => {
  it('applies numbered changes in order', () => {
    const projection = new QueueProjection();
    expect(projection.apply({ kind: 'snapshot', revision: 7, items: [transfer(1)] })).toBe(true);
    expect(projection.apply(changes(8, [transfer(2)], [1]))).toBe(true);
    expect([...projection.rows.keys()]).toEqual([2]);
  });

  it('sees a gap, and changes before any snapshot', () => {
    const projection = new QueueProjection();
    expect(projection.apply(changes(1, [transfer(1)]))).toBe(false);
    projection.apply({ kind: 'snapshot', revision: 7, items: [] });
    expect(projection.apply(changes(9, [transfer(1)]))).toBe(false);
    expect(projection.rows.size).toBe(0);
  });

  it('takes no harm from changes that the snapshot already holds', () => {
    const projection = new QueueProjection();
    projection.apply({ kind: 'snapshot', revision: 7, items: [transfer(1, { state: 'done' })] });
    expect(projection.apply(changes(6, [transfer(1)]))).toBe(true);
    expect(projection.rows.get(1)?.state).toBe('done');
  });
});

describe('summarize', () => {
  it('counts states and adds up speed and time', () => {
    const summary = summarize([
      transfer(1, { state: 'running', bytes: 50, bytesPerSecond: 25 }),
      transfer(2),
      transfer(3, { state: 'failed' }),
      transfer(4, { state: 'cancelled' }),
    ]);
    expect(summary.counts).toEqual({ running: 1, waiting: 1, failed: 1, done: 1 });
    expect(summary.bytesPerSecond).toBe(25);
    expect(summary.secondsLeft).toBe(6);
  });

  it('knows no time when a size is unknown', () => {
    const running = transfer(1, { state: 'running', bytesPerSecond: 10, total: null });
    expect(summarize([running]).secondsLeft).toBeNull();
  });
});

describe('Queue', () => {
  it('asks for the snapshot again after a gap', async () => {
    const watchQueue = vi.fn<Backend['watchQueue']>().mockResolvedValue();
    const queue = new Queue({ watchQueue } as unknown as Backend, new Notices(), () => {});
    await queue.watch();
    queue.receive({ kind: 'snapshot', revision: 1, items: [] });
    queue.receive(changes(2, [transfer(1)]));
    expect(watchQueue).toHaveBeenCalledTimes(1);
    queue.receive(changes(4, [transfer(2)]));
    expect(watchQueue).toHaveBeenCalledTimes(2);
    expect(queue.rows).toHaveLength(1);
  });

  it('says how it went once nothing is left to do', () => {
    const notices = new Notices();
    const queue = new Queue({} as Backend, notices, () => {});
    queue.receive({ kind: 'snapshot', revision: 1, items: [transfer(1), transfer(2)] });
    queue.receive(changes(2, [transfer(1, { state: 'done' })]));
    expect(notices.spoken).toBe('');
    const error = { code: 'refused', message: 'No.', detail: '552 Quota', retryable: false };
    queue.receive(changes(3, [transfer(2, { state: 'failed', error })]));
    expect(notices.list[0]?.title).toBe('1 transfer failed');
    expect(notices.list[0]?.detail).toBe('552 Quota');
  });
});
