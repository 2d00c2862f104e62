export { App } from './app.svelte';
