/** Speeds as people write them. */

export type RateUnit = 'K' | 'M' | 'G';

export const UNITS: readonly RateUnit[] = ['K', 'M', 'G'];

const FACTOR: Record<RateUnit, number> = { K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** What stands in a field for a speed, and in which unit. */
export interface RateDraft {
  text: string;
  unit: RateUnit;
}

export const NO_RATE: RateDraft = { text: '', unit: 'K' };

/** Bytes a second; null for an empty field; undefined for what is no speed. */
export function parseRate({ text, unit }: RateDraft): number | null | undefined {
  const trimmed = text.trim().replace(',', '.');
  if (trimmed === '') return null;
  if (!/^\d{1,9}(\.\d{1,6})?$/.test(trimmed)) return undefined;
  const rate = Math.round(Number(trimmed) * FACTOR[unit]);
  return rate >= 1 ? rate : undefined;
}

/** A speed in the largest unit that it is at least one of. */
export function draftOfRate(rate: number | null): RateDraft {
  if (rate === null) return NO_RATE;
  const unit = rate >= FACTOR.G ? 'G' : rate >= FACTOR.M ? 'M' : 'K';
  const value = rate / FACTOR[unit];
  // Enough digits to be the same number of bytes again, as good as that goes.
  return { text: String(Number(value.toFixed(value < 1 ? 6 : 3))), unit };
}
