import { t } from '$lib/messages';
import { isOpen, type Priority, type Queue, type TransferRow } from '$lib/transfers';
import type { MenuPart } from '../shared/menu';

const PRIORITIES: readonly Priority[] = ['high', 'normal', 'low'];

/** What can be done with the selected transfers. */
export function queueMenu(queue: Queue): MenuPart[] {
  const words = t.transfers.menu;
  const rows = queue.chosen();
  const ids = rows.map((row) => row.id);
  const open = rows.filter(isOpen);
  const movable = queue.movable();
  const canPause = pausable(rows);
  const canGoOn = rows.some((row) => row.state === 'paused' || (row.counts?.paused ?? 0) > 0);
  const canRetry = rows.some(retriable);
  const asks = rows.some((row) => row.state === 'asking' || (row.counts?.asking ?? 0) > 0);
  const site = rows[0] && queue.siteOf(rows[0]);
  const still = movable.length === 0 || queue.filter !== null;
  const parts: MenuPart[] = [
    {
      id: 'details',
      label: words.details,
      keys: 'Enter',
      disabled: rows.length !== 1,
      run: () => void (rows[0] && queue.showDetails(rows[0])),
    },
  ];
  if (asks) parts.push({ id: 'decide', label: words.decide, run: () => queue.conflicts.show() });
  parts.push(
    'line',
    {
      id: 'pause',
      label: words.pause,
      keys: 'Space',
      disabled: !canPause,
      run: () => void queue.pause(ids, true),
    },
    {
      id: 'goon',
      label: words.goOn,
      keys: canPause ? null : 'Space',
      disabled: !canGoOn,
      run: () => void queue.pause(ids, false),
    },
    {
      id: 'retry',
      label: words.retry,
      disabled: !canRetry,
      run: () => void queue.retry(ids),
    },
    {
      id: 'cancel',
      label: words.cancel,
      keys: 'Delete',
      danger: true,
      disabled: open.length === 0,
      run: () => void queue.cancel(ids),
    },
    'line',
    {
      id: 'first',
      label: words.first,
      keys: 'Alt+Home',
      disabled: still,
      run: () => queue.toEnd(true),
    },
    { id: 'up', label: words.up, keys: 'Alt+Up', disabled: still, run: () => queue.nudge(-1) },
    { id: 'down', label: words.down, keys: 'Alt+Down', disabled: still, run: () => queue.nudge(1) },
    {
      id: 'last',
      label: words.last,
      keys: 'Alt+End',
      disabled: still,
      run: () => queue.toEnd(false),
    },
    {
      id: 'start',
      label: words.start,
      disabled: open.length === 0,
      run: () => queue.askStart(rows),
    },
    'line',
    { heading: words.priority },
    ...PRIORITIES.map((priority) => ({
      id: `priority-${priority}`,
      label: words[priority],
      checked: open.length > 0 && open.every((row) => row.priority === priority),
      disabled: open.length === 0,
      run: () => void queue.setPriority(ids, priority),
    })),
  );
  if (site) {
    parts.push('line', {
      id: 'site',
      label: site.paused ? words.goOnSite(site.name) : words.pauseSite(site.name),
      run: () => void queue.pauseSite(site.id, !site.paused),
    });
  }
  return parts;
}

/** Whether some of them would stop. */
export function pausable(rows: readonly TransferRow[]): boolean {
  return rows.some((row) => ['waiting', 'running', 'scanning'].includes(row.state));
}

export function retriable(row: TransferRow): boolean {
  return row.state === 'failed' || row.state === 'cancelled' || (row.counts?.failed ?? 0) > 0;
}
