export { Queue } from './queue.svelte';
export { Sending, type ExistsQuestion } from './sending.svelte';
export { groupOf, type QueueGroup } from './projection';
export type { TransferRow } from '$lib/backend';
