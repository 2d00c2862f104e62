import { render, screen } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { App } from '$lib/app';
import { fakeBackend } from '$lib/backend/fake';
import Main from './Main.svelte';

const own = Object.getOwnPropertyDescriptor(navigator, 'clipboard');

beforeEach(() => localStorage.clear());
afterEach(() => {
  if (own) Object.defineProperty(navigator, 'clipboard', own);
  else Reflect.deleteProperty(navigator, 'clipboard');
  Reflect.deleteProperty(document, 'execCommand');
});

type Write = (text: string) => Promise<void>;

/** A window over a clipboard that writes like this; null: there is none. */
async function open(writeText: Write | null, command: (() => boolean) | null = null) {
  const app = new App(fakeBackend({ delay: 0, bigFolder: 10 }));
  render(Main, { app });
  await app.start();
  const user = userEvent.setup();
  const value = writeText && { writeText };
  Object.defineProperty(navigator, 'clipboard', { value: value ?? undefined, configurable: true });
  if (command)
    Object.defineProperty(document, 'execCommand', { value: command, configurable: true });
  const toast = async () => {
    const { dataset, textContent } = await screen.findByTestId('toast');
    return `${dataset['tone']}: ${textContent?.trim()}`;
  };
  const copyNames = async () => {
    await user.pointer({
      keys: '[MouseRight]',
      target: await screen.findByText('robots.txt'),
    });
    await user.click(await screen.findByText('Copy names'));
  };
  const copyLog = async () => {
    app.log.receive([{ seq: 1, session: null, at: 0, direction: 'sent', text: 'NOOP' }]);
    await user.click(screen.getByTestId('panel-log'));
    await user.click(await screen.findByTestId('log-copy'));
  };
  return { copyNames, copyLog, toast };
}

describe('copying', () => {
  it('says that names were copied', async () => {
    const write = vi.fn(() => Promise.resolve());
    const { copyNames, toast } = await open(write);
    await copyNames();
    expect(await toast()).toMatch(/^success: Copied/);
    expect(write).toHaveBeenCalledExactlyOnceWith('robots.txt');
  });

  it('says that the log was copied', async () => {
    const write = vi.fn<Write>(() => Promise.resolve());
    const { copyLog, toast } = await open(write);
    await copyLog();
    expect(await toast()).toMatch(/^success: Copied/);
    expect(write.mock.calls[0]?.[0]).toContain('> NOOP');
  });

  it.each([
    ['is not there', null],
    ['refuses', () => Promise.reject(new DOMException('', 'NotAllowedError'))],
  ])('says so when the clipboard %s', async (_how, write) => {
    const { copyLog, toast } = await open(write);
    await copyLog();
    expect(await toast()).toMatch(/^error: Nothing was copied/);
  });

  it('takes the older way where the clipboard is not there', async () => {
    let copied = '';
    const command = () => {
      const field = document.activeElement as HTMLTextAreaElement;
      copied = field.value.slice(field.selectionStart, field.selectionEnd);
      return true;
    };
    const { copyNames, toast } = await open(null, command);
    await copyNames();
    expect(await toast()).toMatch(/^success: Copied/);
    expect(copied).toBe('robots.txt');
    expect(document.querySelector('textarea')).toBeNull();
  });
});
