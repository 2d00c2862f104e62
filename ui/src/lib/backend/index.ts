import type { Backend } from './types';

export * from './types';
export * from './empty';
export { AppError, toAppError } from './error';

/**
 * The shell when we run in it; otherwise, in development, the fake one in memory.
 * A production build in a plain browser has no backend: null.
 */
export async function createBackend(): Promise<Backend | null> {
  if ('__TAURI_INTERNALS__' in window) {
    const { shellBackend } = await import('./shell');
    return shellBackend();
  }
  if (import.meta.env.MODE !== 'production') {
    const { fakeBackend } = await import('./fake');
    return fakeBackend();
  }
  return null;
}
