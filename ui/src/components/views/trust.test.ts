import { render, screen, waitFor, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import axe from 'axe-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { App } from '$lib/app';
import { fakeBackend } from '$lib/backend/fake';
import Main from './Main.svelte';

beforeEach(() => localStorage.clear());

async function open() {
  const backend = fakeBackend({ delay: 0, bigFolder: 10 });
  const app = new App(backend);
  render(Main, { app });
  await app.start();
  const user = userEvent.setup();
  const connect = async (address: string) => {
    await user.clear(screen.getByTestId('connect-address'));
    await user.type(screen.getByTestId('connect-address'), `${address}{Enter}`);
    return screen.findByTestId('dialog-certificate');
  };
  return { app, backend, user, connect };
}

describe('an unknown certificate', () => {
  it.each(['cert.example.com', 'changed.example.com'])(
    'is not accepted by the Enter key: %s',
    async (address) => {
      const { user, backend, connect } = await open();
      const dialog = await connect(address);
      expect(document.activeElement).toBe(within(dialog).getByTestId('dialog-cancel'));
      await user.keyboard('{Enter}');
      await waitFor(() => expect(screen.queryByTestId('dialog-certificate')).toBeNull());
      expect(backend.sessions()).toEqual([]);
    },
  );

  it('says why it could not be verified in a sentence', async () => {
    const { connect } = await open();
    const dialog = await connect('cert.example.com');
    expect(dialog.textContent).toContain(
      'could not verify the certificate of cert.example.com:21. No authority trusted here has signed it.',
    );
  });

  it('that is trusted always is listed in the settings, and can be forgotten', async () => {
    const { user, app, connect } = await open();
    await connect('cert.one.example');
    await user.click(screen.getByTestId('trust-always'));
    await waitFor(() => expect(app.tab.session?.host).toBe('cert.one.example'));
    await connect('cert.two.example');
    await user.click(screen.getByTestId('trust-always'));
    await waitFor(() => expect(app.tab.session?.host).toBe('cert.two.example'));

    await user.click(screen.getByTestId('settings-button'));
    const rows = await screen.findAllByTestId('trusted-row');
    expect(rows.map((row) => row.dataset['host'])).toEqual([
      'cert.one.example',
      'cert.two.example',
    ]);
    expect(rows[0]?.textContent).toContain('CN=cert.one.example');
    expect(rows[0]?.textContent).toContain('5F:1D:8A');
    const { violations } = await axe.run(screen.getByTestId('dialog-settings'), {
      rules: { 'color-contrast': { enabled: false } },
    });
    expect(violations.map(({ id }) => id)).toEqual([]);

    await user.click(within(rows[0] as HTMLElement).getByTestId('trusted-forget'));
    await waitFor(() => expect(screen.getAllByTestId('trusted-row')).toHaveLength(1));
    await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId('trusted-forget')));
    await user.click(screen.getByTestId('dialog-close'));
    await connect('cert.one.example');
  });

  it('that can’t be forgotten stays, with the reason', async () => {
    const { user, backend, connect, app } = await open();
    await connect('cert.one.example');
    await user.click(screen.getByTestId('trust-always'));
    await waitFor(() => expect(app.tab.session).not.toBeNull());
    backend.forgetTrusted = () => Promise.reject(new Error('trusted.json is read-only'));
    await user.click(screen.getByTestId('settings-button'));
    await user.click(await screen.findByTestId('trusted-forget'));
    const alert = await within(screen.getByTestId('setting-trusted')).findByRole('alert');
    expect(alert.parentElement?.textContent).toContain('trusted.json is read-only');
    expect(screen.getAllByTestId('trusted-row')).toHaveLength(1);
  });
});
