import { describe, expect, it } from 'vitest';
import { App } from '$lib/app';
import { AppError } from '$lib/backend';
import { fakeBackend } from '$lib/backend/fake';

const DAMAGED = new AppError({
  code: 'local',
  message: 'settings.json is damaged at line 1, column 1: expected value.',
  detail: null,
  retryable: false,
});

describe('settings that can’t be read', () => {
  it('are told once, and --practice works all the same', async () => {
    const backend = fakeBackend({ delay: 0, practiceAtStart: true });
    backend.loadSettings = () => Promise.reject(DAMAGED);
    const app = new App(backend);
    await app.start();
    await expect.poll(() => app.tab.session?.title).toBe('practice.slipway');
    expect(app.preferences.version).toBe('0.1.0');
    const told = app.notices.list.filter(({ tone }) => tone === 'error');
    expect(told).toHaveLength(1);
    expect(told[0]?.title).toBe('The settings could not be read');
    expect(told[0]?.detail).toContain('line 1');
  });
});
