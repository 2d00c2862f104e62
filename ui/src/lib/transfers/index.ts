export { Queue } from './queue.svelte';
export { groupOf, type QueueGroup } from './projection';
export type { TransferRow } from '$lib/backend';
