import { describe } from '$lib/errors';
import { formatDuration, formatPercent, formatSize, formatSpeed, formatTime } from '$lib/format';
import { t } from '$lib/messages';
import { filesIn, type Checks, type TransferRow } from '$lib/transfers';

const words = t.transfers;

/** How much of it is there, from 0 to 1. */
export function share(row: TransferRow): number {
  if (row.state === 'done') return 1;
  return row.total ? Math.min(1, row.bytes / row.total) : 0;
}

/** The state in words; `now` is for times of day. */
export function stateText(row: TransferRow, now: number): string {
  if (row.isFolder && row.counts && filesIn(row.counts) > 0) return folderText(row);
  if (row.state === 'running' && row.total !== null) return formatPercent(row.bytes, row.total);
  if (row.state === 'failed' && row.error) return describe(row.error).title;
  if (row.state === 'done' && row.targetName) return words.renamed(row.targetName);
  if (row.state === 'waiting') {
    if (row.startAt !== null && row.startAt > now) {
      return words.startsAt(formatTime(row.startAt, null, now));
    }
    if (row.error) return words.retries;
  }
  return words.state[row.state];
}

function folderText(row: TransferRow): string {
  const { counts } = row;
  if (!counts) return '';
  const parts = [words.folder(counts.done, filesIn(counts))];
  if (counts.failed > 0) parts.push(words.folderFailed(counts.failed));
  if (counts.asking > 0) parts.push(words.summary.asking(counts.asking));
  if (row.state === 'paused') parts.push(words.state.paused);
  else if (row.state === 'scanning') parts.push(words.state.scanning);
  return parts.join(', ');
}

/** The algorithms and sides that were compared: "size, time, SHA-256 of both sides". */
export function checksText(checks: Checks): string {
  const { checks: names, hash } = words.details;
  const found = (['reply', 'size', 'time', 'tail'] as const)
    .filter((check) => checks[check])
    .map((check) => names[check]);
  if (checks.hash) found.push(hash(checks.hash));
  return found.join(', ') || words.details.checkedNothing;
}

/** One line of what matters, for a tooltip. */
export function tip(row: TransferRow): string {
  const size = row.total === null ? formatSize(row.bytes) : formatSize(row.total);
  const checked = row.checks ? words.checked(checksText(row.checks)) : '';
  return [row.source, size, checked, row.error?.message ?? ''].filter(Boolean).join(' · ');
}

/** "12 s, 8 MB/s" */
export function tookText(bytes: number, seconds: number): string {
  const speed = seconds > 0 ? formatSpeed(bytes / seconds) : '';
  const time = seconds < 1 ? t.format.seconds(Number(seconds.toFixed(2))) : formatDuration(seconds);
  return speed ? words.details.tookAt(time, speed) : time;
}
