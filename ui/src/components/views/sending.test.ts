import { render, screen, waitFor, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it } from 'vitest';
import { App } from '$lib/app';
import { fakeBackend } from '$lib/backend/fake';
import Main from './Main.svelte';

/** The window with the practice site open, and some of the files of this computer chosen. */
async function open(...chosen: string[]) {
  const backend = fakeBackend({ delay: 0, bigFolder: 300 });
  const app = new App(backend);
  render(Main, { app });
  const odd = { ...backend.local.file('odd', 0), kind: 'other' as const };
  backend.local.find('/home/me/site').children?.set('odd', odd);
  await app.start();
  await app.practice();
  await waitFor(() => expect(app.remote?.view.length).toBeGreaterThan(0));
  for (const name of chosen) {
    const entry = app.local.folder.named(name);
    if (!entry) throw new Error(`no ${name}`);
    app.local.selection.mark(entry.row.id);
  }
  return { app, backend, user: userEvent.setup() };
}

type Window = Awaited<ReturnType<typeof open>>;

const size = ({ backend }: Window, name: string) =>
  backend.remote.find('/www').children?.get(name)?.size;

const queued = ({ app }: Window) => app.queue.rows.map((row) => row.name).sort();

const stateOf = ({ app }: Window, name: string) =>
  app.queue.rows.find((row) => row.name === name)?.state;

async function ask(window: Window): Promise<HTMLElement> {
  await window.user.click(screen.getByTestId('toolbar-upload'));
  return screen.findByTestId('dialog-conflicts');
}

const answered = () => waitFor(() => expect(screen.queryByTestId('dialog-conflicts')).toBeNull());

const conflict = (name: string) => {
  const rows = screen.getAllByTestId('conflict-row');
  const row = rows.find((one) => one.dataset['name'] === name);
  if (!row) throw new Error(`no ${name}`);
  return row;
};

beforeEach(() => localStorage.clear());

describe('what exists in the folder that receives', () => {
  it('is one table; the rest goes on meanwhile, and Enter overwrites nothing', async () => {
    const window = await open('robots.txt', 'index.html', 'imprint.html');
    const dialog = await ask(window);
    await waitFor(() => expect(screen.getAllByTestId('conflict-row')).toHaveLength(2));
    expect(dialog.textContent).toContain('2 files exist already');
    await window.user.keyboard('{Enter}');
    await waitFor(() => expect(size(window, 'robots.txt')).toBe(68));
    expect(size(window, 'index.html')).toBe(4_012);
    expect(window.backend.queue.answers).toEqual([]);
    expect(screen.getByTestId('conflicts-go')).toHaveProperty('disabled', true);
  });

  it('is decided row by row', async () => {
    const window = await open('index.html', 'imprint.html');
    await ask(window);
    await waitFor(() => expect(screen.getAllByTestId('conflict-row')).toHaveLength(2));
    const decide = (name: string, rule: string) =>
      window.user.selectOptions(within(conflict(name)).getByTestId('conflict-decision'), rule);
    await decide('index.html', 'overwrite');
    await decide('imprint.html', 'skip');
    await window.user.click(screen.getByTestId('conflicts-go'));
    await answered();
    await waitFor(() => expect(size(window, 'index.html')).toBe(4_096));
    await waitFor(() => expect(stateOf(window, 'imprint.html')).toBe('skipped'));
    expect(screen.queryByTestId('queue-bar')).toBeNull();
  });

  it('is decided for all', async () => {
    const window = await open('index.html', 'imprint.html');
    await ask(window);
    await window.user.selectOptions(screen.getByTestId('conflicts-all'), 'skip');
    await window.user.keyboard('{Enter}');
    await window.user.click(screen.getByTestId('conflicts-go'));
    await answered();
    await waitFor(() => expect(stateOf(window, 'index.html')).toBe('skipped'));
    expect(stateOf(window, 'imprint.html')).toBe('skipped');
  });

  it('can be decided later: a bar of the panel leads back', async () => {
    const window = await open('index.html');
    const dialog = await ask(window);
    dialog.dispatchEvent(new Event('cancel', { cancelable: true }));
    await answered();
    expect(stateOf(window, 'index.html')).toBe('asking');
    const bar = await screen.findByTestId('queue-bar');
    expect(bar.dataset['bar']).toBe('conflicts');
    await window.user.click(within(bar).getByTestId('queue-bar-go'));
    await screen.findByTestId('dialog-conflicts');
  });

  it('is no question where a rule was chosen in the settings', async () => {
    const window = await open('index.html', 'robots.txt');
    window.app.preferences.setConflict('skip');
    await window.user.click(screen.getByTestId('toolbar-upload'));
    await waitFor(() => expect(stateOf(window, 'index.html')).toBe('skipped'));
    await waitFor(() => expect(stateOf(window, 'robots.txt')).toBe('done'));
    expect(screen.queryByTestId('dialog-conflicts')).toBeNull();
  });

  it('is no question where one was chosen for the batch', async () => {
    const window = await open('index.html');
    screen.getByTestId('grid-local').focus();
    await window.user.keyboard('{Control>}{Shift>}{Enter}{/Shift}{/Control}');
    await screen.findByTestId('dialog-send');
    await window.user.selectOptions(screen.getByTestId('send-conflict'), 'overwrite');
    await window.user.selectOptions(screen.getByTestId('send-priority'), 'high');
    await window.user.type(screen.getByTestId('send-start'), 'soon');
    await window.user.click(screen.getByTestId('send-go'));
    expect(screen.getByTestId('send-start').getAttribute('aria-invalid')).toBe('true');
    await window.user.clear(screen.getByTestId('send-start'));
    await window.user.click(screen.getByTestId('send-go'));
    await waitFor(() => expect(size(window, 'index.html')).toBe(4_096));
    expect(window.app.queue.rows[0]?.priority).toBe('high');
  });
});

describe('sending', () => {
  it('says which entries can not be sent, and sends the others', async () => {
    const window = await open('robots.txt', 'odd');
    await window.user.click(screen.getByTestId('toolbar-upload'));
    const toast = await screen.findByTestId('toast');
    expect(toast.textContent).toContain('1 item can’t be transferred');
    expect(toast.textContent).toContain('odd: It is neither a file nor a folder.');
    expect(queued(window)).toEqual(['robots.txt']);
  });

  it('looks again when a listing is gone', async () => {
    const window = await open('robots.txt');
    const { app, backend } = window;
    const before = app.remote?.listing?.id ?? -1;
    await backend.closeListing(before);
    await window.user.click(screen.getByTestId('toolbar-upload'));
    expect((await screen.findByTestId('toast')).textContent).toContain('out of date');
    await waitFor(() => expect(app.remote?.listing?.id).not.toBe(before));
  });
});

describe('closing the window', () => {
  it('asks nothing where transfers are kept: it says so, and closes', async () => {
    const window = await open();
    window.backend.emitCloseAsked({ unfinished: 2, kept: true, serving: 0 });
    const note = await screen.findByTestId('closing-kept');
    expect(note.textContent).toContain('2 transfers are not finished. Slipway keeps them');
    await waitFor(() => expect(window.backend.closeAnswers).toEqual([true]), { timeout: 3000 });
  });

  it('asks once where they are not kept, and keeps it open on Enter', async () => {
    const window = await open();
    window.backend.emitCloseAsked({ unfinished: 2, kept: false, serving: 0 });
    window.backend.emitCloseAsked({ unfinished: 2, kept: false, serving: 0 });
    const dialog = await screen.findByTestId('dialog-closing');
    expect(dialog.textContent).toContain('2 transfers are not finished');
    expect(window.backend.closeAnswers).toEqual([false, false]);
    await window.user.keyboard('{Enter}');
    await waitFor(() => expect(screen.queryByTestId('dialog-closing')).toBeNull());
    expect(window.backend.closeAnswers).not.toContain(true);
  });

  it('closes when told to', async () => {
    const window = await open();
    window.backend.emitCloseAsked({ unfinished: 1, kept: false, serving: 0 });
    await window.user.click(await screen.findByTestId('close-anyway'));
    expect(window.backend.closeAnswers.at(-1)).toBe(true);
  });
});
