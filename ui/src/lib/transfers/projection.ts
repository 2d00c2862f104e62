import type { QueueUpdate, TransferRow } from '$lib/backend';

/**
 * The window's copy of the queue: one snapshot, then numbered changes. The queue itself
 * lives in the shell.
 */
export class QueueProjection {
  readonly rows = new Map<number, TransferRow>();
  #revision: number | null = null;

  /** False when a change is missing: then the snapshot must be asked for again. */
  apply(update: QueueUpdate): boolean {
    if (update.kind === 'snapshot') {
      this.rows.clear();
      for (const row of update.items) this.rows.set(row.id, row);
      this.#revision = update.revision;
      return true;
    }
    if (this.#revision === null || update.revision !== this.#revision + 1) {
      // A change that the snapshot already holds is old news, not a gap.
      return this.#revision !== null && update.revision <= this.#revision;
    }
    this.#revision = update.revision;
    for (const row of update.upserts) this.rows.set(row.id, row);
    for (const id of update.removed) this.rows.delete(id);
    return true;
  }
}

export type QueueGroup = 'running' | 'waiting' | 'failed' | 'done';

export function groupOf(row: TransferRow): QueueGroup {
  switch (row.state) {
    case 'running':
    case 'scanning':
      return 'running';
    case 'waiting':
      return 'waiting';
    case 'failed':
      return 'failed';
    case 'done':
    case 'cancelled':
      return 'done';
  }
}

export interface QueueSummary {
  counts: Record<QueueGroup, number>;
  bytesPerSecond: number;
  /** Null when nothing moves or a size is unknown. */
  secondsLeft: number | null;
}

export function summarize(rows: readonly TransferRow[]): QueueSummary {
  const counts = { running: 0, waiting: 0, failed: 0, done: 0 };
  let bytesPerSecond = 0;
  let left = 0;
  let known = true;
  for (const row of rows) {
    const group = groupOf(row);
    counts[group] += 1;
    if (group !== 'running' && group !== 'waiting') continue;
    if (group === 'running') bytesPerSecond += row.bytesPerSecond ?? 0;
    // A folder's own files are counted; its size is theirs.
    if (row.isFolder) continue;
    if (row.total === null) known = false;
    else left += Math.max(0, row.total - row.bytes);
  }
  const secondsLeft = known && bytesPerSecond > 0 && left > 0 ? left / bytesPerSecond : null;
  return { counts, bytesPerSecond, secondsLeft };
}
