import {
  toAppError,
  type Backend,
  type Limits,
  type QueueSummary,
  type TimetableCheck,
} from '$lib/backend';
import type { Notices } from '$lib/notices/notices.svelte';
import { NO_RATE, draftOfRate, parseRate, type RateDraft } from '$lib/rate';

export type LimitName = keyof Limits;

export const LIMIT_NAMES: readonly LimitName[] = ['total', 'download', 'upload'];

export type LimitsDraft = Record<LimitName, RateDraft>;

export const NO_LIMITS_DRAFT: LimitsDraft = { total: NO_RATE, download: NO_RATE, upload: NO_RATE };

export function draftOfLimits(limits: Limits): LimitsDraft {
  return {
    total: draftOfRate(limits.total),
    download: draftOfRate(limits.download),
    upload: draftOfRate(limits.upload),
  };
}

/** Null if one of them is no speed. */
export function limitsOf(draft: LimitsDraft): Limits | null {
  const [total, download, upload] = LIMIT_NAMES.map((name) => parseRate(draft[name]));
  if (total === undefined || download === undefined || upload === undefined) return null;
  return { total, download, upload };
}

const same = (a: Limits, b: Limits) => LIMIT_NAMES.every((name) => a[name] === b[name]);

/** The dialog of limits and of the timetable: text until it is put to work. */
export class LimitsDialog {
  open = $state(false);
  draft = $state<LimitsDraft>(NO_LIMITS_DRAFT);
  sites = $state<{ id: number; name: string; draft: LimitsDraft }[]>([]);
  timetable = $state('');
  check = $state.raw<TimetableCheck | null>(null);
  saving = $state(false);
  error = $state<string | null>(null);

  #backend: Backend;
  #notices: Notices;
  #before: QueueSummary | null = null;
  #turn = 0;

  constructor(backend: Backend, notices: Notices) {
    this.#backend = backend;
    this.#notices = notices;
  }

  show(summary: QueueSummary): void {
    this.#before = summary;
    this.draft = draftOfLimits(summary.limits);
    this.sites = summary.sites.map(({ id, name, limits }) => ({
      id,
      name,
      draft: draftOfLimits(limits),
    }));
    this.error = null;
    this.open = true;
    void this.setTimetable(summary.timetable);
  }

  close(): void {
    this.open = false;
    this.#turn += 1;
  }

  /** Which speeds can't be read: `total`, or `3 upload` of a site. */
  readonly wrong = $derived.by(() => {
    const bad = (draft: LimitsDraft) =>
      LIMIT_NAMES.filter((name) => parseRate(draft[name]) === undefined);
    return new Set([
      ...bad(this.draft),
      ...this.sites.flatMap((site) => bad(site.draft).map((name) => `${site.id} ${name}`)),
    ]);
  });

  /** The newest text is what the answer is about. */
  async setTimetable(text: string): Promise<void> {
    const turn = ++this.#turn;
    this.timetable = text;
    try {
      const check = await this.#backend.checkTimetable(text);
      if (turn === this.#turn) this.check = check;
    } catch (thrown) {
      if (turn === this.#turn) this.#notices.error(thrown);
    }
  }

  async save(): Promise<void> {
    const limits = limitsOf(this.draft);
    if (this.saving || !limits || this.wrong.size > 0 || this.check?.problem) return;
    this.saving = true;
    this.error = null;
    const before = this.#before;
    try {
      // First what can be refused.
      if (this.timetable !== before?.timetable) await this.#backend.setTimetable(this.timetable);
      if (!before || !same(limits, before.limits)) await this.#backend.setLimits(limits);
      for (const { id, draft } of this.sites) {
        const old = before?.sites.find((site) => site.id === id)?.limits;
        const next = limitsOf(draft);
        if (next && old && !same(next, old)) await this.#backend.setSiteLimits(id, next);
      }
      this.close();
    } catch (thrown) {
      const { message, detail } = toAppError(thrown);
      this.error = [message, detail].filter(Boolean).join(' ');
    } finally {
      this.saving = false;
    }
  }
}
