import { NOTHING } from '$lib/backend';
import type { Counts, QueueSummary, QueueUpdate, TransferRow } from '$lib/backend';

/**
 * The window's copy of the queue: one snapshot, then numbered changes. The queue itself
 * lives in the shell.
 */
export class QueueProjection {
  readonly rows = new Map<number, TransferRow>();
  summary: QueueSummary = NOTHING;
  #revision: number | null = null;

  /** False when a change is missing: then the snapshot must be asked for again. */
  apply(update: QueueUpdate): boolean {
    if (update.kind === 'snapshot') {
      this.rows.clear();
      for (const row of update.items) this.rows.set(row.id, row);
      this.#revision = update.revision;
      this.summary = update.summary;
      return true;
    }
    if (this.#revision === null || update.revision !== this.#revision + 1) {
      // A change that the snapshot already holds is old news, not a gap.
      return this.#revision !== null && update.revision <= this.#revision;
    }
    this.#revision = update.revision;
    this.summary = update.summary;
    for (const row of update.upserts) this.rows.set(row.id, row);
    for (const id of update.removed) this.rows.delete(id);
    return true;
  }
}

export type QueueGroup =
  'running' | 'asking' | 'waiting' | 'paused' | 'failed' | 'done' | 'skipped' | 'cancelled';

export const GROUPS: readonly QueueGroup[] = [
  'running',
  'asking',
  'waiting',
  'paused',
  'failed',
  'done',
  'skipped',
  'cancelled',
];

export function groupOf(row: TransferRow): QueueGroup {
  return row.state === 'scanning' ? 'running' : row.state;
}

const OPEN: ReadonlySet<QueueGroup> = new Set(['running', 'asking', 'waiting', 'paused']);

/** Whether there is still something to do. */
export function isOpen(row: TransferRow): boolean {
  return OPEN.has(groupOf(row));
}

/** Items by group: files, and folders that nothing is known of yet. */
export function countsOf(files: Counts, rows: Iterable<TransferRow>): Record<QueueGroup, number> {
  const { running, asking, waiting, paused, failed, done, skipped, cancelled } = files;
  const counts = { running, asking, waiting, paused, failed, done, skipped, cancelled };
  for (const row of rows) {
    if (row.isFolder && row.batch === null && filesIn(row.counts) === 0) counts[groupOf(row)] += 1;
  }
  return counts;
}

/** How many files a folder has. */
export function filesIn(counts: Counts | null): number {
  if (!counts) return 0;
  const { waiting, paused, asking, running, done, skipped, failed, cancelled } = counts;
  return waiting + paused + asking + running + done + skipped + failed + cancelled;
}

/** One line of the list. */
export interface Line {
  row: TransferRow;
  /** It lies in the folder above it. */
  inside: boolean;
  /** A folder whose items can be shown below it. */
  expandable: boolean;
  expanded: boolean;
}

const PRIORITY = { high: 0, normal: 1, low: 2 };
/** What is open stands in the order in which it will be done; what is finished comes after it. */
const rank = (row: TransferRow) => (isOpen(row) ? 0 : row.state === 'failed' ? 1 : 2);

function before(a: TransferRow, b: TransferRow): number {
  const open = rank(a) - rank(b);
  if (open !== 0) return open;
  if (rank(a) > 0) return a.id - b.id;
  return PRIORITY[a.priority] - PRIORITY[b.priority] || a.order - b.order || a.id - b.id;
}

/** The lines of the list: batches with their items, or everything of one group. */
export function linesOf(
  rows: readonly TransferRow[],
  filter: QueueGroup | null,
  expanded: ReadonlySet<number>,
): Line[] {
  const flat = (row: TransferRow): Line => ({
    row,
    inside: false,
    expandable: false,
    expanded: false,
  });
  if (filter !== null)
    return rows
      .filter((row) => groupOf(row) === filter)
      .sort(before)
      .map(flat);
  const roots: TransferRow[] = [];
  const inside = new Map<number, TransferRow[]>();
  for (const row of rows) {
    if (row.batch === null) roots.push(row);
    else {
      const siblings = inside.get(row.batch);
      if (siblings) siblings.push(row);
      else inside.set(row.batch, [row]);
    }
  }
  const lines: Line[] = [];
  for (const row of roots.sort(before)) {
    const items = inside.get(row.id) ?? [];
    const open = expanded.has(row.id);
    lines.push({ ...flat(row), expandable: row.isFolder, expanded: row.isFolder && open });
    if (!open) continue;
    for (const item of items.sort(before)) lines.push({ ...flat(item), inside: true });
  }
  return lines;
}

/** Seconds until everything that waits is there, or null where that can't be known. */
export function secondsLeft(summary: QueueSummary): number | null {
  const { bytes, total, unknown, bytesPerSecond } = summary;
  if (unknown > 0 || bytesPerSecond <= 0 || total <= bytes) return null;
  return (total - bytes) / bytesPerSecond;
}
