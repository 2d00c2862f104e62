import type { Action } from './index';

/** The actions that fit what was typed: each word somewhere, early matches first. */
export function search(actions: readonly Action[], typed: string): Action[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  return actions
    .map((action) => ({ action, rank: rank(`${action.title} ${action.keys ?? ''}`, words) }))
    .filter(({ rank }) => rank >= 0)
    .sort((a, b) => a.rank - b.rank)
    .map(({ action }) => action);
}

function rank(text: string, words: string[]): number {
  const haystack = text.toLowerCase();
  let sum = 0;
  for (const word of words) {
    const at = haystack.indexOf(word);
    if (at < 0) return -1;
    // The start of a word counts more than its middle.
    sum += at + (at === 0 || haystack[at - 1] === ' ' ? 0 : 50);
  }
  return sum;
}
