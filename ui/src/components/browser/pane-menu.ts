import { COLUMNS, type Pane } from '$lib/browser';
import { t } from '$lib/messages';
import type { MenuPart } from '../shared/menu';

export interface PaneMenuOptions {
  pane: Pane;
  sendLabel: string;
  canSend: boolean;
  showHidden: boolean;
  onsend: () => void;
  onsendwith: () => void;
  onhidden: (show: boolean) => void;
  oncopy: (text: string) => void;
  /** The folder that can be shared: only on this computer. */
  share: { label: string; run: () => void } | null;
}

/** What can be done with the chosen rows. */
export function entryMenu({
  pane,
  sendLabel,
  canSend,
  onsend,
  onsendwith,
  oncopy,
  share,
}: PaneMenuOptions): MenuPart[] {
  const none = pane.chosen().length === 0;
  return [
    {
      id: 'open',
      label: t.pane.open,
      keys: 'Enter',
      disabled: none,
      run: () => {
        if (!pane.openEntry(pane.chosen()[0]) && canSend) onsend();
      },
    },
    {
      id: 'transfer',
      label: sendLabel,
      keys: 'Ctrl+Enter',
      disabled: none || !canSend,
      run: onsend,
    },
    {
      id: 'transferwith',
      label: t.pane.transferWith,
      keys: 'Ctrl+Shift+Enter',
      disabled: none || !canSend,
      run: onsendwith,
    },
    ...(share ? [{ id: 'share', label: share.label, keys: 'Ctrl+Shift+S', run: share.run }] : []),
    'line',
    {
      id: 'rename',
      label: t.pane.rename,
      keys: 'F2',
      disabled: none,
      run: () => pane.startRename(),
    },
    {
      id: 'delete',
      label: t.pane.remove,
      keys: 'Delete',
      disabled: none,
      danger: true,
      run: () => pane.askRemove(),
    },
    { id: 'copynames', label: t.pane.copyNames, disabled: none, run: () => oncopy(namesOf(pane)) },
    'line',
    {
      id: 'newfolder',
      label: t.pane.newFolder,
      keys: 'F7',
      run: () => (pane.creating = true),
    },
    { id: 'selectall', label: t.pane.selectAll, keys: 'Ctrl+A', run: () => pane.selectAll() },
    { id: 'refresh', label: t.pane.refresh, keys: 'F5', run: () => void pane.refresh() },
  ];
}

/** How the list looks: hidden files and columns. */
export function viewMenu({ pane, showHidden, onhidden }: PaneMenuOptions): MenuPart[] {
  const columns = COLUMNS.filter((column) => column.id !== 'name').map((column) => ({
    id: `column-${column.id}`,
    label: t.pane.column[column.id],
    checked: !pane.columns.off.has(column.id),
    run: () => pane.columns.toggle(column.id),
  }));
  return [
    {
      id: 'hidden',
      label: t.pane.hidden,
      keys: 'Ctrl+H',
      checked: showHidden,
      run: () => onhidden(!showHidden),
    },
    'line',
    { heading: t.pane.columns },
    ...columns,
  ];
}

function namesOf(pane: Pane): string {
  const names = pane.chosen().map((entry) => entry.row.name);
  return names.join('\n');
}
