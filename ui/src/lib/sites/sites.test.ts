import { describe, expect, it } from 'vitest';
import { fakeBackend } from '$lib/backend/fake';
import { SITES } from '$lib/backend/fake-facts';
import { Notices } from '$lib/notices/notices.svelte';
import { Sites } from './sites.svelte';

async function afterDeleting(keyring: boolean) {
  const sites = SITES.map((site) => ({ ...site, passwordStored: true }));
  const notices = new Notices();
  const store = new Sites(fakeBackend({ delay: 0, keyring, sites }), notices);
  await store.load();
  store.show();
  await store.remove();
  return { store, notice: notices.list[0] };
}

describe('deleting a site', () => {
  it('works without a keyring, and says what may be left there', async () => {
    const { store, notice } = await afterDeleting(false);
    expect(store.list).toEqual([]);
    expect(notice?.tone).toBe('error');
    expect(notice?.text).toContain('may still be in it');
    expect(notice?.detail).toContain('org.freedesktop.secrets');
  });

  it('says no more than that where the keyring works', async () => {
    const { store, notice } = await afterDeleting(true);
    expect(store.list).toEqual([]);
    expect(notice?.tone).toBe('success');
  });
});
