import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const at = (path: string) => decodeURI(new URL(path, import.meta.url).pathname);

export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  // Relative addresses: the page is served from tauri://localhost in the app.
  base: './',
  clearScreen: false,
  resolve: {
    alias: { $lib: at('./src/lib'), $components: at('./src/components') },
    // Without this, vitest picks Svelte's server build.
    conditions: mode === 'test' ? ['browser'] : undefined,
  },
  server: { port: 1420, strictPort: true },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    // WebKitGTK 2.50, WKWebView of macOS 14.5, WebView2: the oldest engines we run on.
    target: ['safari17.5', 'chrome123'],
    cssTarget: ['safari17.5', 'chrome123'],
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.ts'],
    setupFiles: ['src/test-setup.ts'],
    restoreMocks: true,
    testTimeout: 30_000,
  },
}));
