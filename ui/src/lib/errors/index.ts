export { describe, type ErrorAction, type ErrorWords } from './describe';
export type { ErrorData } from '$lib/backend';
