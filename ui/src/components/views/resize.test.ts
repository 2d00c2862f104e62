import { render, screen, waitFor } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { tick } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { App } from '$lib/app';
import { fakeBackend } from '$lib/backend/fake';
import Main from './Main.svelte';

/** Tells those who watch an element's size that it has changed. */
const watchers = new Map<Element, Set<() => void>>();

beforeEach(() => {
  localStorage.clear();
  vi.stubGlobal(
    'ResizeObserver',
    class {
      constructor(readonly tell: (entries: { target: Element }[]) => void) {}
      observe(target: Element) {
        const all = watchers.get(target) ?? new Set();
        watchers.set(
          target,
          all.add(() => this.tell([{ target }])),
        );
      }
      unobserve() {}
      disconnect() {}
    },
  );
});

afterEach(() => {
  watchers.clear();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

async function open() {
  const app = new App(fakeBackend({ delay: 0, bigFolder: 10 }));
  render(Main, { app });
  await app.start();
  return { app, user: userEvent.setup() };
}

describe('when the window becomes smaller', () => {
  it('the end of the path stays in sight', async () => {
    await open();
    const crumbs = screen.getByTestId('crumbs-local');
    await waitFor(() => expect(crumbs.querySelectorAll('button').length).toBeGreaterThan(1));
    vi.spyOn(crumbs, 'scrollWidth', 'get').mockReturnValue(321);
    expect(crumbs.scrollLeft).toBe(0);
    vi.spyOn(crumbs, 'clientWidth', 'get').mockReturnValue(123);
    for (const tell of watchers.get(crumbs) ?? []) tell();
    await tick();
    expect(crumbs.scrollLeft).toBe(321);
  });

  it('what the lock tells stays inside the window', async () => {
    const { user } = await open();
    await user.click(screen.getByTestId('practice-button'));
    const lock = await screen.findByTestId('lock-button');
    const at = vi.spyOn(lock, 'getBoundingClientRect');
    at.mockReturnValue(new DOMRect(700, 60, 24, 24));
    await user.click(lock);
    const popover = await screen.findByTestId('lock-popover');
    vi.spyOn(popover, 'getBoundingClientRect').mockReturnValue(new DOMRect(0, 0, 460, 300));
    await waitFor(() => expect(popover.style.top).toBe('88px'));

    at.mockReturnValue(new DOMRect(450, 90, 24, 24));
    vi.stubGlobal('innerWidth', 800);
    window.dispatchEvent(new Event('resize'));
    await tick();
    expect(popover.style.left).toBe('332px');
    expect(popover.style.top).toBe('118px');
  });
});
