import { createBackend } from '$lib/backend';
import { App } from './app.svelte';

/** The app over the backend of this place, or null where there is none. */
export async function createApp(): Promise<App | null> {
  const backend = await createBackend();
  return backend && new App(backend);
}
