export { App, closesQuietly } from './app.svelte';
export type { CloseAsked } from '$lib/backend';
