/** The fake backend's transfers: they move by time, and report like the shell does. */
import type {
  Conflict,
  ConflictRule,
  Counts,
  ErrorData,
  Priority,
  QueuePlace,
  QueueSite,
  QueueSummary,
  QueueUpdate,
  Receipt,
  TransferRow,
  TransferState,
} from './types';
import { NOTHING, NO_COUNTS, NO_LIMITS } from './empty';

/** A row that only has to say what is special about it. */
export function fakeRow(id: number, more: Partial<TransferRow> = {}): TransferRow {
  return {
    id,
    batch: null,
    site: 1,
    direction: 'upload',
    isFolder: false,
    name: `file ${id}`,
    source: `/home/me/site/file ${id}`,
    target: `/www/file ${id}`,
    state: 'waiting',
    bytes: 0,
    total: 100,
    bytesPerSecond: null,
    secondsLeft: null,
    attempts: 0,
    error: null,
    checks: null,
    seconds: null,
    resumedFrom: 0,
    priority: 'normal',
    order: id,
    startAt: null,
    conflict: null,
    targetName: null,
    counts: null,
    ...more,
  };
}

/** A summary that only has to say what is special about it. */
export function fakeSummary(more: Partial<QueueSummary> = {}): QueueSummary {
  return { ...NOTHING, ...more };
}

/** How many of these are in which state; folders are counted by their files. */
export function countsOf(rows: Iterable<TransferRow>): Counts {
  const counts = { ...NO_COUNTS };
  for (const row of rows) {
    if (!row.isFolder) counts[row.state === 'scanning' ? 'running' : row.state] += 1;
  }
  return counts;
}

export interface NewFake {
  direction: TransferRow['direction'];
  name: string;
  source: string;
  target: string;
  total: number | null;
  isFolder: boolean;
  /** The target exists. */
  conflict: Conflict | null;
  rule: ConflictRule;
  priority: Priority;
  startAt: number | null;
  onDone: () => void;
}

export class FakeQueue {
  #rows = new Map<number, TransferRow>();
  #watcher: ((update: QueueUpdate) => void) | null = null;
  #revision = 0;
  #nextId = 1;
  #timer: ReturnType<typeof setInterval> | null = null;
  #onDone = new Map<number, () => void>();
  #rules = new Map<number, ConflictRule>();
  #summary = fakeSummary();
  /** Bytes a second that one transfer makes, unless a limit is lower. */
  speed = 2_400_000;
  /** The answers to conflicts, as they came. */
  readonly answers: [number[], ConflictRule][] = [];

  get rows(): TransferRow[] {
    return [...this.#rows.values()];
  }

  get summary(): QueueSummary {
    let bytes = 0;
    let total = 0;
    let bytesPerSecond = 0;
    for (const row of this.#rows.values()) {
      if (row.isFolder) continue;
      bytes += row.bytes;
      total += row.total ?? row.bytes;
      bytesPerSecond += row.bytesPerSecond ?? 0;
    }
    return { ...this.#summary, files: countsOf(this.rows), bytes, total, bytesPerSecond };
  }

  watch(watcher: (update: QueueUpdate) => void): void {
    this.#watcher = watcher;
    const { summary } = this;
    watcher({ kind: 'snapshot', revision: this.#revision, items: this.rows, summary });
  }

  /** Puts rows there as they are, as if an earlier run had left them. */
  put(rows: TransferRow[], summary: Partial<QueueSummary> = {}): void {
    for (const row of rows) {
      this.#rows.set(row.id, row);
      this.#nextId = Math.max(this.#nextId, row.id + 1);
    }
    this.set(summary);
    this.#emit(rows, []);
  }

  set(summary: Partial<QueueSummary>): void {
    this.#summary = { ...this.#summary, ...summary };
    this.#emit([], []);
  }

  addSite(site: Pick<QueueSite, 'id' | 'name'> & Partial<QueueSite>): void {
    if (this.#summary.sites.some(({ id }) => id === site.id)) return;
    const rest = {
      paused: false,
      needsLogin: false,
      site: null,
      address: '',
      tls: 'auto' as const,
      limits: NO_LIMITS,
    };
    this.#summary = { ...this.#summary, sites: [...this.#summary.sites, { ...rest, ...site }] };
  }

  changeSite(id: number, change: Partial<QueueSite>): void {
    const sites = this.#summary.sites.map((site) =>
      site.id === id ? { ...site, ...change } : site,
    );
    this.set({ sites });
  }

  add(item: NewFake): number {
    const id = this.#nextId++;
    const { direction, name, source, target, total, isFolder, priority, startAt } = item;
    const row = fakeRow(id, {
      direction,
      name,
      source,
      target,
      total,
      isFolder,
      priority,
      startAt,
      conflict: item.conflict,
    });
    this.#rows.set(id, row);
    this.#rules.set(id, item.rule);
    this.#onDone.set(id, item.onDone);
    this.addSite({ id: 1, name: 'practice.slipway' });
    this.#emit([row], []);
    this.#start();
    return id;
  }

  tick(seconds: number): void {
    const changed: TransferRow[] = [];
    let running = this.rows.filter((row) => row.state === 'running').length;
    let active = false;
    for (const old of this.#inOrder()) {
      const row = { ...old };
      if (row.state === 'waiting' && !this.#summary.paused && running < 3) {
        if (row.startAt !== null && row.startAt > Date.now()) continue;
        const rule = this.#rules.get(row.id) ?? 'overwrite';
        if (row.conflict && rule === 'ask') row.state = 'asking';
        else if (row.conflict && rule === 'skip') row.state = 'skipped';
        else {
          row.conflict = null;
          row.state = 'running';
          row.attempts += 1;
          running += 1;
        }
      } else if (row.state === 'running') this.#advance(row, seconds);
      else {
        active ||= row.state === 'waiting';
        continue;
      }
      active = true;
      this.#rows.set(row.id, row);
      changed.push(row);
    }
    if (changed.length > 0) this.#emit(changed, []);
    if (!active && this.#timer) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }

  cancel(ids: number[]): void {
    this.#change(ids, (row) => (isOpen(row) ? { ...row, state: 'cancelled' } : null));
  }

  retry(ids: number[]): void {
    this.#change(ids, (row) =>
      row.state === 'failed' || row.state === 'cancelled'
        ? { ...row, state: 'waiting', error: null, bytes: 0 }
        : null,
    );
    this.#start();
  }

  pause(ids: number[], paused: boolean): void {
    const wanted: TransferState[] = paused ? ['waiting', 'running', 'scanning'] : ['paused'];
    const state = paused ? 'paused' : 'waiting';
    this.#change(ids, (row) => (wanted.includes(row.state) ? { ...row, state } : null));
    this.#start();
  }

  pauseAll(paused: boolean): void {
    this.#summary = { ...this.#summary, paused };
    if (paused) {
      const running = this.rows.filter((row) => row.state === 'running');
      this.#change(
        running.map(({ id }) => id),
        (row) => ({ ...row, state: 'waiting' }),
      );
    } else this.set({});
    this.#start();
  }

  prioritize(ids: number[], priority: Priority): void {
    this.#change(ids, (row) => ({ ...row, priority }));
  }

  move(ids: number[], place: QueuePlace): void {
    const moved = new Set(ids);
    const all = this.rows.sort((a, b) => a.order - b.order);
    const rest = all.filter((row) => !moved.has(row.id));
    const at =
      place.kind === 'first'
        ? 0
        : place.kind === 'last'
          ? rest.length
          : rest.findIndex((row) => row.id === place.id) + (place.kind === 'after' ? 1 : 0);
    rest.splice(at, 0, ...all.filter((row) => moved.has(row.id)));
    const orders = new Map(rest.map((row, order) => [row.id, order + 1]));
    this.#change([...orders.keys()], (row) => ({ ...row, order: orders.get(row.id) ?? 0 }));
  }

  startAt(ids: number[], at: number | null): void {
    this.#change(ids, (row) => ({ ...row, startAt: at }));
    this.#start();
  }

  answer(ids: number[], rule: ConflictRule): void {
    this.answers.push([ids, rule]);
    const asked = this.rows.filter(
      (row) => row.state === 'asking' && (ids.includes(row.id) || ids.includes(row.batch ?? -1)),
    );
    for (const { id } of asked) this.#rules.set(id, rule);
    this.#change(
      asked.map(({ id }) => id),
      (row) => ({ ...row, state: rule === 'skip' ? 'skipped' : 'waiting' }),
    );
    this.#start();
  }

  receipt(id: number): Receipt | null {
    const row = this.#rows.get(id);
    if (row?.state !== 'done' || !row.checks) return null;
    const { source, target, direction, bytes, resumedFrom, attempts, checks, seconds } = row;
    return {
      id,
      site: 'practice.slipway',
      direction,
      source,
      target,
      bytes,
      resumedFrom,
      finished: Date.now(),
      seconds,
      attempts,
      checks,
      digest: checks.hash
        ? '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
        : null,
    };
  }

  clearFinished(): void {
    const removed = this.rows.filter((row) => !isOpen(row)).map((row) => row.id);
    for (const id of removed) this.#rows.delete(id);
    this.#emit([], removed);
  }

  #inOrder(): TransferRow[] {
    const rank = { high: 0, normal: 1, low: 2 };
    return this.rows.sort((a, b) => rank[a.priority] - rank[b.priority] || a.order - b.order);
  }

  #start(): void {
    this.#timer ??= setInterval(() => this.tick(0.1), 100);
  }

  #advance(row: TransferRow, seconds: number): void {
    const total = row.total ?? 40_000;
    const speed = Math.min(this.speed, this.#summary.limits.total ?? Infinity);
    row.bytes = Math.min(total, row.bytes + speed * seconds);
    row.bytesPerSecond = speed;
    row.secondsLeft = (total - row.bytes) / speed;
    if (row.name.includes('second') && row.attempts < 2 && row.bytes > total / 2) {
      row.state = 'failed';
      row.error = REFUSED;
    } else if (row.bytes >= total) {
      row.state = 'done';
      row.seconds = total / speed;
      row.checks = { reply: true, size: true, time: true, tail: false, hash: 'SHA-256' };
    }
    if (row.state !== 'running') {
      row.bytesPerSecond = null;
      row.secondsLeft = null;
    }
    if (row.state === 'done') this.#onDone.get(row.id)?.();
  }

  #change(ids: number[], change: (row: TransferRow) => TransferRow | null): void {
    const changed: TransferRow[] = [];
    for (const id of ids) {
      const row = this.#rows.get(id);
      const next = row ? change(row) : null;
      if (!next) continue;
      if (next.state !== 'running') {
        next.bytesPerSecond = null;
        next.secondsLeft = null;
      }
      this.#rows.set(id, next);
      changed.push(next);
    }
    this.#emit(changed, []);
  }

  #emit(upserts: TransferRow[], removed: number[]): void {
    this.#revision += 1;
    const { summary } = this;
    this.#watcher?.({ kind: 'changes', revision: this.#revision, upserts, removed, summary });
  }
}

function isOpen(row: TransferRow): boolean {
  return ['waiting', 'paused', 'asking', 'scanning', 'running'].includes(row.state);
}

const REFUSED: ErrorData = {
  code: 'refused',
  message: 'The server refused to store the file.',
  detail: '552 Quota exceeded',
  retryable: true,
};
