import { toAppError, type Existing, type SendOutcome } from '$lib/backend';
import { t } from '$lib/messages';
import type { Notices } from '$lib/notices/notices.svelte';

/** Where something goes from or to. */
interface End {
  /** Keeps its rows what they are until the answer is called. */
  hold(): () => void;
  refresh(): Promise<boolean>;
}

type Exists = Extract<SendOutcome, { kind: 'exists' }>;
type Queued = Extract<SendOutcome, { kind: 'queued' }>;

export interface ExistsQuestion extends Exists {
  /** The folder that receives. */
  place: string;
}

/** Puts transfers on the queue, and asks once for the whole batch before anything is replaced. */
export class Sending {
  question = $state.raw<ExistsQuestion | null>(null);

  #notices: Notices;
  #showQueue: () => void;
  #answer: ((existing: Existing | null) => void) | null = null;
  /** The question on the screen; another waits for its answer. */
  #asking: Promise<unknown> = Promise.resolve();

  constructor(notices: Notices, showQueue: () => void) {
    this.#notices = notices;
    this.#showQueue = showQueue;
  }

  async send(
    call: (existing: Existing) => Promise<SendOutcome>,
    ends: readonly End[],
    place: string,
  ): Promise<void> {
    // The listings that it is about must be there when it is answered.
    const releases = ends.map((end) => end.hold());
    try {
      let outcome = await call('ask');
      if (outcome.kind === 'exists') {
        const existing = await this.#ask({ ...outcome, place });
        if (existing === null) return;
        outcome = await call(existing);
      }
      if (outcome.kind === 'queued') this.#tell(outcome);
    } catch (thrown) {
      this.#notices.error(thrown);
      if (toAppError(thrown).code === 'stale-listing') for (const end of ends) void end.refresh();
    } finally {
      for (const release of releases) release();
    }
  }

  /** Null means that nothing is to be sent. */
  answer(existing: Exclude<Existing, 'ask'> | null): void {
    this.question = null;
    this.#answer?.(existing);
    this.#answer = null;
  }

  #ask(question: ExistsQuestion): Promise<Existing | null> {
    const answered = this.#asking.then(
      () =>
        new Promise<Existing | null>((go) => {
          this.#answer = go;
          this.question = question;
        }),
    );
    this.#asking = answered;
    return answered;
  }

  #tell({ ids, failed, skipped }: Queued): void {
    if (ids.length > 0) {
      this.#notices.say(t.pane.queued(ids.length));
      this.#showQueue();
    } else if (failed.length === 0 && skipped > 0) this.#notices.info(t.existing.nothingLeft);
    if (failed.length === 0) return;
    const lines = failed.map(({ name, error }) =>
      [`${name}: ${error.message}`, error.detail].filter(Boolean).join(' '),
    );
    const names = failed.slice(0, 3).map(({ name }) => name);
    this.#notices.problem(
      t.pane.notSent(failed.length),
      t.pane.notSentNames(names, failed.length - names.length),
      lines.join('\n'),
    );
  }
}
