import { fold, type Entry } from './entry';

const PAUSE_MS = 900;

/** Typing letters in a list goes to the next name that begins with them. */
export class TypeAhead {
  #typed = '';
  #last = -Infinity;

  /** Whether letters were typed a moment ago, so that a space belongs to them. */
  active(now: number): boolean {
    return this.#typed !== '' && now - this.#last < PAUSE_MS;
  }

  /** The index to go to, or -1. The same letter again goes to the next of them. */
  type(char: string, view: Entry[], from: number, now: number): number {
    const going = this.active(now);
    this.#last = now;
    const repeated = going && this.#typed === char;
    this.#typed = going && !repeated ? this.#typed + char : char;
    const needle = fold(this.#typed);
    const start = this.#typed.length === 1 ? from + 1 : Math.max(from, 0);
    for (let step = 0; step < view.length; step += 1) {
      const index = (start + step) % view.length;
      const entry = view[index];
      if (entry && fold(entry.row.name).startsWith(needle)) return index;
    }
    return -1;
  }
}
