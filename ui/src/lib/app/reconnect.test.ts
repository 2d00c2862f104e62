import { beforeEach, describe, expect, it } from 'vitest';
import { AppError, type ConnectOutcome } from '$lib/backend';
import { fakeBackend } from '$lib/backend/fake';
import { App } from './app.svelte';

const NO_ANSWER = new AppError({ code: 'timeout', message: '', detail: null, retryable: true });

beforeEach(() => localStorage.clear());

/** Two tabs, one for each server, and the first one shown. */
async function open() {
  const backend = fakeBackend({ delay: 0, bigFolder: 10 });
  const app = new App(backend);
  await app.start();
  for (const host of ['one.example', 'two.example']) {
    app.quick.address = host;
    await app.connectQuick();
  }
  const [one, two] = app.tabs;
  if (!one || !two) throw new Error('no two tabs');
  app.selectTab(one);
  const hosts = () => app.tabs.map((tab) => tab.session?.host);
  expect(hosts()).toEqual(['one.example', 'two.example']);
  return { backend, app, one, two, hosts };
}

describe('connecting a tab again', () => {
  it('ends when the tab is closed meanwhile', async () => {
    const { backend, app, one, two, hosts } = await open();
    const connect = backend.connect.bind(backend);
    let answer: () => void = () => undefined;
    backend.connect = (request) =>
      new Promise<ConnectOutcome>((go) => (answer = () => go(connect(request))));
    const reconnecting = app.reconnect();
    app.closeTab(one);
    expect(app.flow.busy).toBe(false);
    answer();
    await reconnecting;
    expect(hosts()).toEqual(['two.example']);
    expect(app.tab).toBe(two);
    await expect.poll(() => backend.sessions()).toEqual([two.session?.id]);
  });

  it('stays in its tab when it is tried again after a failure', async () => {
    const { backend, app, one, hosts } = await open();
    const before = one.session?.id;
    const connect = backend.connect.bind(backend);
    backend.connect = () => Promise.reject(NO_ANSWER);
    await app.reconnect();
    backend.connect = connect;
    app.notices.list.at(-1)?.action?.run();
    await expect.poll(() => one.session?.id).not.toBe(before);
    expect(hosts()).toEqual(['one.example', 'two.example']);
  });

  it('that was given up leaves the tab to itself', async () => {
    const { backend, app, one, hosts } = await open();
    const before = one.session?.id;
    const connect = backend.connect.bind(backend);
    backend.connect = () => Promise.reject(NO_ANSWER);
    await app.reconnect();
    app.flow.cancel();
    backend.connect = connect;
    app.notices.list.at(-1)?.action?.run();
    await expect.poll(hosts).toEqual(['one.example', 'two.example', 'one.example']);
    expect(one.session?.id).toBe(before);
  });
});
