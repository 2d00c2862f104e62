import { NOTHING } from '$lib/backend';
import type {
  Backend,
  Priority,
  QueuePlace,
  QueueSite,
  QueueSummary,
  QueueUpdate,
  Receipt,
  TransferRow,
} from '$lib/backend';
import { t } from '$lib/messages';
import type { Notices } from '$lib/notices/notices.svelte';
import { Selection } from '$lib/selection/selection.svelte';
import { Conflicts } from './conflicts.svelte';
import { CURVE_SECONDS, isFlat, withSample, type Sample } from './curve';
import { LimitsDialog } from './limits.svelte';
import {
  GROUPS,
  QueueProjection,
  countsOf,
  isOpen,
  linesOf,
  secondsLeft,
  type Line,
  type QueueGroup,
} from './projection';
import { parseStart } from './start';

/** Work that took this long is worth a notice when it is done. */
const WORTH_A_NOTICE_MS = 10_000;

/** The transfers panel: the projection of the queue, what is shown of it, and what can be done. */
export class Queue {
  rows = $state.raw<TransferRow[]>([]);
  summary = $state.raw<QueueSummary>(NOTHING);
  filter = $state<QueueGroup | null>(null);
  /** Batches whose items are shown. */
  expanded = $state.raw<ReadonlySet<number>>(new Set());
  /** Speeds of the last two minutes, oldest first. */
  samples = $state.raw<Sample[]>([]);
  /** The right edge of the curve. */
  now = $state(0);
  /** Whose details are shown. */
  details = $state.raw<TransferRow | null>(null);
  receipt = $state.raw<Receipt | null>(null);
  /** The dialog for when something starts. */
  starting = $state.raw<{ ids: number[]; names: string[]; at: number | null } | null>(null);
  startProblem = $state(false);
  /** The list shows this line whenever the object changes. */
  reveal = $state.raw<{ index: number } | null>(null);
  /** The place between two lines where what is dragged would go. */
  dropAt = $state<{ id: number; after: boolean } | null>(null);

  readonly selection = new Selection();
  readonly conflicts: Conflicts;
  readonly limits: LimitsDialog;

  #backend: Backend;
  #notices: Notices;
  #showQueue: () => void;
  #projection = new QueueProjection();
  #watching = false;
  #finished = { done: 0, failed: 0 };
  /** Since when there has been something to do. */
  #busySince: number | null = null;
  #clock: ReturnType<typeof setInterval> | null = null;

  constructor(backend: Backend, notices: Notices, showQueue: () => void) {
    this.#backend = backend;
    this.#notices = notices;
    this.#showQueue = showQueue;
    this.conflicts = new Conflicts(backend, notices);
    this.limits = new LimitsDialog(backend, notices);
  }

  readonly counts = $derived(countsOf(this.summary.files, this.rows));
  readonly groups = $derived(
    GROUPS.filter((group) => this.counts[group] > 0 || this.filter === group),
  );
  readonly lines = $derived(linesOf(this.rows, this.filter, this.expanded));
  readonly secondsLeft = $derived(secondsLeft(this.summary));
  readonly busy = $derived(this.counts.running + this.counts.waiting + this.counts.paused);
  readonly flat = $derived(isFlat(this.samples));
  readonly waitingForLogin = $derived(this.summary.sites.filter((site) => site.needsLogin));
  readonly pausedSites = $derived(
    this.summary.sites.filter((site) => site.paused && !site.needsLogin),
  );
  readonly limited = $derived.by(() => {
    const { limits, timetableLimit } = this.summary;
    return [limits.total, limits.download, limits.upload, timetableLimit].some(
      (limit) => limit !== null,
    );
  });

  async watch(): Promise<void> {
    if (this.#watching) return;
    this.#watching = true;
    try {
      await this.#backend.watchQueue((update) => this.receive(update));
    } catch (thrown) {
      this.#notices.error(thrown);
    } finally {
      this.#watching = false;
    }
  }

  receive(update: QueueUpdate, now: number = Date.now()): void {
    const before = this.summary.files;
    if (!this.#projection.apply(update)) {
      void this.watch();
      return;
    }
    this.summary = this.#projection.summary;
    this.rows = [...this.#projection.rows.values()];
    const { files } = this.summary;
    if (update.kind === 'changes') {
      this.#finished.done += Math.max(0, files.done - before.done);
      this.#finished.failed += Math.max(0, files.failed - before.failed);
    }
    const scanning = this.rows.some((row) => row.state === 'scanning');
    this.conflicts.update(this.rows, files.asking, !scanning);
    if (this.summary.bytesPerSecond > 0) this.#startClock(now);
    if (this.details) this.details = this.#projection.rows.get(this.details.id) ?? this.details;
    this.#announce(now);
  }

  /** Takes a sample of the speed: once a second while the curve is not flat. */
  sample(now: number): void {
    const { bytesPerSecond } = this.summary;
    this.now = now;
    this.samples = withSample(this.samples, { at: now, bytesPerSecond });
    const over = this.samples.length >= CURVE_SECONDS && this.flat;
    if (over && this.#clock) {
      clearInterval(this.#clock);
      this.#clock = null;
      this.samples = [];
    }
  }

  siteOf(row: TransferRow): QueueSite | undefined {
    return this.summary.sites.find((site) => site.id === row.site);
  }

  // What can be done

  cancel = (ids: number[]) => this.#ask(() => this.#backend.cancelTransfers(ids));
  retry = (ids: number[]) => this.#ask(() => this.#backend.retryTransfers(ids));
  clearFinished = () => this.#ask(() => this.#backend.clearFinished());
  pause = (ids: number[], paused: boolean) =>
    this.#ask(() => this.#backend.pauseTransfers(ids, paused));
  pauseAll = (paused: boolean) => this.#ask(() => this.#backend.pauseQueue(paused));
  pauseSite = (site: number, paused: boolean) =>
    this.#ask(() => this.#backend.pauseSite(site, paused));
  setPriority = (ids: number[], priority: Priority) =>
    this.#ask(() => this.#backend.setPriority(ids, priority));
  startAt = (ids: number[], at: number | null) =>
    this.#ask(() => this.#backend.startTransfersAt(ids, at));
  move = (ids: number[], place: QueuePlace) =>
    this.#ask(() => this.#backend.moveTransfers(ids, place));

  cancelAll(): void {
    void this.cancel(this.#roots(isOpen));
  }

  retryAll(): void {
    const failed = (row: TransferRow) => row.state === 'failed' || (row.counts?.failed ?? 0) > 0;
    void this.retry(this.#roots(failed));
  }

  showLimits(): void {
    this.limits.show(this.summary);
  }

  setFilter(group: QueueGroup | null): void {
    this.filter = this.filter === group ? null : group;
    this.selection.reset();
  }

  /** Shows or hides what is in a batch. */
  expand(id: number, show: boolean): void {
    const expanded = new Set(this.expanded);
    if (show) expanded.add(id);
    else expanded.delete(id);
    this.expanded = expanded;
  }

  // The list and its keys

  get cursorIndex(): number {
    return this.lines.findIndex((line) => line.row.id === this.selection.cursor);
  }

  moveCursor(index: number, how: 'only' | 'extend' | 'point'): void {
    const at = Math.max(0, Math.min(index, this.lines.length - 1));
    const line = this.lines[at];
    if (!line) return;
    const { id } = line.row;
    if (how === 'extend') this.selection.extendTo(id, this.lines);
    else if (how === 'point') this.selection.point(id);
    else this.selection.only(id);
    this.reveal = { index: at };
  }

  /** The selected rows, in the order of the list. */
  chosen(): TransferRow[] {
    return this.lines.map((line) => line.row).filter((row) => this.selection.has(row.id));
  }

  /** The selected rows that have a place in the queue: what is open, as a whole. */
  movable(): TransferRow[] {
    return this.chosen().filter((row) => row.batch === null && isOpen(row));
  }

  /** Moves what is selected one line up or down. */
  nudge(by: -1 | 1): void {
    const moved = this.movable();
    const all = this.#inOrder();
    const ids = moved.map((row) => row.id);
    const edge = by < 0 ? all.findIndex((row) => ids.includes(row.id)) : lastOf(all, ids);
    const over = all[edge + by];
    if (moved.length > 0 && over) void this.#place(ids, over, by > 0);
  }

  toEnd(first: boolean): void {
    const moved = this.movable();
    const all = this.#inOrder().filter((row) => !moved.includes(row));
    const over = first ? all[0] : all.at(-1);
    if (moved.length > 0 && over) {
      void this.#place(
        moved.map((row) => row.id),
        over,
        !first,
      );
    }
  }

  /** Something is dragged over a line: where it would go. */
  dragOver(line: Line | undefined, lowerHalf: boolean): void {
    const row = line?.row;
    const fits = row && row.batch === null && isOpen(row) && this.filter === null;
    this.dropAt = fits ? { id: row.id, after: lowerHalf } : null;
  }

  /** It was let go of. */
  drop(): void {
    const at = this.dropAt;
    this.dropAt = null;
    const over = at && this.#projection.rows.get(at.id);
    const ids = this.movable().map((row) => row.id);
    if (over && ids.length > 0 && !ids.includes(over.id)) void this.#place(ids, over, at.after);
  }

  // Dialogs

  async showDetails(row: TransferRow): Promise<void> {
    this.details = row;
    this.receipt = null;
    if (row.state !== 'done' || row.isFolder) return;
    try {
      const receipt = await this.#backend.receipt(row.id);
      if (this.details?.id === row.id) this.receipt = receipt;
    } catch (thrown) {
      this.#notices.error(thrown);
    }
  }

  closeDetails(): void {
    this.details = null;
    this.receipt = null;
  }

  askStart(rows: TransferRow[]): void {
    const open = rows.filter(isOpen);
    if (open.length === 0) return;
    this.startProblem = false;
    this.starting = {
      ids: open.map((row) => row.id),
      names: open.map((row) => row.name),
      at: open[0]?.startAt ?? null,
    };
  }

  /** The answer to when it starts: a text, or null for leaving it as it is. */
  answerStart(text: string | null, now: number = Date.now()): void {
    const { ids } = this.starting ?? { ids: [] };
    if (text !== null) {
      const at = text.trim() === '' ? null : parseStart(text, now);
      if (text.trim() !== '' && at === null) {
        this.startProblem = true;
        return;
      }
      void this.startAt(ids, at);
    }
    this.starting = null;
  }

  // Inside

  /** What is open, as a whole, in the order in which it is done. */
  #inOrder(): TransferRow[] {
    return linesOf(this.rows, null, new Set())
      .map((line) => line.row)
      .filter(isOpen);
  }

  #roots(wanted: (row: TransferRow) => boolean): number[] {
    return this.rows.filter((row) => row.batch === null && wanted(row)).map((row) => row.id);
  }

  /** Beside another one: there it also has that one's priority, or it would not stay there. */
  #place(ids: number[], over: TransferRow, after: boolean): Promise<void> {
    const others = ids.filter((id) => this.#projection.rows.get(id)?.priority !== over.priority);
    return this.#ask(async () => {
      if (others.length > 0) await this.#backend.setPriority(others, over.priority);
      await this.#backend.moveTransfers(ids, { kind: after ? 'after' : 'before', id: over.id });
      this.#notices.say(t.transfers.moved(ids.length));
    });
  }

  #startClock(now: number): void {
    if (this.#clock) return;
    // The curve begins at the bottom.
    this.samples = withSample(this.samples, { at: now - 1000, bytesPerSecond: 0 });
    this.sample(now);
    this.#clock = setInterval(() => this.sample(Date.now()), 1000);
  }

  /** When nothing is left to do, says how it went: once, politely. */
  #announce(now: number): void {
    const { counts } = this;
    if (counts.running > 0 || counts.waiting > 0) {
      this.#busySince ??= now;
      return;
    }
    const { done, failed } = this.#finished;
    const since = this.#busySince;
    this.#finished = { done: 0, failed: 0 };
    this.#busySince = null;
    if (failed > 0) {
      const first = this.rows.find((row) => row.state === 'failed' && !row.isFolder)?.error;
      this.#notices.problem(
        t.transfers.failedSome(failed),
        first?.message ?? '',
        first?.detail ?? null,
        { label: t.transfers.show, run: this.#showQueue },
      );
    } else if (done > 0) {
      const text = t.transfers.finished(done);
      if (since !== null && now - since >= WORTH_A_NOTICE_MS) this.#notices.success(text);
      else this.#notices.say(text);
    }
  }

  async #ask(call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (thrown) {
      this.#notices.error(thrown);
    }
  }
}

function lastOf(rows: TransferRow[], ids: number[]): number {
  return rows.length - 1 - [...rows].reverse().findIndex((row) => ids.includes(row.id));
}
