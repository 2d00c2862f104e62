import { render, screen, waitFor, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import axe from 'axe-core';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { App } from '$lib/app';
import type { Share } from '$lib/backend';
import { fakeBackend, type FakeBackend } from '$lib/backend/fake';
import { invitation } from '$lib/sharing';
import Main from './Main.svelte';

interface Window {
  app: App;
  backend: FakeBackend;
  user: ReturnType<typeof userEvent.setup>;
}

async function open(): Promise<Window> {
  const backend = fakeBackend({ delay: 0, bigFolder: 10 });
  const app = new App(backend);
  render(Main, { app });
  await app.start();
  await local('index.html');
  return { app, backend, user: userEvent.setup() };
}

function local(name: string): Promise<HTMLElement> {
  return waitFor(() => {
    const row = screen
      .getByTestId('grid-local')
      .querySelector<HTMLElement>(`[data-name="${name}"]`);
    if (!row) throw new Error(`no row ${name}`);
    return row;
  });
}

const field = (testid: string) => screen.getByTestId<HTMLInputElement>(testid);

const reach = (name: string) => {
  const radio = screen
    .getAllByTestId<HTMLInputElement>('share-reach')
    .find((one) => one.dataset['reach'] === name);
  if (!radio) throw new Error(`no ${name}`);
  return radio;
};

/** The open folder, shared on this computer. */
async function shared({ user, backend }: Window): Promise<Share> {
  await user.click(screen.getByTestId('share-button'));
  await screen.findByTestId('dialog-share');
  await user.click(reach('this'));
  await user.click(screen.getByTestId('share-go'));
  await screen.findByTestId('dialog-shares');
  const share = backend.shares.list[0];
  if (!share) throw new Error('nothing is shared');
  return share;
}

async function findings(): Promise<string[]> {
  const { violations } = await axe.run(document, {
    rules: { 'color-contrast': { enabled: false } },
  });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
}

beforeEach(() => {
  localStorage.clear();
  document.documentElement.lang = 'en';
  document.title = 'Slipway';
  vi.restoreAllMocks();
});

describe('before a folder is shared', () => {
  it('says who could reach it, and opens nothing by itself', async () => {
    const window = await open();
    await window.user.click(screen.getByTestId('share-button'));
    await screen.findByTestId('dialog-share');
    expect(window.backend.shares.list).toEqual([]);
    expect(screen.queryByTestId('sharing-sign')).toBeNull();
    const go = screen.getByTestId('share-go');
    expect(go.textContent).toBe('Share on this network');
    expect(reach('192.168.1.20').checked).toBe(true);
    await window.user.click(reach('everywhere'));
    expect(go.textContent).toBe('Share on every network');
    await window.user.click(reach('this'));
    expect(go.textContent).toBe('Share on this computer');
    expect(field('share-read-only').checked).toBe(true);
    expect(field('share-encryption').value).toBe('required');
    expect(await findings()).toEqual([]);
    await window.user.click(screen.getByTestId('dialog-cancel'));
    expect(screen.queryByTestId('dialog-share')).toBeNull();
    expect(window.backend.shares.list).toEqual([]);
  });

  it('offers this computer alone where there is no network', async () => {
    const window = await open();
    window.backend.shares.networks = [];
    await window.user.click(screen.getByTestId('share-button'));
    await screen.findByTestId('dialog-share');
    expect(reach('this').checked).toBe(true);
    expect(screen.getByText('This computer is in no network now.')).toBeTruthy();
  });

  it('warns of a folder with too much in it', async () => {
    const window = await open();
    window.backend.shares.wide = 'home';
    await window.user.click(screen.getByTestId('share-button'));
    expect((await screen.findByTestId('share-wide')).dataset['wide']).toBe('home');
  });

  it('takes the folder of the menu, else the one that is open', async () => {
    const window = await open();
    await window.user.pointer({ keys: '[MouseRight]', target: await local('assets') });
    const menu = await screen.findByTestId('context-menu');
    const item = menu.querySelector<HTMLElement>('[data-action="share"]');
    expect(item?.textContent).toContain('Share “assets”…');
    if (item) await window.user.click(item);
    const dialog = await screen.findByTestId('dialog-share');
    expect(within(dialog).getByText('/home/me/site/assets')).toBeTruthy();
    await window.user.click(screen.getByTestId('dialog-cancel'));

    // A file can't be shared: the folder it is in can.
    await window.user.click(await local('index.html'));
    await window.user.keyboard('{Control>}{Shift>}s{/Shift}{/Control}');
    expect(
      within(await screen.findByTestId('dialog-share')).getByText('/home/me/site'),
    ).toBeTruthy();
  });

  it('wants a password that can’t be guessed, a user, and a port that is one', async () => {
    const window = await open();
    await window.user.click(screen.getByTestId('share-button'));
    await screen.findByTestId('dialog-share');
    const go = screen.getByTestId<HTMLButtonElement>('share-go');
    const wrong = async (testid: string, bad: string, good: string) => {
      await window.user.clear(field(testid));
      if (bad) await window.user.type(field(testid), bad);
      expect(field(testid).getAttribute('aria-invalid')).toBe('true');
      expect(go.disabled).toBe(true);
      await window.user.clear(field(testid));
      if (good) await window.user.type(field(testid), good);
      expect(field(testid).getAttribute('aria-invalid')).toBe('false');
      expect(go.disabled).toBe(false);
    };
    await wrong('share-user', '', 'anna');
    await wrong('share-password', 'short', 'long enough');
    await wrong('share-port', '65536', '2121');
    await wrong('share-port', '0', '');
    await wrong('share-download', 'fast', '2');
    await window.user.click(screen.getByTestId('share-new-password'));
    await waitFor(() => expect(field('share-password').value).toMatch(/^tide-/));
  });

  it('says why it was not shared, and lets the person go on', async () => {
    const window = await open();
    window.backend.shares.taken.add(2121);
    await window.user.click(screen.getByTestId('share-button'));
    await screen.findByTestId('dialog-share');
    await window.user.type(field('share-port'), '2121');
    await window.user.click(screen.getByTestId('share-go'));
    expect((await screen.findByTestId('share-error')).textContent).toContain('2121');
    await window.user.clear(field('share-port'));
    await window.user.click(screen.getByTestId('share-go'));
    await screen.findByTestId('dialog-shares');
    expect(window.backend.shares.list).toHaveLength(1);
  });

  it('asks for what the person chose, and for nothing else', async () => {
    const window = await open();
    const ask = vi.spyOn(window.backend, 'shareFolder');
    await window.user.click(screen.getByTestId('share-button'));
    await screen.findByTestId('dialog-share');
    await window.user.click(field('share-read-only'));
    await window.user.selectOptions(screen.getByTestId('share-encryption'), 'offered');
    expect(screen.getByText(/can be read on the network/)).toBeTruthy();
    await window.user.type(field('share-upload'), '3');
    await window.user.selectOptions(screen.getByTestId('share-upload-unit'), 'M');
    await window.user.click(screen.getByTestId('share-go'));
    await screen.findByTestId('dialog-shares');
    expect(ask.mock.calls[0]?.[0]).toMatchObject({
      reach: { kind: 'network', address: '192.168.1.20' },
      port: 0,
      user: 'guest',
      readOnly: false,
      encryption: 'offered',
      limits: { download: null, upload: 3 * 1024 ** 2 },
    });
  });
});

describe('a shared folder', () => {
  it('shows all that others need, to copy and as a QR code', async () => {
    const window = await open();
    const share = await shared(window);
    const copied: string[] = [];
    vi.spyOn(window.app.notices, 'copy').mockImplementation(async (text) => {
      copied.push(text);
    });
    for (const name of ['address', 'user', 'password', 'fingerprint']) {
      await window.user.click(screen.getByTestId(`share-copy-${name}`));
    }
    await window.user.click(screen.getByTestId('share-copy-all'));
    expect(copied).toEqual([
      share.addresses[0],
      share.user,
      share.password,
      share.fingerprint,
      invitation(share),
    ]);
    expect(invitation(share)).toContain(`Password: ${share.password}`);
    // The code holds the password only when that is asked for.
    expect((await screen.findByTestId('share-qr')).dataset['text']).toContain('guest@127.0.0.1');
    await window.user.click(screen.getByTestId('share-qr-password'));
    await waitFor(() => expect(screen.getByTestId('share-qr').dataset['text']).toBeUndefined());
    expect(await findings()).toEqual([]);
  });

  it('is seen in the top bar until it is stopped', async () => {
    const window = await open();
    await shared(window);
    await window.user.click(screen.getByTestId('dialog-close'));
    const sign = screen.getByTestId('sharing-sign');
    expect(sign.dataset['shares']).toBe('1');
    await window.user.click(sign);
    await screen.findByTestId('dialog-shares');
    await window.user.click(screen.getByTestId('share-stop'));
    await waitFor(() => expect(screen.queryByTestId('sharing-sign')).toBeNull());
    expect(window.backend.shares.list).toEqual([]);
    expect(screen.getByTestId('dialog-shares').textContent).toContain('No folder is shared');
    expect(await findings()).toEqual([]);
    await window.user.click(screen.getByTestId('share-next'));
    expect(
      within(await screen.findByTestId('dialog-share')).getByText('/home/me/site'),
    ).toBeTruthy();
  });

  it('shows who is there, what they take, and sends them away', async () => {
    const window = await open();
    const { id } = await shared(window);
    const { shares } = window.backend;
    shares.visit(id, { id: 7, user: null });
    const visitor = await screen.findByTestId('share-visitor');
    expect(visitor.textContent).toContain('not logged in yet');
    expect(window.app.sharing.visitors).toBe(0);
    const moving = { direction: 'download', path: '/logo.svg', bytes: 512, total: 1024 } as const;
    shares.visit(id, { id: 7, moving });
    await waitFor(() =>
      expect(screen.getByTestId('share-visitor').textContent).toContain('downloads /logo.svg'),
    );
    expect(screen.getByTestId('share-visitor').textContent).toContain('50 %');
    expect(window.app.notices.spoken).toBe('guest has connected to site from 192.168.1.33');
    shares.moved(id, { path: '/logo.svg', bytes: 1024 });
    shares.moved(id, { path: '/big.iso', outcome: 'aborted' });
    await waitFor(() =>
      expect(
        screen
          .getAllByTestId('share-move')
          .map(({ dataset }) => [dataset['path'], dataset['outcome']]),
      ).toEqual([
        ['/big.iso', 'aborted'],
        ['/logo.svg', 'complete'],
      ]),
    );
    expect(screen.getByTestId('share-totals').textContent).toContain('1 file, 1 KB');
    expect(window.app.notices.spoken).toBe('/logo.svg was downloaded, 1 KB');
    shares.change(id, { refused: 3 });
    await waitFor(() =>
      expect(screen.getByTestId('share-refused').textContent).toContain('3 logins'),
    );
    expect(await findings()).toEqual([]);
    await window.user.click(screen.getByTestId('share-kick'));
    await waitFor(() => expect(screen.queryByTestId('share-visitor')).toBeNull());
    expect(shares.kicked).toEqual([[id, 7]]);
  });

  it('asks before it cuts somebody off', async () => {
    const window = await open();
    const { id } = await shared(window);
    const moving = { direction: 'upload', path: '/a', bytes: 1, total: null } as const;
    window.backend.shares.visit(id, { id: 1, moving });
    await screen.findByText('uploads /a');
    await window.user.click(screen.getByTestId('share-stop'));
    await screen.findByText('A transfer is under way. Stop all the same?');
    await window.user.click(screen.getByText('Keep sharing'));
    expect(window.backend.shares.list).toHaveLength(1);
    await window.user.click(screen.getByTestId('share-stop'));
    await window.user.click(await screen.findByTestId('share-stop-anyway'));
    await waitFor(() => expect(window.backend.shares.list).toEqual([]));
  });

  it('is limited while it is shared', async () => {
    const window = await open();
    const { id } = await shared(window);
    const limit = () =>
      window.backend.shares.list.find((share) => share.id === id)?.limits.download;
    await window.user.type(field('share-limit-download'), '64');
    await waitFor(() => expect(limit()).toBe(64 * 1024));
    await window.user.type(field('share-limit-download'), 'x');
    expect(field('share-limit-download').getAttribute('aria-invalid')).toBe('true');
    expect(limit()).toBe(64 * 1024);
    await window.user.clear(field('share-limit-download'));
    await waitFor(() => expect(limit()).toBeNull());
    // Nobody can upload here.
    expect(screen.queryByTestId('share-limit-upload')).toBeNull();
  });

  it('is one of several, and shown instead of being shared twice', async () => {
    const window = await open();
    const first = await shared(window);
    await window.user.click(screen.getByTestId('dialog-close'));
    await window.user.click(await local('assets'));
    await window.user.click(screen.getByTestId('share-button'));
    await screen.findByTestId('dialog-share');
    await window.user.click(screen.getByTestId('share-go'));
    await waitFor(() => expect(screen.getAllByTestId('share-row')).toHaveLength(2));
    expect(screen.getByTestId('sharing-sign').textContent).toContain('Sharing 2');
    expect(screen.getByTestId('share-fact-address').dataset['value']).toContain('192.168.1.20');
    await window.user.click(screen.getByTestId('dialog-close'));

    await window.user.click(await local('index.html'));
    await window.user.click(screen.getByTestId('share-button'));
    await screen.findByTestId('dialog-shares');
    expect(window.app.sharing.current?.id).toBe(first.id);
    expect(window.backend.shares.list).toHaveLength(2);
    await window.app.sharing.stopAll();
    expect(window.backend.shares.list).toEqual([]);
  });

  it('holds the window open while somebody takes something', async () => {
    const window = await open();
    window.backend.emitCloseAsked({ unfinished: 0, kept: true, serving: 1 });
    const dialog = await screen.findByTestId('dialog-closing');
    expect(dialog.textContent).toContain('visitors of your shared folders are cut off');
    expect(window.backend.closeAnswers).toEqual([false]);
    await window.user.click(screen.getByTestId('close-anyway'));
    expect(window.backend.closeAnswers).toEqual([false, true]);
  });
});
