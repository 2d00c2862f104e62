import type { Row } from '$lib/backend';

/** A row with what sorting and finding need, computed once. */
export interface Entry {
  row: Row;
  /** Sorts in natural order by plain comparison: see {@link naturalKey}. */
  key: string;
  folder: boolean;
}

export function entryOf(row: Row): Entry {
  return { row, key: naturalKey(row.name), folder: row.kind === 'folder' };
}

// eslint-disable-next-line no-control-regex
const ASCII = /^[\x00-\x7f]*$/;
const DIGITS = /\d/;

/** Letters without case and accents: what people mean when they type a name. */
export function fold(name: string): string {
  if (ASCII.test(name)) return name.toLowerCase();
  return name
    .normalize('NFKD')
    .replace(/\p{Mn}/gu, '')
    .toLowerCase();
}

/**
 * A string whose code-unit order is the natural order of names: "page 2" before "page 10".
 * Each run of digits gets its length in front, so that longer numbers are larger.
 */
export function naturalKey(name: string): string {
  const folded = fold(name);
  if (!DIGITS.test(folded)) return folded;
  return folded.replace(/\d+/g, (run) => {
    const digits = run.replace(/^0+(?=\d)/, '');
    return `0${String.fromCharCode(Math.min(digits.length, 0xffff))}${digits}`;
  });
}
