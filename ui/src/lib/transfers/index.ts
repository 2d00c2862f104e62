export { Queue } from './queue.svelte';
export { BLANK_SEND, Sending, type SendDraft, type SendProblem } from './sending.svelte';
export {
  Conflicts,
  DECISIONS,
  biggerOf,
  conflictOf,
  newerOf,
  type Decision,
  type Newer,
} from './conflicts.svelte';
export { LIMIT_NAMES, type LimitName, type LimitsDialog, type LimitsDraft } from './limits.svelte';
export { UNITS, draftOfRate, parseRate, type RateDraft } from '$lib/rate';
export { curveOf, type Sample } from './curve';
export { formatStart } from './start';
export { GROUPS, filesIn, groupOf, isOpen, type Line, type QueueGroup } from './projection';
export type {
  Checks,
  ConflictRule,
  Counts,
  JournalStatus,
  Priority,
  QueueSite,
  Receipt,
  TransferRow,
} from '$lib/backend';
