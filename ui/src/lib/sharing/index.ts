export { Sharing, type ShareForm, type LimitDrafts, type LimitName } from './sharing.svelte';
export { REACH_THIS, REACH_EVERYWHERE, invitation, problemsOf, type FormProblem } from './form';
export type { QrCode, Reach, Share, ShareDraft, ShareMove, ShareVisitor } from '$lib/backend';
