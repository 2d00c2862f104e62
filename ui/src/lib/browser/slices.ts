export interface SliceOptions {
  /** The longest a task may be, in milliseconds. */
  budget?: number;
  now?: () => number;
  /** Gives the window its turn. */
  pause?: () => Promise<void>;
  /** Asked after each pause: true abandons the work. */
  stale?: () => boolean;
}

const nextTask = () => new Promise<void>((go) => setTimeout(go, 0));

/** Runs a generator in slices of `budget` milliseconds. Null when it became stale. */
export async function runSliced<T>(
  work: Generator<void, T>,
  { budget = 8, now = () => performance.now(), pause = nextTask, stale }: SliceOptions = {},
): Promise<T | null> {
  let until = now() + budget;
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    if (now() < until) continue;
    await pause();
    if (stale?.()) return null;
    until = now() + budget;
  }
}
