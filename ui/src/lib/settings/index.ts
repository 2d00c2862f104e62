export { Preferences, RULES, THEMES } from './settings.svelte';
export type { Theme, TrustedCertificate } from '$lib/backend';
