import { describe, expect, it, vi } from 'vitest';
import { AppError } from '$lib/backend';
import { fakeBackend, type FakeBackend } from '$lib/backend/fake';
import { Notices } from '$lib/notices/notices.svelte';
import { Pane } from './pane.svelte';

const LOST = new AppError({ code: 'lost', message: 'Lost.', detail: null, retryable: true });

interface Bench {
  backend: FakeBackend;
  notices: Notices;
  pane: Pane;
}

async function open(path: string, bigFolder = 300): Promise<Bench> {
  const backend = fakeBackend({ delay: 0, bigFolder });
  const notices = new Notices();
  const pane = new Pane('remote', { kind: 'remote', session: 1 }, backend, notices);
  await backend.onFolderChanged((listing) => {
    if (pane.listing?.id === listing) pane.folderChanged();
  });
  expect(await pane.goToPath(path)).toBe(true);
  return { backend, notices, pane };
}

const names = (pane: Pane) => pane.view.map((entry) => entry.row.name);
const inFolder = ({ backend }: Bench, path: string) => [
  ...(backend.remote.find(path).children?.keys() ?? []),
];

function choose(pane: Pane, name: string): void {
  const index = names(pane).indexOf(name);
  if (index < 0) throw new Error(`no ${name} in ${names(pane).join(', ')}`);
  pane.moveCursor(index, 'only');
}

/** Another program puts a file before all others: every row gets another number. */
function shift({ backend, pane }: Bench, path: string): void {
  const folder = backend.remote.find(path);
  const others = [...(folder.children ?? [])];
  folder.children = new Map([['aaa', backend.remote.file('aaa', 1)], ...others]);
  backend.emitFolderChanged(pane.listing?.id ?? -1);
}

/** Time for whatever is under way without a gate. */
const settle = () => new Promise((go) => setTimeout(go, 30));

/** A gate at a number of rows: `reached` when a listing waits there. */
function gateAt(backend: FakeBackend, at: number) {
  let pass = () => {};
  let fail: (thrown: unknown) => void = () => {};
  let reach = () => {};
  const reached = new Promise<void>((go) => (reach = go));
  backend.gate = (_, rows) => {
    if (rows !== at) return Promise.resolve();
    return new Promise((go, no) => {
      pass = go;
      fail = no;
      reach();
    });
  };
  return {
    reached,
    pass: () => pass(),
    fail: (thrown: unknown) => fail(thrown),
    lift: () => (backend.gate = () => Promise.resolve()),
  };
}

describe('deleting', () => {
  it('deletes what was asked about, though the folder changed meanwhile', async () => {
    const bench = await open('/www');
    const { pane } = bench;
    choose(pane, 'imprint.html');
    pane.askRemove();
    shift(bench, '/www');
    await settle();
    expect(names(pane)).not.toContain('aaa');
    await pane.remove();
    expect(inFolder(bench, '/www')).not.toContain('imprint.html');
    expect(inFolder(bench, '/www')).toHaveLength(8);
    expect(names(pane)).toContain('aaa');
  });

  it('deletes what was asked about, though the folder was being read again', async () => {
    const bench = await open('/www');
    const { backend, pane } = bench;
    const gate = gateAt(backend, 0);
    shift(bench, '/www');
    await gate.reached;
    choose(pane, 'imprint.html');
    pane.askRemove();
    gate.pass();
    gate.lift();
    await settle();
    await pane.remove();
    expect(inFolder(bench, '/www')).not.toContain('imprint.html');
    expect(inFolder(bench, '/www')).toHaveLength(8);
    expect(backend.openListings()).toHaveLength(1);
  });

  it('catches up when nothing is deleted', async () => {
    const bench = await open('/www');
    choose(bench.pane, 'imprint.html');
    bench.pane.askRemove();
    shift(bench, '/www');
    bench.pane.keep();
    await vi.waitFor(() => expect(names(bench.pane)).toContain('aaa'));
    expect(bench.backend.openListings()).toHaveLength(1);
  });

  it('says so and looks again when the listing is gone', async () => {
    const bench = await open('/www');
    const { backend, notices, pane } = bench;
    choose(pane, 'imprint.html');
    pane.askRemove();
    await backend.closeListing(pane.listing?.id ?? -1);
    shift(bench, '/www');
    await pane.remove();
    expect(notices.list[0]?.title).toBe('This listing is out of date');
    await vi.waitFor(() => expect(names(pane)).toContain('aaa'));
    expect(inFolder(bench, '/www')).toContain('imprint.html');
    expect(pane.loading).toBe(false);
  });
});

describe('renaming', () => {
  it('renames the row whose name was typed', async () => {
    const bench = await open('/www');
    const { backend, pane } = bench;
    const gate = gateAt(backend, 0);
    shift(bench, '/www');
    await gate.reached;
    choose(pane, 'imprint.html');
    pane.startRename();
    gate.pass();
    gate.lift();
    await settle();
    await pane.rename('about.html');
    expect(inFolder(bench, '/www')).toContain('about.html');
    expect(inFolder(bench, '/www')).not.toContain('imprint.html');
    await vi.waitFor(() => expect(names(pane)).toContain('aaa'));
    expect(backend.openListings()).toHaveLength(1);
  });
});

describe('stopping', () => {
  it('gives up a folder that does not come', async () => {
    const { backend, pane } = await open('/www');
    const gate = gateAt(backend, 0);
    const opening = pane.goToPath('/');
    await gate.reached;
    pane.stop();
    expect(pane.loading).toBe(false);
    expect(await opening).toBe(false);
    expect(backend.requests()).toEqual([]);
    expect(pane.path).toBe('/www');
    expect(pane.error).toBeNull();
    expect(backend.openListings()).toEqual([pane.listing?.id]);
  });

  it('keeps what has come, says that it is not all, and goes on from there', async () => {
    const { backend, pane } = await open('/www');
    const gate = gateAt(backend, 200);
    const opening = pane.goToPath('/archive-100k');
    await gate.reached;
    await vi.waitFor(() => expect(pane.view).toHaveLength(200));
    pane.stop();
    expect(await opening).toBe(false);
    expect(backend.requests()).toEqual([]);
    expect(pane.partial).toBe('stopped');
    expect([pane.loading, pane.arriving]).toEqual([false, false]);
    pane.setFilter('folder');
    await settle();
    expect(pane.view.length).toBeLessThan(10);
    pane.setFilter('');
    gate.lift();
    expect(await pane.refresh()).toBe(true);
    expect(pane.view).toHaveLength(300);
    expect(pane.partial).toBeNull();
    expect(backend.openListings()).toEqual([pane.listing?.id]);
  });

  it('ends one listing when another is wanted', async () => {
    const { backend, pane } = await open('/www');
    const gate = gateAt(backend, 0);
    const first = pane.goToPath('/');
    await gate.reached;
    gate.lift();
    expect(await pane.goToPath('/archive-100k')).toBe(true);
    expect(await first).toBe(false);
    expect(backend.requests()).toEqual([]);
    expect(backend.openListings()).toEqual([pane.listing?.id]);
  });
});

describe('a folder that fails half-way', () => {
  for (const [how, go] of [
    ['Retry', (pane: Pane) => pane.retry()],
    ['Refresh', (pane: Pane) => void pane.refresh()],
  ] as const) {
    it(`is read again by ${how}`, async () => {
      const { backend, pane } = await open('/www');
      const gate = gateAt(backend, 200);
      const opening = pane.goToPath('/archive-100k');
      await gate.reached;
      gate.fail(LOST);
      expect(await opening).toBe(false);
      expect([pane.error?.code, pane.partial, pane.view.length]).toEqual(['lost', 'failed', 200]);
      gate.lift();
      go(pane);
      await vi.waitFor(() => expect(pane.view).toHaveLength(300));
      expect([pane.error, pane.partial]).toEqual([null, null]);
      expect(pane.history.past.map((place) => place.label)).toEqual(['/www']);
    });
  }
});
