export { Log, logMark, logText } from './log.svelte';
export type { LogLine } from '$lib/backend';
