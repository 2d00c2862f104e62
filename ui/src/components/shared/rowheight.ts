/** Rows are 26 px high, 32 px where a finger points; the style sheet says the same. */
export const ROW_HEIGHT =
  typeof matchMedia === 'function' && matchMedia('(pointer: coarse)').matches ? 32 : 26;
