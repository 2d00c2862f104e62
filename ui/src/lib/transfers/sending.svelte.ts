import { toAppError, type Sent, type SendOptions } from '$lib/backend';
import { t } from '$lib/messages';
import type { Notices } from '$lib/notices/notices.svelte';
import { NO_RATE, parseRate, type RateDraft } from '$lib/rate';
import { parseStart } from './start';

/** Where something goes from or to. */
interface End {
  /** Keeps its rows what they are until the answer is called. */
  hold(): () => void;
  refresh(): Promise<boolean>;
}

/** As the site and the settings say, at once, everything. */
export const AS_ALWAYS: SendOptions = {
  conflict: null,
  priority: 'normal',
  startAt: null,
  limit: null,
  include: [],
  exclude: [],
  skipHidden: false,
  skipVcs: false,
};

/** The dialog's fields: text until it is sent. */
export interface SendDraft extends Pick<
  SendOptions,
  'conflict' | 'priority' | 'skipHidden' | 'skipVcs'
> {
  start: string;
  limit: RateDraft;
  include: string;
  exclude: string;
}

export const BLANK_SEND: SendDraft = {
  conflict: null,
  priority: 'normal',
  skipHidden: false,
  skipVcs: false,
  start: '',
  limit: NO_RATE,
  include: '',
  exclude: '',
};

export type SendProblem = 'start' | 'limit';

const globs = (text: string) =>
  text
    .split(/[\n,]/)
    .map((glob) => glob.trim())
    .filter(Boolean);

/** The options, or which field can't be read. */
export function optionsOf(draft: SendDraft, now: number): SendOptions | SendProblem {
  const startAt = draft.start.trim() === '' ? null : parseStart(draft.start, now);
  if (draft.start.trim() !== '' && startAt === null) return 'start';
  const limit = parseRate(draft.limit);
  if (limit === undefined) return 'limit';
  const { conflict, priority, skipHidden, skipVcs } = draft;
  const [include, exclude] = [globs(draft.include), globs(draft.exclude)];
  return { conflict, priority, startAt, limit, include, exclude, skipHidden, skipVcs };
}

type Call = (options: SendOptions) => Promise<Sent>;

/** Puts transfers on the queue; what exists is a question of the queue's own. */
export class Sending {
  /** The dialog for how a batch is sent. */
  draft = $state<SendDraft | null>(null);
  problem = $state<SendProblem | null>(null);
  /** What it is about, for its title. */
  count = $state(0);
  place = $state('');

  #notices: Notices;
  #showQueue: () => void;
  #answer: ((options: SendOptions | null) => void) | null = null;

  constructor(notices: Notices, showQueue: () => void) {
    this.#notices = notices;
    this.#showQueue = showQueue;
  }

  async send(call: Call, ends: readonly End[], options: SendOptions = AS_ALWAYS): Promise<void> {
    // The listings that it is about must be there until they are read.
    const releases = ends.map((end) => end.hold());
    try {
      this.#tell(await call(options));
    } catch (thrown) {
      this.#notices.error(thrown);
      if (toAppError(thrown).code === 'stale-listing') for (const end of ends) void end.refresh();
    } finally {
      for (const release of releases) release();
    }
  }

  /** The same, after the person has said how. */
  async sendWith(call: Call, ends: readonly End[], count: number, place: string): Promise<void> {
    if (this.draft) return;
    const releases = ends.map((end) => end.hold());
    try {
      const options = await new Promise<SendOptions | null>((go) => {
        this.#answer = go;
        this.count = count;
        this.place = place;
        this.problem = null;
        this.draft = { ...BLANK_SEND };
      });
      if (options) await this.send(call, ends, options);
    } finally {
      for (const release of releases) release();
    }
  }

  /** The dialog was left: with what is in it, or without sending. */
  answer(send: boolean, now: number = Date.now()): void {
    const options = send && this.draft ? optionsOf(this.draft, now) : null;
    if (typeof options === 'string') {
      this.problem = options;
      return;
    }
    this.draft = null;
    this.#answer?.(options);
    this.#answer = null;
  }

  #tell({ ids, failed }: Sent): void {
    if (ids.length > 0) {
      this.#notices.say(t.pane.queued(ids.length));
      this.#showQueue();
    }
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
