import { render, screen, waitFor } from '@testing-library/svelte';
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

async function ask(window: Window): Promise<HTMLElement> {
  await window.user.click(screen.getByTestId('toolbar-upload'));
  return screen.findByTestId('dialog-existing');
}

const answered = () => waitFor(() => expect(screen.queryByTestId('dialog-existing')).toBeNull());

beforeEach(() => localStorage.clear());

describe('what exists in the folder that receives', () => {
  it('is asked about once for all, and Enter replaces nothing', async () => {
    const window = await open('robots.txt', 'index.html', 'imprint.html');
    const dialog = await ask(window);
    expect(dialog.textContent).toContain('2 of 3 items exist in www: replace them?');
    expect(dialog.textContent).toContain('index.html');
    expect(queued(window)).toEqual([]);
    await window.user.keyboard('{Enter}');
    await answered();
    await waitFor(() => expect(size(window, 'robots.txt')).toBe(68));
    expect(queued(window)).toEqual(['robots.txt']);
    expect(size(window, 'index.html')).toBe(4_012);
  });

  it('is replaced when asked to, though the folders changed meanwhile', async () => {
    const window = await open('robots.txt', 'index.html');
    await ask(window);
    for (const pane of [window.app.local, window.app.remote]) {
      window.backend.emitFolderChanged(pane?.listing?.id ?? -1);
    }
    await new Promise((go) => setTimeout(go, 20));
    await window.user.click(screen.getByTestId('existing-replace'));
    await answered();
    await waitFor(() => expect(size(window, 'index.html')).toBe(4_096));
    expect(queued(window)).toEqual(['index.html', 'robots.txt']);
    await waitFor(() => expect(window.backend.openListings()).toHaveLength(2));
  });

  it('stays, and nothing is sent, on Escape', async () => {
    const window = await open('index.html');
    const dialog = await ask(window);
    expect(screen.queryByTestId('existing-skip')).toBeNull();
    expect(document.activeElement).toBe(screen.getByTestId('dialog-cancel'));
    dialog.dispatchEvent(new Event('cancel', { cancelable: true }));
    await answered();
    expect(queued(window)).toEqual([]);
  });

  it('is asked about for a drop, too; the next question waits for the answer', async () => {
    const window = await open();
    const { backend, app } = window;
    const www = backend.remote.find('/www').children;
    for (const drop of [7, 8]) {
      www?.set(`dropped-${drop}.txt`, backend.remote.file(`dropped-${drop}.txt`, 1));
    }
    await app.remote?.refresh();
    const to = app.remote?.listing?.id ?? -1;
    const end = { hold: () => () => undefined, refresh: () => Promise.resolve(true) };
    const both = [7, 8].map((drop) =>
      app.sending.send((existing) => backend.acceptDrop(drop, to, existing), [end], 'www'),
    );
    expect((await screen.findByTestId('dialog-existing')).textContent).toContain('dropped-7.txt');
    await window.user.click(screen.getByTestId('existing-replace'));
    await waitFor(() =>
      expect(screen.getByTestId('dialog-existing').textContent).toContain('dropped-8.txt'),
    );
    await window.user.click(screen.getByTestId('dialog-cancel'));
    await Promise.all(both);
    expect(queued(window)).toEqual(['dropped-7.txt']);
  });

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
  it('asks once while transfers are not finished, and keeps it open on Enter', async () => {
    const window = await open();
    window.backend.emitCloseAsked(2);
    window.backend.emitCloseAsked(2);
    const dialog = await screen.findByTestId('dialog-closing');
    expect(dialog.textContent).toContain('2 transfers are not finished');
    expect(window.backend.closeAnswers).toEqual([false, false]);
    await window.user.keyboard('{Enter}');
    await waitFor(() => expect(screen.queryByTestId('dialog-closing')).toBeNull());
    expect(window.backend.closeAnswers).not.toContain(true);
  });

  it('closes when told to', async () => {
    const window = await open();
    window.backend.emitCloseAsked(1);
    await window.user.click(await screen.findByTestId('close-anyway'));
    expect(window.backend.closeAnswers.at(-1)).toBe(true);
  });
});
