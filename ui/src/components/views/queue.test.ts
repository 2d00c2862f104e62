import { render, screen, waitFor, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import axe from 'axe-core';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { App } from '$lib/app';
import type { JournalStatus, QueueSummary, TransferRow } from '$lib/backend';
import { fakeBackend } from '$lib/backend/fake';
import { NO_COUNTS } from '$lib/backend';
import { fakeRow } from '$lib/backend/fake-queue';
import Main from './Main.svelte';

/** The window with these transfers in the queue, all of it paused so that nothing moves by itself. */
async function open(
  rows: TransferRow[],
  summary: Partial<QueueSummary> = {},
  journal: Partial<JournalStatus> = {},
) {
  const backend = fakeBackend({ delay: 0, bigFolder: 10, journal });
  backend.queue.addSite({ id: 1, name: 'Pier', site: 'harbour' });
  backend.queue.put(rows, { paused: true, ...summary });
  const app = new App(backend);
  render(Main, { app });
  await app.start();
  if (rows.length > 0) await screen.findByTestId('queue-list');
  return { app, backend, user: userEvent.setup() };
}

const shown = () => screen.getAllByTestId('queue-row').map((row) => row.dataset['name']);

function row(name: string): HTMLElement {
  const found = screen.getAllByTestId('queue-row').find((one) => one.dataset['name'] === name);
  if (!found) throw new Error(`no ${name}`);
  return found;
}

const bars = () => screen.queryAllByTestId('queue-bar').map((bar) => bar.dataset['bar']);

const abc = () => ['a', 'b', 'c'].map((name, at) => fakeRow(at + 1, { name }));

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

describe('the list of transfers', () => {
  it('shows what is in a batch when it is opened, by mouse and by key', async () => {
    const counts = { ...NO_COUNTS, done: 2, running: 1, failed: 1 };
    const { user } = await open([
      fakeRow(1, { name: 'site', isFolder: true, state: 'running', counts }),
      fakeRow(2, { name: 'logo.svg', batch: 1, state: 'running' }),
    ]);
    expect(shown()).toEqual(['site']);
    expect(row('site').textContent).toContain('2 of 4 files, 1 failed');
    await user.click(screen.getByTestId('queue-expand'));
    expect(shown()).toEqual(['site', 'logo.svg']);
    expect(row('logo.svg').getAttribute('aria-level')).toBe('2');
    await user.click(row('logo.svg'));
    screen.getByTestId('queue-list').focus();
    await user.keyboard('{ArrowLeft}{ArrowLeft}');
    expect(shown()).toEqual(['site']);
    expect(row('site').getAttribute('aria-selected')).toBe('true');
  });

  it('is reordered by keys, and by dragging', async () => {
    const { user } = await open(abc());
    await user.click(row('c'));
    screen.getByTestId('queue-list').focus();
    await user.keyboard('{Alt>}{ArrowUp}{/Alt}');
    await waitFor(() => expect(shown()).toEqual(['a', 'c', 'b']));
    await user.keyboard('{Alt>}{Home}{/Alt}');
    await waitFor(() => expect(shown()).toEqual(['c', 'a', 'b']));

    const target = row('c');
    vi.spyOn(document, 'elementFromPoint').mockImplementation(() => row('c'));
    await user.pointer([
      { keys: '[MouseLeft>]', target: row('b'), coords: { clientX: 10, clientY: 60 } },
      { target, coords: { clientX: 10, clientY: -4 } },
    ]);
    expect(row('c').dataset['drop']).toBe('before');
    await user.pointer({ keys: '[/MouseLeft]', target });
    await waitFor(() => expect(shown()).toEqual(['b', 'c', 'a']));
    expect(row('c').dataset['drop']).toBeUndefined();
  });

  it('pauses and goes on: one, several, everything, a site', async () => {
    const { user, backend } = await open(abc());
    await user.click(within(row('a')).getByTestId('queue-pause'));
    await waitFor(() => expect(row('a').dataset['state']).toBe('paused'));
    await user.click(within(row('a')).getByTestId('queue-pause'));
    await waitFor(() => expect(row('a').dataset['state']).toBe('waiting'));
    await user.click(row('b'));
    await user.keyboard('{Shift>}');
    await user.click(row('c'));
    await user.keyboard('{/Shift}');
    screen.getByTestId('queue-list').focus();
    await user.keyboard(' ');
    await waitFor(() => expect(row('c').dataset['state']).toBe('paused'));
    expect(row('b').dataset['state']).toBe('paused');

    const all = screen.getByTestId('queue-pause-all');
    expect(all.dataset['paused']).toBe('true');
    backend.queue.speed = 1;
    await user.click(all);
    await waitFor(() => expect(row('a').dataset['state']).toBe('running'));
    await user.click(screen.getByTestId('queue-pause-all'));
    await waitFor(() => expect(row('a').dataset['state']).toBe('waiting'));
    expect(bars()).toEqual(['paused']);

    await user.pointer({ keys: '[MouseRight]', target: row('a') });
    const menu = await screen.findByTestId('queue-menu');
    await user.click(within(menu).getByText('Pause everything of Pier'));
    await waitFor(() => expect(bars()).toEqual(['paused', 'site']));
  });

  it('has a menu for priority, place and start', async () => {
    const { user } = await open(abc());
    const choose = async (action: string) => {
      await user.pointer({ keys: '[MouseRight]', target: row('b') });
      const menu = await screen.findByTestId('queue-menu');
      const item = menu.querySelector<HTMLElement>(`[data-action="${action}"]`);
      if (!item) throw new Error(action);
      await user.click(item);
    };
    await choose('priority-high');
    await waitFor(() => expect(shown()).toEqual(['b', 'a', 'c']));
    await choose('priority-low');
    await waitFor(() => expect(shown()).toEqual(['a', 'c', 'b']));
    await choose('start');
    await user.type(await screen.findByTestId('start-text'), '25:00');
    await user.click(screen.getByTestId('start-go'));
    expect(screen.getByTestId('start-text').getAttribute('aria-invalid')).toBe('true');
    await user.clear(screen.getByTestId('start-text'));
    await user.type(screen.getByTestId('start-text'), '2099-01-01 08:00');
    await user.click(screen.getByTestId('start-go'));
    await waitFor(() => expect(row('b').textContent).toContain('Starts 1 Jan 2099'));
    await choose('cancel');
    await waitFor(() => expect(row('b').dataset['state']).toBe('cancelled'));
  });

  it('shows only one state when asked to', async () => {
    const { user } = await open([...abc(), fakeRow(9, { name: 'bad', state: 'failed' })]);
    const chip = () =>
      screen.getAllByTestId('queue-filter').find((one) => one.dataset['group'] === 'failed');
    await user.click(chip()!);
    expect(shown()).toEqual(['bad']);
    await user.click(chip()!);
    expect(shown()).toEqual(['a', 'b', 'c', 'bad']);
  });

  it('shows the receipt of what is done, and why something failed', async () => {
    const checks = { reply: true, size: true, time: true, tail: true, hash: 'SHA-256' };
    const error = { code: 'refused', message: 'No.', detail: '552 Quota', retryable: true };
    const done = { state: 'done', checks, bytes: 4096, resumedFrom: 1024, seconds: 2 } as const;
    const { user } = await open([
      fakeRow(1, { name: 'good', ...done }),
      fakeRow(2, { name: 'bad', state: 'failed', error }),
    ]);
    await user.dblClick(row('good'));
    const dialog = await screen.findByTestId('dialog-details');
    await waitFor(() =>
      expect(screen.getByTestId('details-digest').textContent).toContain('9f86d081'),
    );
    expect(screen.getByTestId('details-checked').textContent).toContain(
      'size, time, the end of what was there before, SHA-256 of both sides',
    );
    expect(screen.getByTestId('details-resumed').textContent).toContain('1 KB');
    expect(screen.getByTestId('details-took').textContent).toContain('2 s, 1.5 KB/s');
    expect(await findings()).toEqual([]);
    await user.click(within(dialog).getByTestId('dialog-close'));
    await user.click(screen.getByTestId('queue-error'));
    await screen.findByTestId('dialog-details');
    expect(screen.getByTestId('details-raw').textContent).toContain('552 Quota');
    await user.click(screen.getByTestId('details-retry'));
    await waitFor(() => expect(row('bad').dataset['state']).toBe('waiting'));
  });
});

describe('the queue as a whole', () => {
  it('says what holds it up', async () => {
    const { backend } = await open(abc(), {
      paused: false,
      held: { kind: 'diskFull', path: '/home/me/video.mp4' },
    });
    backend.queue.pauseAll(true);
    await waitFor(() => expect(bars()).toEqual(['diskFull', 'paused']));
    expect(screen.getByText(/no room for \/home\/me\/video\.mp4/)).toBeTruthy();
  });

  it('sums up', async () => {
    await open([
      fakeRow(1, { state: 'done', bytes: 2048, total: 2048 }),
      fakeRow(2, { total: 2048 }),
    ]);
    const text = screen.getByTestId('queue-summary').textContent;
    expect(text).toContain('1 of 2 files');
    expect(text).toContain('2 KB of 4 KB');
  });

  it('takes limits and a timetable', async () => {
    const { user, backend } = await open(abc());
    await user.keyboard('{Control>}{Shift>}l{/Shift}{/Control}');
    await screen.findByTestId('dialog-limits');
    expect(await findings()).toEqual([]);
    await user.type(screen.getByTestId('limit-total'), '2');
    await user.selectOptions(screen.getByTestId('limit-total-unit'), 'M');
    await user.type(screen.getByTestId('timetable-text'), 'at night');
    await waitFor(() => expect(screen.getByTestId('timetable-says').dataset['wrong']).toBe('true'));
    expect(screen.getByTestId<HTMLButtonElement>('limits-go').disabled).toBe(true);
    await user.clear(screen.getByTestId('timetable-text'));
    await user.type(screen.getByTestId('timetable-text'), '08:00-18:00 512K');
    await waitFor(() =>
      expect(screen.getByTestId('timetable-says').textContent).toContain('Now: 512 KB/s.'),
    );
    await user.click(screen.getByTestId('limits-go'));
    await waitFor(() => expect(screen.queryByTestId('dialog-limits')).toBeNull());
    expect(backend.queue.summary.limits.total).toBe(2 * 1024 ** 2);
    expect(backend.queue.summary.timetable).toBe('08:00-18:00 512K');
  });

  it('draws the speed of the last two minutes, and says it', async () => {
    const { app, backend } = await open(
      [fakeRow(1, { state: 'running', bytesPerSecond: 4 * 1024 ** 2 })],
      { paused: false },
    );
    backend.queue.set({});
    app.queue.sample(Date.now() + 1000);
    const curve = await screen.findByTestId('speed-curve');
    expect(curve.getAttribute('aria-label')).toBe(
      'Speed of the last two minutes: now 4 MB/s, at most 4 MB/s',
    );
    await waitFor(() => expect(curve.querySelector('path.line')).toBeTruthy());
  });

  it('has no fault that an audit would find', async () => {
    await open([
      ...abc(),
      fakeRow(7, { name: 'asks', state: 'asking' }),
      fakeRow(8, { name: 'bad', state: 'failed' }),
      fakeRow(9, { name: 'folder', isFolder: true, priority: 'high' }),
    ]);
    expect(await findings()).toEqual([]);
  });
});

describe('transfers of an earlier run', () => {
  it('are announced, and wait for a login where only a person knows the password', async () => {
    const { user, backend, app } = await open(abc(), { paused: false }, { unfinished: 3 });
    backend.queue.changeSite(1, { needsLogin: true, paused: true });
    expect(
      screen
        .getAllByTestId('toast')
        .some((toast) =>
          toast.textContent?.includes('3 transfers of last time are not finished and go on.'),
        ),
    ).toBe(true);
    await waitFor(() => expect(bars()).toEqual(['login']));
    await user.click(screen.getByTestId('queue-bar-go'));
    // The saved site asks for its password.
    await screen.findByTestId('dialog-password');
    expect(app.sites.list[0]?.id).toBe('harbour');
  });

  it('are not there where another program has them: that is said first', async () => {
    const error = {
      code: 'journal',
      message: 'It is in use by pid 7.',
      detail: null,
      retryable: false,
    };
    const { user } = await open([], { kept: false }, { problem: { reason: 'held', error } });
    const dialog = await screen.findByTestId('dialog-journal');
    expect(dialog.dataset['reason']).toBe('held');
    expect(dialog.textContent).toContain('It is in use by pid 7.');
    await user.keyboard('{Enter}');
    await waitFor(() => expect(screen.queryByTestId('dialog-journal')).toBeNull());
    const bar = screen.getAllByTestId('queue-bar').find((one) => one.dataset['bar'] === 'notKept');
    await user.click(within(bar as HTMLElement).getByTestId('queue-bar-go'));
    await screen.findByTestId('dialog-journal');
  });

  it('were saved from a damaged file: that is said', async () => {
    const recovered = { path: '/data/q.damaged-1', rescued: 40, lost: 2, why: 'not a database' };
    await open([], {}, { recovered });
    const toast = await screen.findByTestId('toast');
    expect(toast.textContent).toContain('40 transfers could be saved, 2 are lost');
    expect(toast.textContent).toContain('/data/q.damaged-1');
  });
});
