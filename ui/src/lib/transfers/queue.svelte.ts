import type { Backend, QueueUpdate, TransferRow } from '$lib/backend';
import { t } from '$lib/messages';
import type { Notices } from '$lib/notices/notices.svelte';
import { QueueProjection, groupOf, summarize, type QueueGroup } from './projection';

const SAMPLES = 40;

/** The transfers panel: the projection of the queue, its filter, and what can be done. */
export class Queue {
  rows = $state.raw<TransferRow[]>([]);
  filter = $state<QueueGroup | null>(null);
  /** Speeds of the last updates, oldest first. */
  samples = $state.raw<number[]>([]);

  #backend: Backend;
  #notices: Notices;
  #showQueue: () => void;
  #projection = new QueueProjection();
  #watching = false;
  #finished = { done: 0, failed: 0 };

  constructor(backend: Backend, notices: Notices, showQueue: () => void) {
    this.#backend = backend;
    this.#notices = notices;
    this.#showQueue = showQueue;
  }

  readonly summary = $derived(summarize(this.rows));
  readonly shown = $derived(
    this.filter === null ? this.rows : this.rows.filter((row) => groupOf(row) === this.filter),
  );

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

  receive(update: QueueUpdate): void {
    if (!this.#projection.apply(update)) {
      void this.watch();
      return;
    }
    if (update.kind === 'changes') this.#count(update.upserts);
    this.rows = [...this.#projection.rows.values()];
    this.samples = [...this.samples, this.summary.bytesPerSecond].slice(-SAMPLES);
    this.#announce();
  }

  cancel = (ids: number[]) => this.#ask(() => this.#backend.cancelTransfers(ids));
  retry = (ids: number[]) => this.#ask(() => this.#backend.retryTransfers(ids));
  clearFinished = () => this.#ask(() => this.#backend.clearFinished());

  cancelAll(): void {
    const active = (row: TransferRow) => groupOf(row) === 'running' || groupOf(row) === 'waiting';
    void this.cancel(this.rows.filter(active).map((row) => row.id));
  }

  retryAll(): void {
    const failed = this.rows.filter((row) => groupOf(row) === 'failed');
    void this.retry(failed.map((row) => row.id));
  }

  setFilter(group: QueueGroup | null): void {
    this.filter = this.filter === group ? null : group;
  }

  #count(upserts: TransferRow[]): void {
    for (const row of upserts) {
      if (row.state === 'done') this.#finished.done += 1;
      else if (row.state === 'failed') this.#finished.failed += 1;
    }
  }

  /** When nothing is left to do, says how it went: once, politely. */
  #announce(): void {
    const { counts } = this.summary;
    if (counts.running > 0 || counts.waiting > 0) return;
    const { done, failed } = this.#finished;
    this.#finished = { done: 0, failed: 0 };
    if (failed > 0) {
      const first = this.rows.find((row) => row.state === 'failed')?.error;
      this.#notices.problem(
        t.transfers.failedSome(failed),
        first?.message ?? '',
        first?.detail ?? null,
        { label: t.transfers.show, run: this.#showQueue },
      );
    } else if (done > 0) this.#notices.say(t.transfers.finished(done));
  }

  async #ask(call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (thrown) {
      this.#notices.error(thrown);
    }
  }
}
