export { Sites, type Draft } from './sites.svelte';
export type { KeyringStatus, Site, TlsMode } from '$lib/backend';
