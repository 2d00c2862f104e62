export { matches } from './keys';
export { search } from './search';

/** Something a person can do: by key, from the palette, from a menu or a button. */
export interface Action {
  id: string;
  title: string;
  /** As shown and as matched, e.g. "Ctrl+Enter". */
  keys: string | null;
  /** Works anywhere, or only while a file list (or nothing) has the keyboard. */
  scope: 'everywhere' | 'list';
  enabled(): boolean;
  run(): void;
}
