export { Preferences, THEMES } from './settings.svelte';
export type { Theme } from '$lib/backend';
