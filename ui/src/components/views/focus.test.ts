import { render, screen, waitFor } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it } from 'vitest';
import { App } from '$lib/app';
import { fakeBackend } from '$lib/backend/fake';
import Main from './Main.svelte';

beforeEach(() => localStorage.clear());

/** The window with robots.txt selected in the local pane, and the keyboard nowhere. */
async function open() {
  const backend = fakeBackend({ delay: 0, bigFolder: 10 });
  const app = new App(backend);
  render(Main, { app });
  await app.start();
  const row = await waitFor(() => {
    const found = screen
      .getByTestId('grid-local')
      .querySelector<HTMLElement>('[data-name="robots.txt"]');
    if (!found) throw new Error('no row');
    return found;
  });
  const user = userEvent.setup();
  await user.click(row);
  (document.activeElement as HTMLElement).blur();
  return { user };
}

const listHasKeys = () =>
  waitFor(() => expect(document.activeElement).toBe(screen.getByTestId('grid-local')));

describe("after a pane's toolbar, the keys are the list's", () => {
  it('when the question about deleting is left', async () => {
    const { user } = await open();
    await user.click(screen.getByTestId('delete-local'));
    await user.click(await screen.findByTestId('dialog-cancel'));
    await listHasKeys();
    await user.keyboard('{Delete}');
    await screen.findByTestId('dialog-delete');
  });

  it('also when the button was pressed by a key', async () => {
    const { user } = await open();
    screen.getByTestId('delete-local').focus();
    await user.keyboard('{Enter}');
    await user.click(await screen.findByTestId('dialog-cancel'));
    await listHasKeys();
  });

  it('when rows were deleted', async () => {
    const { user } = await open();
    screen.getByTestId('delete-local').focus();
    await user.keyboard('{Enter}');
    await user.click(await screen.findByTestId('delete-go'));
    await listHasKeys();
  });

  it('when a name was typed or not', async () => {
    const { user } = await open();
    await user.click(screen.getByTestId('rename-local'));
    await screen.findByTestId('rename-input');
    await user.keyboard('{Escape}');
    await listHasKeys();
    await user.click(screen.getByTestId('newfolder-local'));
    await screen.findByTestId('newfolder-input');
    await user.keyboard('{Escape}');
    await listHasKeys();
  });

  it('when it did something at once', async () => {
    const { user } = await open();
    await user.click(screen.getByTestId('refresh-local'));
    await listHasKeys();
    await user.click(screen.getByTestId('up-local'));
    await listHasKeys();
  });

  it('but what the button opens has them while it is there', async () => {
    const { user } = await open();
    await user.click(screen.getByTestId('filter-local'));
    expect(document.activeElement).toBe(screen.getByTestId('filter-input-local'));
    await user.click(screen.getByTestId('more-local'));
    expect(screen.getByTestId('context-menu').contains(document.activeElement)).toBe(true);
    await user.keyboard('{Escape}');
    await listHasKeys();
  });
});
