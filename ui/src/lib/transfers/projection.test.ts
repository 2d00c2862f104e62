import { describe, expect, it, vi } from 'vitest';
import type { Backend, QueueSummary, QueueUpdate, TransferRow } from '$lib/backend';
import { countsOf as filesByState, fakeRow, fakeSummary } from '$lib/backend/fake-queue';
import { Notices } from '$lib/notices/notices.svelte';
import { NO_COUNTS } from '$lib/backend';
import { QueueProjection, countsOf, linesOf, secondsLeft } from './projection';
import { Queue } from './queue.svelte';

const transfer = fakeRow;

function snapshot(revision: number, items: TransferRow[]): QueueUpdate {
  return {
    kind: 'snapshot',
    revision,
    items,
    summary: fakeSummary({ files: filesByState(items) }),
  };
}

function changes(
  revision: number,
  upserts: TransferRow[],
  removed: number[] = [],
  summary: Partial<QueueSummary> = { files: filesByState(upserts) },
): QueueUpdate {
  return { kind: 'changes', revision, upserts, removed, summary: fakeSummary(summary) };
}

describe('QueueProjection', () => {
  it('applies numbered changes in order', () => {
    const projection = new QueueProjection();
    expect(projection.apply(snapshot(7, [transfer(1)]))).toBe(true);
    expect(projection.apply(changes(8, [transfer(2)], [1]))).toBe(true);
    expect([...projection.rows.keys()]).toEqual([2]);
  });

  it('sees a gap, and changes before any snapshot', () => {
    const projection = new QueueProjection();
    expect(projection.apply(changes(1, [transfer(1)]))).toBe(false);
    projection.apply(snapshot(7, []));
    expect(projection.apply(changes(9, [transfer(1)]))).toBe(false);
    expect(projection.rows.size).toBe(0);
  });

  it('takes no harm from changes that the snapshot already holds', () => {
    const projection = new QueueProjection();
    projection.apply(snapshot(7, [transfer(1, { state: 'done' })]));
    expect(projection.apply(changes(6, [transfer(1)]))).toBe(true);
    expect(projection.rows.get(1)?.state).toBe('done');
  });
});

describe('the lines of the list', () => {
  const names = (rows: TransferRow[], filter = null as Parameters<typeof linesOf>[1]) =>
    linesOf(rows, filter, new Set([10])).map(({ row, inside }) => `${inside ? '>' : ''}${row.id}`);

  it('stand in the order in which they are done, and what is finished below', () => {
    expect(
      names([
        transfer(1, { state: 'done' }),
        transfer(2, { order: 9 }),
        transfer(3, { order: 1, state: 'running' }),
        transfer(4, { order: 99, priority: 'high' }),
        transfer(5, { order: 0, priority: 'low', state: 'paused' }),
        transfer(6, { state: 'failed' }),
      ]),
    ).toEqual(['4', '3', '2', '5', '6', '1']);
  });

  it('show what is in a batch only where that is wanted', () => {
    const rows = [
      transfer(10, { isFolder: true }),
      transfer(11, { batch: 10 }),
      transfer(20, { isFolder: true }),
      transfer(21, { batch: 20 }),
    ];
    expect(names(rows)).toEqual(['10', '>11', '20']);
  });

  it('are everything of one state when that is asked for', () => {
    const rows = [
      transfer(20, { isFolder: true, state: 'scanning' }),
      transfer(21, { batch: 20, state: 'failed' }),
      transfer(3, { state: 'failed' }),
    ];
    expect(names(rows, 'failed')).toEqual(['3', '21']);
    expect(names(rows, 'running')).toEqual(['20']);
  });
});

describe('the queue as a whole', () => {
  it('counts files, and folders that were not looked into', () => {
    const files = { ...NO_COUNTS, done: 3, failed: 1 };
    const full = transfer(1, { isFolder: true, counts: files });
    const fresh = transfer(2, { isFolder: true, counts: NO_COUNTS });
    expect(countsOf(files, [full, fresh])).toMatchObject({ done: 3, failed: 1, waiting: 1 });
  });

  it('knows no time when a size is unknown or nothing moves', () => {
    const known = fakeSummary({ total: 300, bytes: 100, bytesPerSecond: 50 });
    expect(secondsLeft(known)).toBe(4);
    expect(secondsLeft({ ...known, unknown: 1 })).toBeNull();
    expect(secondsLeft({ ...known, bytesPerSecond: 0 })).toBeNull();
  });
});

describe('Queue', () => {
  const queueOf = (backend: Partial<Backend> = {}, notices = new Notices()) =>
    new Queue(backend as Backend, notices, () => {});

  it('asks for the snapshot again after a gap', async () => {
    const watchQueue = vi.fn<Backend['watchQueue']>().mockResolvedValue();
    const queue = queueOf({ watchQueue });
    await queue.watch();
    queue.receive(snapshot(1, []));
    queue.receive(changes(2, [transfer(1)]));
    expect(watchQueue).toHaveBeenCalledTimes(1);
    queue.receive(changes(4, [transfer(2)]));
    expect(watchQueue).toHaveBeenCalledTimes(2);
    expect(queue.rows).toHaveLength(1);
  });

  it('says how it went once nothing is left to do, counted by what is not listed, too', () => {
    const notices = new Notices();
    const queue = queueOf({}, notices);
    queue.receive(snapshot(1, [transfer(1), transfer(2)]), 0);
    queue.receive(changes(2, [], [], { files: { ...NO_COUNTS, waiting: 1, done: 700 } }), 500);
    expect(notices.spoken).toBe('');
    queue.receive(changes(3, [], [1], { files: { ...NO_COUNTS, done: 701 } }), 900);
    expect(notices.spoken).toBe('701 transfers finished');
    expect(notices.list).toEqual([]);
  });

  it('shows a notice when it took its time, and one that stays when something failed', () => {
    const notices = new Notices();
    const queue = queueOf({}, notices);
    queue.receive(snapshot(1, [transfer(1)]), 0);
    queue.receive(changes(2, [transfer(1, { state: 'done' })]), 20_000);
    expect(notices.list.map(({ tone }) => tone)).toEqual(['success']);
    const error = { code: 'refused', message: 'No.', detail: '552 Quota', retryable: false };
    queue.receive(changes(3, [transfer(2)]), 21_000);
    queue.receive(changes(4, [transfer(2, { state: 'failed', error })]), 22_000);
    expect(notices.list.at(-1)).toMatchObject({
      tone: 'error',
      title: '1 transfer failed',
      detail: '552 Quota',
    });
  });

  it('says nothing about clearing the list', () => {
    const notices = new Notices();
    const queue = queueOf({}, notices);
    queue.receive(snapshot(1, [transfer(1, { state: 'done' })]));
    queue.receive(changes(2, [], [1]));
    expect(notices.spoken).toBe('');
  });

  it('puts a line where it was dragged, with the priority of that place', async () => {
    const moveTransfers = vi.fn<Backend['moveTransfers']>().mockResolvedValue();
    const setPriority = vi.fn<Backend['setPriority']>().mockResolvedValue();
    const queue = queueOf({ moveTransfers, setPriority });
    const high = { priority: 'high' } as const;
    queue.receive(snapshot(1, [transfer(1, high), transfer(2), transfer(3, { state: 'done' })]));
    queue.selection.only(2);
    queue.dragOver(queue.lines[2], false);
    expect(queue.dropAt).toBeNull();
    queue.dragOver(queue.lines[0], false);
    expect(queue.dropAt).toEqual({ id: 1, after: false });
    queue.drop();
    await vi.waitFor(() => expect(moveTransfers).toHaveBeenCalled());
    expect(setPriority).toHaveBeenCalledWith([2], 'high');
    expect(moveTransfers).toHaveBeenCalledWith([2], { kind: 'before', id: 1 });
  });

  it('moves the selection by a line, and never out of the queue', async () => {
    const moveTransfers = vi.fn<Backend['moveTransfers']>().mockResolvedValue();
    const queue = queueOf({ moveTransfers });
    queue.receive(snapshot(1, [transfer(1), transfer(2), transfer(3), transfer(4)]));
    queue.selection.only(2);
    queue.selection.toggle(3);
    queue.nudge(1);
    await vi.waitFor(() => expect(moveTransfers).toHaveBeenCalledTimes(1));
    expect(moveTransfers).toHaveBeenLastCalledWith([2, 3], { kind: 'after', id: 4 });
    queue.nudge(-1);
    await vi.waitFor(() => expect(moveTransfers).toHaveBeenCalledTimes(2));
    expect(moveTransfers).toHaveBeenLastCalledWith([2, 3], { kind: 'before', id: 1 });
    queue.toEnd(false);
    await vi.waitFor(() => expect(moveTransfers).toHaveBeenCalledTimes(3));
    expect(moveTransfers).toHaveBeenLastCalledWith([2, 3], { kind: 'after', id: 4 });
    queue.selection.only(1);
    queue.nudge(-1);
    expect(moveTransfers).toHaveBeenCalledTimes(3);
  });

  it('keeps two minutes of speeds', () => {
    const queue = queueOf();
    queue.receive(snapshot(1, []));
    for (let second = 0; second < 300; second += 1) queue.sample(second * 1000);
    expect(queue.samples.length).toBeLessThanOrEqual(121);
    expect(queue.flat).toBe(true);
  });
});
