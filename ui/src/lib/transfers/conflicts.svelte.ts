import type { Backend, Conflict, ConflictRule, TransferRow } from '$lib/backend';
import type { Notices } from '$lib/notices/notices.svelte';

/** What a person can decide about a target that exists. */
export type Decision = Exclude<ConflictRule, 'ask' | 'ifSizeDiffers' | 'ifNewerOrSizeDiffers'>;

export const DECISIONS: readonly Decision[] = ['overwrite', 'ifNewer', 'resume', 'rename', 'skip'];

/** Of a file that nothing is known of. */
const NOTHING_KNOWN: Conflict = {
  source: { size: null, modified: null },
  target: { size: null, modified: null },
};

/** What there is to decide about a row. */
export function conflictOf(row: TransferRow): Conflict {
  return row.conflict ?? NOTHING_KNOWN;
}

export type Newer = 'source' | 'target' | 'same' | 'unknown';

/** Servers know minutes, and clocks differ: what is this close is the same. */
const SAME_MS = 60_000;

export function newerOf({ source, target }: Conflict): Newer {
  if (source.modified === null || target.modified === null) return 'unknown';
  const difference = source.modified - target.modified;
  if (Math.abs(difference) < SAME_MS) return 'same';
  return difference > 0 ? 'source' : 'target';
}

export function biggerOf({ source, target }: Conflict): Newer {
  if (source.size === null || target.size === null) return 'unknown';
  if (source.size === target.size) return 'same';
  return source.size > target.size ? 'source' : 'target';
}

/**
 * Targets that exist: one table for all that ask, where each row, or all of them, are
 * decided at once. The rest of the queue goes on meanwhile.
 */
export class Conflicts {
  rows = $state.raw<TransferRow[]>([]);
  /** All that ask, also those that the table does not show. */
  count = $state(0);
  open = $state(false);
  decisions = $state.raw<ReadonlyMap<number, Decision>>(new Map());
  /** What was chosen for all: it holds for rows that come later, too. */
  all = $state<Decision | null>(null);

  #backend: Backend;
  #notices: Notices;
  /** The person wants to decide later: the table does not open by itself again. */
  #later = false;

  constructor(backend: Backend, notices: Notices) {
    this.#backend = backend;
    this.#notices = notices;
  }

  /** How many the button would decide now. */
  readonly decided = $derived(
    this.all !== null
      ? Math.max(this.count, this.rows.length)
      : this.rows.filter((row) => this.decisions.has(row.id)).length,
  );

  /** The queue has changed. `settled`: no more are found at the moment, the question is complete. */
  update(rows: readonly TransferRow[], count: number, settled: boolean): void {
    const asking = rows.filter((row) => row.state === 'asking' && !row.isFolder);
    this.rows = asking;
    this.count = Math.max(count, asking.length);
    if (this.count === 0) {
      this.#later = false;
      this.#close();
    } else if (settled && asking.length > 0 && !this.#later) this.open = true;
  }

  show(): void {
    if (this.count > 0) this.open = true;
  }

  /** Closes the table; what asks goes on asking. */
  later(): void {
    this.#later = true;
    this.#close();
  }

  decide(id: number, decision: Decision | null): void {
    const decisions = new Map(this.decisions);
    if (decision === null) decisions.delete(id);
    else decisions.set(id, decision);
    this.decisions = decisions;
    // One that differs: the rest stays as it was chosen.
    if (this.all !== null && decision !== this.all) {
      for (const row of this.rows)
        if (row.id !== id) decisions.set(row.id, this.of(row.id) ?? this.all);
      this.all = null;
    }
  }

  decideAll(decision: Decision | null): void {
    this.all = decision;
    this.decisions = new Map();
  }

  of(id: number): Decision | null {
    return this.decisions.get(id) ?? this.all;
  }

  /** Tells the queue what was decided. What was not decided goes on asking. */
  async apply(): Promise<void> {
    const calls: Promise<void>[] = [];
    if (this.all !== null) {
      // Batches as a whole: there may be more in them than the table shows.
      const ids = new Set(this.rows.map((row) => row.batch ?? row.id));
      calls.push(this.#backend.answerConflicts([...ids], this.all));
    } else {
      for (const decision of DECISIONS) {
        const ids = this.rows.filter((row) => this.decisions.get(row.id) === decision);
        if (ids.length > 0) {
          calls.push(
            this.#backend.answerConflicts(
              ids.map((row) => row.id),
              decision,
            ),
          );
        }
      }
    }
    if (this.decided < this.count) this.#later = true;
    this.#close();
    try {
      await Promise.all(calls);
    } catch (thrown) {
      this.#notices.error(thrown);
    }
  }

  #close(): void {
    this.open = false;
    this.decisions = new Map();
    this.all = null;
  }
}
