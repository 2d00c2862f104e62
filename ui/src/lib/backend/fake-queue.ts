/** The fake backend's transfers: they move by time, and report like the shell does. */
import type { ErrorData, QueueUpdate, TransferRow } from './types';

export class FakeQueue {
  #rows = new Map<number, TransferRow>();
  #watcher: ((update: QueueUpdate) => void) | null = null;
  #revision = 0;
  #nextId = 1;
  #timer: ReturnType<typeof setInterval> | null = null;
  #onDone = new Map<number, () => void>();

  /** Bytes a second that one transfer makes. */
  speed = 2_400_000;

  watch(watcher: (update: QueueUpdate) => void): void {
    this.#watcher = watcher;
    watcher({ kind: 'snapshot', revision: this.#revision, items: [...this.#rows.values()] });
  }

  add(
    direction: TransferRow['direction'],
    name: string,
    source: string,
    target: string,
    total: number | null,
    isFolder: boolean,
    onDone: () => void,
  ): number {
    const id = this.#nextId++;
    const row: TransferRow = {
      id,
      batch: null,
      direction,
      isFolder,
      name,
      source,
      target,
      state: 'waiting',
      bytes: 0,
      total,
      bytesPerSecond: null,
      secondsLeft: null,
      attempts: 0,
      error: null,
      verified: null,
    };
    this.#rows.set(id, row);
    this.#onDone.set(id, onDone);
    this.#emit([row], []);
    this.#timer ??= setInterval(() => this.tick(0.1), 100);
    return id;
  }

  tick(seconds: number): void {
    const changed: TransferRow[] = [];
    let running = [...this.#rows.values()].filter((row) => row.state === 'running').length;
    let active = false;
    for (const [id, old] of this.#rows) {
      const row = { ...old };
      if (row.state === 'waiting' && running < 3) {
        row.state = 'running';
        row.attempts += 1;
        running += 1;
      } else if (row.state === 'running') this.#advance(row, seconds);
      else {
        active ||= row.state === 'waiting';
        continue;
      }
      active = true;
      this.#rows.set(id, row);
      changed.push(row);
    }
    if (changed.length > 0) this.#emit(changed, []);
    if (!active && this.#timer) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }

  cancel(ids: number[]): void {
    const changed = this.#update(ids, (row) =>
      row.state === 'waiting' || row.state === 'running' ? { ...row, state: 'cancelled' } : null,
    );
    this.#emit(changed, []);
  }

  retry(ids: number[]): void {
    const changed = this.#update(ids, (row) =>
      row.state === 'failed' || row.state === 'cancelled'
        ? { ...row, state: 'waiting', error: null, bytes: 0 }
        : null,
    );
    this.#emit(changed, []);
    this.#timer ??= setInterval(() => this.tick(0.1), 100);
  }

  clearFinished(): void {
    const removed = [...this.#rows.values()]
      .filter((row) => row.state === 'done' || row.state === 'cancelled')
      .map((row) => row.id);
    for (const id of removed) this.#rows.delete(id);
    this.#emit([], removed);
  }

  #advance(row: TransferRow, seconds: number): void {
    const total = row.total ?? 40_000;
    row.bytes = Math.min(total, row.bytes + this.speed * seconds);
    row.bytesPerSecond = this.speed;
    row.secondsLeft = (total - row.bytes) / this.speed;
    if (row.name.includes('second') && row.attempts < 2 && row.bytes > total / 2) {
      row.state = 'failed';
      row.error = REFUSED;
    } else if (row.bytes >= total) {
      row.state = 'done';
      row.verified = '226, size';
    }
    if (row.state !== 'running') {
      row.bytesPerSecond = null;
      row.secondsLeft = null;
    }
    if (row.state === 'done') this.#onDone.get(row.id)?.();
  }

  #update(ids: number[], change: (row: TransferRow) => TransferRow | null): TransferRow[] {
    const changed: TransferRow[] = [];
    for (const id of ids) {
      const row = this.#rows.get(id);
      const next = row ? change(row) : null;
      if (!next) continue;
      next.bytesPerSecond = null;
      next.secondsLeft = null;
      this.#rows.set(id, next);
      changed.push(next);
    }
    return changed;
  }

  #emit(upserts: TransferRow[], removed: number[]): void {
    this.#revision += 1;
    this.#watcher?.({ kind: 'changes', revision: this.#revision, upserts, removed });
  }
}

const REFUSED: ErrorData = {
  code: 'refused',
  message: 'The server refused to store the file.',
  detail: '552 Quota exceeded',
  retryable: true,
};
