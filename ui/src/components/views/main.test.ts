import { render, screen, waitFor, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import axe from 'axe-core';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { App } from '$lib/app';
import { fakeBackend, type FakeBackend, type FakeOptions } from '$lib/backend/fake';
import Main from './Main.svelte';

interface Window {
  app: App;
  backend: FakeBackend;
  user: ReturnType<typeof userEvent.setup>;
}

async function open(options: FakeOptions = {}): Promise<Window> {
  const backend = fakeBackend({ delay: 0, bigFolder: 300, ...options });
  const app = new App(backend);
  render(Main, { app });
  await app.start();
  await rowNamed('local', 'index.html');
  return { app, backend, user: userEvent.setup() };
}

const pane = (side: 'local' | 'remote') => screen.findByTestId(`pane-${side}`);

function rowNamed(side: 'local' | 'remote', name: string): Promise<HTMLElement> {
  return waitFor(() => {
    const grid = screen.getByTestId(`grid-${side}`);
    const row = grid.querySelector<HTMLElement>(`[data-name="${name}"]`);
    if (!row) throw new Error(`no row ${name}`);
    return row;
  });
}

const gone = (side: 'local' | 'remote', name: string) =>
  waitFor(() =>
    expect(screen.getByTestId(`grid-${side}`).querySelector(`[data-name="${name}"]`)).toBeNull(),
  );

async function practice(window: Window): Promise<void> {
  await window.user.click(screen.getByTestId('practice-button'));
  await rowNamed('remote', 'index.html');
}

async function connectTo(window: Window, address: string, user = 'editor'): Promise<void> {
  const field = screen.getByTestId('connect-address');
  await window.user.clear(field);
  await window.user.type(field, address);
  await window.user.type(screen.getByTestId('connect-user'), user);
  await window.user.click(screen.getByTestId('connect-button'));
}

async function findings(): Promise<string[]> {
  // Colours need a layout: they are checked in the real window.
  const { violations } = await axe.run(document, {
    rules: { 'color-contrast': { enabled: false } },
  });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
}

beforeEach(() => {
  localStorage.clear();
  document.documentElement.lang = 'en';
  document.title = 'Slipway';
});

describe('connecting', () => {
  it('opens the practice site by one click and names the window after it', async () => {
    const window = await open();
    await practice(window);
    expect(window.backend.titles.at(-1)).toBe('practice.slipway — Slipway');
    expect(screen.getByTestId('lock-button').dataset['security']).toBe('pinned');
    expect((await pane('remote')).dataset['path']).toBe('/www');
  });

  it('connects to it at start when asked to', async () => {
    await open({ practiceAtStart: true });
    await rowNamed('remote', 'index.html');
  });

  it('shows the certificate, and trusts it always', async () => {
    const window = await open();
    await connectTo(window, 'cert.example.com');
    const dialog = await screen.findByTestId('dialog-certificate');
    expect(dialog.textContent).toContain('CN=cert.example.com');
    expect(dialog.textContent).toContain('5F:1D:8A');
    expect(dialog.dataset['changed']).toBe('false');
    await window.user.click(screen.getByTestId('trust-always'));
    await rowNamed('remote', 'index.html');
    expect(screen.queryByTestId('dialog-certificate')).toBeNull();
    await connectTo(window, 'cert.example.com');
    await waitFor(() => expect(screen.getAllByTestId('tab')).toHaveLength(2));
  });

  it('is loud when another certificate was trusted before, and leaves on cancel', async () => {
    const window = await open();
    await connectTo(window, 'changed.example.com');
    const dialog = await screen.findByTestId('dialog-certificate');
    expect(dialog.dataset['changed']).toBe('true');
    await window.user.click(within(dialog).getByTestId('dialog-cancel'));
    expect(window.backend.sessions()).toEqual([]);
    expect(screen.getByTestId('start-page')).toBeTruthy();
  });

  it('asks before it goes on without encryption', async () => {
    const window = await open();
    await connectTo(window, 'plain.example.com');
    await screen.findByTestId('dialog-plaintext');
    await window.user.click(screen.getByTestId('plaintext-go'));
    await rowNamed('remote', 'index.html');
    expect(screen.getByTestId('lock-button').dataset['security']).toBe('plain');
  });

  it('says when only the commands are encrypted', async () => {
    const window = await open();
    await connectTo(window, 'half.example.com');
    await rowNamed('remote', 'index.html');
    expect(screen.getByTestId('lock-button').dataset['security']).toBe('half');
  });

  it('asks for the password, again when it was refused', async () => {
    const window = await open();
    await connectTo(window, 'ask.example.com');
    await window.user.type(await screen.findByTestId('password-input'), 'wrong');
    await window.user.click(screen.getByTestId('password-go'));
    await waitFor(() =>
      expect(screen.getByTestId('dialog-password').dataset['reason']).toBe('refused'),
    );
    await window.user.type(screen.getByTestId('password-input'), 'right{Enter}');
    await rowNamed('remote', 'index.html');
  });

  it('says so when there is no keyring', async () => {
    const window = await open({ keyring: false });
    await window.user.click(screen.getByTestId('start-site'));
    const dialog = await screen.findByTestId('dialog-password');
    expect(within(dialog).getByTestId('password-no-keyring')).toBeTruthy();
    expect(within(dialog).queryByTestId('password-remember')).toBeNull();
  });

  it('remembers addresses, never passwords', async () => {
    const window = await open();
    await connectTo(window, 'ftp://me:hunter2@files.example.com/x');
    await rowNamed('remote', 'index.html');
    const stored = JSON.stringify(localStorage);
    expect(stored).toContain('ftp://me@files.example.com/x');
    expect(stored).not.toContain('hunter2');
    expect(window.app.tab.request?.address).toBe('ftp://me@files.example.com/x');
    expect(screen.getByTestId<HTMLInputElement>('connect-address').value).toBe(
      'ftp://me@files.example.com/x',
    );
  });

  it('tells what went wrong in words, with the raw line at hand', async () => {
    const window = await open();
    await connectTo(window, 'dead.example.com');
    const toast = await screen.findByTestId('toast');
    expect(toast.textContent).toContain('The server does not answer');
    expect(toast.querySelector('pre')?.textContent).toContain('Connection refused');
    expect(screen.getByTestId('live-region').textContent).toContain('does not answer');
  });

  it('disconnects when the tab is closed', async () => {
    const window = await open();
    await practice(window);
    expect(window.backend.sessions()).toHaveLength(1);
    await window.user.click(screen.getByTestId('tab-close'));
    await waitFor(() => expect(window.backend.sessions()).toEqual([]));
    expect(screen.getByTestId('start-page')).toBeTruthy();
    expect(window.backend.titles.at(-1)).toBe('Slipway');
  });
});

describe('browsing', () => {
  it('opens folders, goes up to where it came from, back and forward', async () => {
    const { user } = await open();
    await user.dblClick(await rowNamed('local', 'blog'));
    await rowNamed('local', 'first-post.html');
    await user.keyboard('{Backspace}');
    const row = await rowNamed('local', 'blog');
    await waitFor(() => expect(row.getAttribute('aria-selected')).toBe('true'));
    await user.keyboard('{Alt>}{ArrowLeft}{/Alt}');
    await rowNamed('local', 'first-post.html');
    await user.click(screen.getByTestId('back-local'));
    await rowNamed('local', 'blog');
    await user.click(screen.getByTestId('forward-local'));
    await rowNamed('local', 'first-post.html');
  });

  it('closes the listings that it no longer shows', async () => {
    const { user, backend } = await open();
    await user.dblClick(await rowNamed('local', 'blog'));
    await rowNamed('local', 'first-post.html');
    await user.keyboard('{F5}');
    await waitFor(() => expect(backend.openListings()).toHaveLength(1));
  });

  it('goes to a typed path and says when there is none', async () => {
    const { user } = await open();
    (await pane('local')).querySelector<HTMLElement>('[role=grid]')?.focus();
    await user.keyboard('{Control>}l{/Control}');
    const field = await screen.findByTestId('path-field-local');
    await user.clear(field);
    await user.type(field, '/nowhere{Enter}');
    const banner = await screen.findByTestId('pane-error-local');
    expect(banner.dataset['code']).toBe('not-found');
    expect(banner.textContent).toContain('No such file or directory');
    expect((await pane('local')).dataset['path']).toBe('/home/me/site');
  });

  it('sorts by a column, filters, and shows hidden files', async () => {
    const { user } = await open();
    const names = () =>
      [...screen.getByTestId('grid-local').querySelectorAll<HTMLElement>('[data-name]')].map(
        (row) => row.dataset['name'],
      );
    expect(names().slice(0, 6)).toEqual([
      'assets',
      'blog',
      'images',
      'chapter 1.html',
      'chapter 2.html',
      'chapter 10.html',
    ]);
    await user.click(within(screen.getByTestId('grid-local')).getByText('Size'));
    await waitFor(() => expect(names()[3]).toBe('robots.txt'));
    expect(names()).not.toContain('.htaccess');
    await user.keyboard('{Control>}h{/Control}');
    await rowNamed('local', '.htaccess');
    await user.click(screen.getByTestId('filter-local'));
    await user.type(screen.getByTestId('filter-input-local'), 'uberbl');
    await waitFor(() => expect(names()).toEqual(['Überblick.html']));
    await user.keyboard('{Escape}');
    await rowNamed('local', 'robots.txt');
  });

  it('never acts on what the filter hides', async () => {
    const { user, app } = await open();
    await user.click(await rowNamed('local', 'robots.txt'));
    await user.click(screen.getByTestId('filter-local'));
    await user.type(screen.getByTestId('filter-input-local'), 'chapter');
    await gone('local', 'robots.txt');
    expect(app.local.chosen()).toEqual([]);
  });

  it('selects by keyboard', async () => {
    const { user, app } = await open();
    await user.click(await rowNamed('local', 'assets'));
    await user.keyboard('{ArrowDown}{Shift>}{ArrowDown}{ArrowDown}{/Shift}');
    expect(app.local.selection.size).toBe(3);
    await user.keyboard('{Control>}a{/Control}');
    expect(app.local.selection.size).toBe(12);
    await user.keyboard('{Escape}{Home} {ArrowDown} ');
    expect(app.local.chosen().map((entry) => entry.row.name)).toEqual(['assets', 'images']);
    await user.keyboard('rob');
    const row = await rowNamed('local', 'robots.txt');
    expect(row.getAttribute('aria-selected')).toBe('true');
  });

  it('makes, renames and deletes', async () => {
    const { user } = await open();
    (await pane('local')).querySelector<HTMLElement>('[role=grid]')?.focus();
    await user.keyboard('{F7}');
    await user.clear(await screen.findByTestId('newfolder-input'));
    await user.type(screen.getByTestId('newfolder-input'), 'drafts{Enter}');
    const made = await rowNamed('local', 'drafts');
    await waitFor(() => expect(made.getAttribute('aria-selected')).toBe('true'));
    await user.keyboard('{F2}');
    await user.clear(await screen.findByTestId('rename-input'));
    await user.type(screen.getByTestId('rename-input'), 'old drafts{Enter}');
    await rowNamed('local', 'old drafts');
    await gone('local', 'drafts');
    await waitFor(async () =>
      expect((await rowNamed('local', 'old drafts')).getAttribute('aria-selected')).toBe('true'),
    );
    await user.keyboard('{Delete}');
    expect((await screen.findByTestId('dialog-delete')).textContent).toContain('old drafts');
    await user.click(screen.getByTestId('delete-go'));
    await gone('local', 'old drafts');
  });

  it('reports what could not be deleted', async () => {
    const window = await open();
    await practice(window);
    await window.user.click(screen.getByTestId('up-remote'));
    await window.user.click(await rowNamed('remote', 'readme.txt'));
    await window.user.click(screen.getByTestId('delete-remote'));
    await window.user.click(await screen.findByTestId('delete-go'));
    const toast = await screen.findByTestId('toast');
    expect(toast.textContent).toContain('550 readme.txt');
    await rowNamed('remote', 'readme.txt');
  });

  it('follows changes from outside and keeps the selection', async () => {
    const { user, backend, app } = await open();
    await user.click(await rowNamed('local', 'robots.txt'));
    const folder = backend.local.find('/home/me/site');
    folder.children?.set('a new file', backend.local.file('a new file', 1));
    backend.emitFolderChanged(app.local.listing?.id ?? -1);
    await rowNamed('local', 'a new file');
    expect((await rowNamed('local', 'robots.txt')).getAttribute('aria-selected')).toBe('true');
  });
});

describe('transfers', () => {
  it('uploads the selection and shows it arriving', async () => {
    const window = await open();
    await practice(window);
    await window.user.click(await rowNamed('local', 'robots.txt'));
    await window.user.click(screen.getByTestId('toolbar-upload'));
    const row = await screen.findByTestId('queue-row');
    expect(row.dataset['name']).toBe('robots.txt');
    await waitFor(() => expect(screen.getByTestId('queue-row').dataset['state']).toBe('done'));
    await rowNamed('remote', 'robots.txt');
    await window.user.click(screen.getByTestId('queue-clear'));
    await waitFor(() => expect(screen.queryByTestId('queue-row')).toBeNull());
  });

  it('cancels one, and tries it again', async () => {
    const window = await open();
    await practice(window);
    await window.user.click(await rowNamed('local', 'video.mp4'));
    await window.user.keyboard('{Control>}{Enter}{/Control}');
    await window.user.click(await screen.findByTestId('queue-cancel'));
    await waitFor(() => expect(screen.getByTestId('queue-row').dataset['state']).toBe('cancelled'));
    await window.user.click(screen.getByTestId('queue-retry'));
    await waitFor(() => expect(screen.getByTestId('queue-row').dataset['state']).toBe('running'));
    window.backend.queue.cancel([1]);
  });

  it('takes a drag from pane to pane, and shows where it lands', async () => {
    const window = await open();
    await practice(window);
    const row = await rowNamed('local', 'robots.txt');
    const target = await pane('remote');
    vi.spyOn(document, 'elementFromPoint').mockReturnValue(target);
    await window.user.pointer([
      { keys: '[MouseLeft>]', target: row, coords: { clientX: 10, clientY: 10 } },
      { target, coords: { clientX: 300, clientY: 40 } },
    ]);
    expect(target.dataset['drop']).toBe('yes');
    await window.user.pointer({ keys: '[/MouseLeft]', target });
    expect(target.dataset['drop']).toBeUndefined();
    expect((await screen.findByTestId('queue-row')).dataset['direction']).toBe('upload');
  });

  it("takes a drop from the system's file manager", async () => {
    const window = await open();
    await practice(window);
    const target = await pane('remote');
    vi.spyOn(document, 'elementFromPoint').mockReturnValue(target);
    const drag = { x: 5, y: 5, drop: null, names: ['a.txt', 'b.txt'] };
    window.backend.emitSystemDrag({ ...drag, phase: 'enter' });
    await waitFor(() => expect(target.dataset['drop']).toBe('yes'));
    expect(target.textContent).toContain('Copy 2 items to www');
    window.backend.emitSystemDrag({ ...drag, phase: 'drop', drop: 7 });
    await rowNamed('remote', 'dropped-7.txt');
    expect(target.dataset['drop']).toBeUndefined();
  });
});

describe('sites', () => {
  it('saves a site with its password in the keyring, and connects', async () => {
    const { user, backend } = await open({ sites: [] });
    await user.click(screen.getByTestId('start-new-site'));
    await user.click(await screen.findByTestId('site-save'));
    expect(screen.getByText('Enter the server’s host name.')).toBeTruthy();
    await user.type(screen.getByTestId('site-name'), 'Pier');
    await user.type(screen.getByTestId('site-host'), 'ftp.pier.example');
    await user.type(screen.getByTestId('site-user'), 'me');
    await user.type(screen.getByTestId('site-password'), 'secret');
    await user.click(screen.getByTestId('site-remember'));
    await user.click(screen.getByTestId('site-save'));
    await waitFor(() => expect([...backend.passwords.values()]).toEqual(['secret']));
    expect(screen.getByTestId<HTMLInputElement>('site-password').value).toBe('');
    await user.click(screen.getByTestId('site-connect'));
    await rowNamed('remote', 'index.html');
    expect(screen.queryByTestId('dialog-sites')).toBeNull();
  });

  it('keeps no password that it was not asked to keep, but uses it once', async () => {
    const { user, backend } = await open();
    await user.click(screen.getByTestId('sites-button'));
    await user.type(await screen.findByTestId('site-password'), 'once');
    await user.click(screen.getByTestId('site-connect'));
    await rowNamed('remote', 'index.html');
    expect(backend.passwords.size).toBe(0);
  });

  it('deletes a site after a second press', async () => {
    const { user } = await open();
    await user.click(screen.getByTestId('sites-button'));
    await user.click(await screen.findByTestId('site-delete'));
    await user.click(screen.getByTestId('site-delete-confirm'));
    await waitFor(() => expect(screen.queryByTestId('site-row')).toBeNull());
  });

  it('says when there is no keyring', async () => {
    const { user } = await open({ keyring: false });
    await user.click(screen.getByTestId('sites-button'));
    expect(await screen.findByTestId('site-no-keyring')).toBeTruthy();
    expect(screen.queryByTestId('site-remember')).toBeNull();
  });
});

describe('the rest of the window', () => {
  it('runs commands from the palette', async () => {
    const { user, app } = await open();
    await user.keyboard('{Control>}k{/Control}');
    await user.type(await screen.findByTestId('palette-input'), 'appear dark{Enter}');
    await waitFor(() => expect(app.preferences.theme).toBe('dark'));
    expect(document.documentElement.dataset['theme']).toBe('dark');
    expect(screen.queryByTestId('palette')).toBeNull();
  });

  it('keeps settings', async () => {
    const { user, backend } = await open();
    await user.click(screen.getByTestId('settings-button'));
    const themes = await screen.findByRole('radiogroup', { name: 'Appearance' });
    await user.click(within(themes).getByTestId('setting-theme-light'));
    await user.click(screen.getByTestId('setting-hidden'));
    await user.selectOptions(screen.getByTestId('setting-conflict'), 'ifNewer');
    expect(backend.settings).toEqual({ theme: 'light', showHidden: true, conflict: 'ifNewer' });
    await rowNamed('local', '.htaccess');
  });

  it('shows the conversation with masked passwords', async () => {
    const window = await open();
    await practice(window);
    await window.user.click(screen.getByTestId('panel-log'));
    const lines = await screen.findAllByTestId('log-line');
    expect(lines.some((line) => line.textContent?.includes('PASS ********'))).toBe(true);
  });

  it('shows the facts behind the lock', async () => {
    const window = await open();
    await practice(window);
    await window.user.click(screen.getByTestId('lock-button'));
    const popover = await screen.findByTestId('lock-popover');
    expect(popover.textContent).toContain('TLS 1.3');
    await waitFor(() =>
      expect(screen.getByTestId('lock-resumes').textContent).toBe('resume this session'),
    );
    await window.user.keyboard('{Escape}');
    expect(screen.queryByTestId('lock-popover')).toBeNull();
  });

  it('has every action in a table without two for one key', async () => {
    const { app } = await open();
    const keys = app.actions.flatMap((action) => action.keys ?? []);
    expect(new Set(keys).size).toBe(keys.length);
    const ids = app.actions.map((action) => action.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('pleases axe: start page, panes, dialogs', async () => {
    const window = await open();
    expect(await findings()).toEqual([]);
    await practice(window);
    await window.user.click(await rowNamed('local', 'robots.txt'));
    await window.user.click(screen.getByTestId('toolbar-upload'));
    await screen.findByTestId('queue-row');
    expect(await findings()).toEqual([]);
    await window.user.click(screen.getByTestId('sites-button'));
    await screen.findByTestId('site-name');
    expect(await findings()).toEqual([]);
  });
});
