import { describe, expect, it } from 'vitest';
import { scrollToShow, windowOf } from './virtual';

describe('windowOf', () => {
  it('draws what is in sight and a few more', () => {
    expect(windowOf(100_000, 26, 26_000, 400, 6)).toEqual({ start: 994, end: 1023 });
  });

  it('draws all of a short list', () => {
    expect(windowOf(3, 26, 0, 400, 6)).toEqual({ start: 0, end: 3 });
    expect(windowOf(0, 26, 0, 400, 6)).toEqual({ start: 0, end: 0 });
  });

  it('still fills the window when the list has become shorter than the scroll position', () => {
    const { start, end } = windowOf(50, 26, 100_000, 260, 2);
    expect(end).toBe(50);
    expect(end - start).toBeGreaterThanOrEqual(11);
  });
});

describe('scrollToShow', () => {
  it('moves only as far as needed', () => {
    expect(scrollToShow(5, 26, 0, 400)).toBe(0);
    expect(scrollToShow(20, 26, 0, 400)).toBe(21 * 26 - 400);
    expect(scrollToShow(2, 26, 500, 400)).toBe(52);
  });
});
