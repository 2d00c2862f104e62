import type { Action } from '$lib/actions';
import { COLUMNS } from '$lib/browser/columns.svelte';
import { t } from '$lib/messages';
import type { App } from './app.svelte';

type Rest = Partial<Pick<Action, 'keys' | 'scope' | 'enabled'>>;

/** Every action of the window, in the order the palette shows them. */
export function actionsOf(app: App): Action[] {
  const make = (id: string, title: string, run: () => void, rest: Rest = {}): Action => ({
    id,
    title,
    keys: null,
    scope: 'everywhere',
    enabled: () => true,
    run,
    ...rest,
  });
  const words = t.actions;
  const connected = () => app.remote !== null;
  const chosen = () => app.active.chosen().length > 0;
  const inList: Rest = { scope: 'list' };

  return [
    make('connect', words.connect, () => (app.addressWanted += 1), { keys: 'Ctrl+D' }),
    make('practice', words.practice, () => void app.practice()),
    make('sites', words.sites, () => app.sites.show(), { keys: 'Ctrl+S' }),
    make('transfer', words.transfer, () => void app.transfer(app.active.side), {
      ...inList,
      keys: 'Ctrl+Enter',
      enabled: () => connected() && chosen(),
    }),
    make('transferwith', words.transferWith, () => void app.transferWith(app.active.side), {
      ...inList,
      keys: 'Ctrl+Shift+Enter',
      enabled: () => connected() && chosen(),
    }),
    make('upload', words.upload, () => void app.transfer('local'), { enabled: connected }),
    make('download', words.download, () => void app.transfer('remote'), { enabled: connected }),
    make('open', words.open, () => void app.active.openEntry(app.active.chosen()[0]), {
      ...inList,
      enabled: chosen,
    }),
    make('up', words.up, () => app.active.up(), { ...inList, keys: 'Backspace' }),
    make('back', words.back, () => app.active.back(), {
      keys: 'Alt+Left',
      enabled: () => app.active.history.canBack,
    }),
    make('forward', words.forward, () => app.active.forward(), {
      keys: 'Alt+Right',
      enabled: () => app.active.history.canForward,
    }),
    make('home', words.home, () => void app.active.home(), { keys: 'Alt+Home' }),
    make('refresh', words.refresh, () => void app.active.refresh(), { keys: 'F5' }),
    make('path', words.path, () => (app.active.editingPath = true), { keys: 'Ctrl+L' }),
    make('filter', words.filter, () => (app.active.filtering = true), { keys: 'Ctrl+F' }),
    make('newfolder', words.newFolder, () => (app.active.creating = true), { keys: 'F7' }),
    make('rename', words.rename, () => app.active.startRename(), {
      ...inList,
      keys: 'F2',
      enabled: chosen,
    }),
    make('delete', words.remove, () => app.active.askRemove(), {
      ...inList,
      keys: 'Delete',
      enabled: chosen,
    }),
    make('selectall', words.selectAll, () => app.active.selectAll(), {
      ...inList,
      keys: 'Ctrl+A',
    }),
    ...COLUMNS.map(({ id }) =>
      make(`sort-${id}`, t.pane.sortBy(t.pane.column[id]), () => app.active.sortBy(id)),
    ),
    make('mark', words.mark, () => app.active.mark(), inList),
    make('hidden', words.hidden, () => app.setShowHidden(!app.preferences.showHidden), {
      keys: 'Ctrl+H',
    }),
    make('switchpane', words.switchPane, () => app.switchPane(), { ...inList, keys: 'Tab' }),
    make('newtab', words.newTab, () => app.newTab(), { keys: 'Ctrl+T' }),
    make('closetab', words.closeTab, () => app.closeTab(app.tab), { keys: 'Ctrl+W' }),
    make('nexttab', words.nextTab, () => app.nextTab(), { keys: 'Ctrl+Tab' }),
    make('transfers', words.transfers, () => (app.panelOpen = !app.panelOpen), {
      keys: 'Ctrl+J',
    }),
    make('log', words.log, () => app.showPanel('log')),
    make(
      'togglepause',
      words.togglePause,
      () => void app.queue.pauseAll(!app.queue.summary.paused),
      {
        keys: 'Ctrl+Shift+P',
      },
    ),
    make('limits', words.limits, () => app.queue.showLimits(), { keys: 'Ctrl+Shift+L' }),
    make('conflicts', words.conflicts, () => app.queue.conflicts.show(), {
      keys: 'Ctrl+Shift+E',
      enabled: () => app.queue.conflicts.count > 0,
    }),
    make('retryall', words.retryAll, () => app.queue.retryAll()),
    make('cancelall', words.cancelAll, () => app.queue.cancelAll()),
    make('clearfinished', words.clearFinished, () => void app.queue.clearFinished()),
    make('share', words.share, () => app.share(), { keys: 'Ctrl+Shift+S' }),
    make('shares', words.shares, () => app.sharing.show(), { keys: 'Ctrl+Shift+H' }),
    make('stopshares', words.stopShares, () => void app.sharing.stopAll(), {
      enabled: () => app.sharing.list.length > 0,
    }),
    make('settings', words.settings, () => (app.settingsOpen = true), { keys: 'Ctrl+,' }),
    make('theme-system', words.themeSystem, () => app.preferences.setTheme('system')),
    make('theme-light', words.themeLight, () => app.preferences.setTheme('light')),
    make('theme-dark', words.themeDark, () => app.preferences.setTheme('dark')),
    make('palette', words.palette, () => (app.paletteOpen = true), { keys: 'Ctrl+K' }),
  ];
}
