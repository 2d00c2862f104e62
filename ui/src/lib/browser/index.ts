export { Pane } from './pane.svelte';
export { Drags } from './drags.svelte';
export type { Entry } from './entry';
export type { Column, SortOrder } from './sort';
export { COLUMNS, Columns, type ColumnInfo } from './columns.svelte';
export type { Listing, Place, Row } from '$lib/backend';
