import { en } from './en';

/** The catalogue in use. A translation is one more file of this shape. */
export type Messages = typeof en;
export const t: Messages = en;
