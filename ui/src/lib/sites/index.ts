export { Sites, type Draft, type DraftField, type DraftProblem } from './sites.svelte';
export type { KeyringStatus, Site, TlsMode } from '$lib/backend';
