/**
 * The names that tests find things by. They are a contract with tests/window.
 *
 * | id                              | what                                                        |
 * |---------------------------------|-------------------------------------------------------------|
 * | connect-address/-user/-password | fields of the quick-connect bar                             |
 * | connect-tls                     | select: auto, explicit, implicit, off                       |
 * | connect-button, connect-cancel  | start, abandon a connect                                    |
 * | connect-recent                  | opens the menu of recent addresses and sites                |
 * | sites-button, settings-button   | open their dialogs                                          |
 * | palette-button, palette-input   | command palette (Ctrl+K); items: palette-item[data-action]  |
 * | start-page, practice-button     | first-start page; connect to the practice site              |
 * | start-new-site                  | first-start page: new site                                  |
 * | tab[data-session], tab-close    | one per connection; closing disconnects                     |
 * | tab-new                         | Ctrl+T                                                      |
 * | pane-local, pane-remote         | a pane: data-path, data-state (idle, loading), data-items,  |
 * |                                 | data-drop (yes, no) while a drag is over it                 |
 * | grid-local, grid-remote         | role grid; rows: role row with data-name, data-kind         |
 * | crumbs-local/-remote            | crumbs; path-edit-* turns them into path-field-* (Ctrl+L)   |
 * | path-field-local/-remote        | the text field of the path; Enter goes                      |
 * | ACTION-local, ACTION-remote     | ACTION: back, forward, up, home, refresh, filter, newfolder,|
 * |                                 | rename, delete, more, stop (while a folder is read)         |
 * | partial-local/-remote           | says why not all of the folder is shown                     |
 * | filter-input-local/-remote      | the filter's field                                          |
 * | toolbar-upload, toolbar-download| transfer the selection                                      |
 * | newfolder-input, rename-input   | inline fields; Enter commits, Escape leaves                 |
 * | context-menu                    | menu; items: role menuitem, data-action                     |
 * | status-local, status-remote     | status lines                                                |
 * | pane-error-local/-remote        | error banner, data-code; error-details opens the raw line   |
 * | lock-button, lock-popover       | data-security: verified, pinned, half (commands only), plain |
 * | dialog-certificate              | trust-once, trust-always, dialog-cancel; data-changed       |
 * | dialog-plaintext                | plaintext-go, dialog-cancel                                 |
 * | dialog-password                 | password-input, password-remember, password-go,             |
 * |                                 | password-no-keyring, dialog-cancel                          |
 * | dialog-delete                   | delete-go, dialog-cancel                                    |
 * | dialog-conflicts                | conflicts-all (select), conflict-row[data-name][data-newer], |
 * |                                 | in it conflict-decision (select); conflicts-go,             |
 * |                                 | conflicts-later                                             |
 * | dialog-closing                  | close-anyway, close-keep; closing-kept says what is kept     |
 * | dialog-limits                   | limit-total/-download/-upload (+ -unit), timetable-text,    |
 * |                                 | timetable-says[data-wrong], limit-site[data-site],          |
 * |                                 | limits-go, dialog-cancel                                    |
 * | dialog-send                     | send-conflict, send-priority, send-start, send-limit,       |
 * |                                 | send-include, send-exclude, send-hidden, send-vcs, send-go  |
 * | dialog-start                    | start-text, start-go                                        |
 * | dialog-details                  | details-FACT: state, source, target, checked, digest, ...   |
 * | dialog-journal                  | journal-go; data-reason: held, newer, broken                |
 * | dialog-sites                    | site-row[data-name], site-new, site-name, site-host,        |
 * |                                 | site-port, site-user, site-password, site-remember,         |
 * |                                 | site-tls, site-remote-path, site-local-path, site-passive,  |
 * |                                 | site-plaintext, site-transfers (opens site-connections,     |
 * |                                 | site-conflict, site-download, site-upload, site-temporary,  |
 * |                                 | site-permissions), site-save, site-connect, site-delete,    |
 * |                                 | site-delete-confirm, site-no-keyring, dialog-close          |
 * | dialog-settings                 | setting-theme-system/-light/-dark (radios), setting-hidden, |
 * |                                 | setting-conflict (select),                                  |
 * |                                 | setting-trusted, trusted-row[data-host][data-port],         |
 * |                                 | trusted-forget inside                                       |
 * | share-button                    | tool of the local pane; context-menu has data-action=share  |
 * | dialog-share                    | share-reach[data-reach] (radios), share-user,               |
 * |                                 | share-password, share-new-password, share-read-only,        |
 * |                                 | share-encryption, share-more, share-port, share-download,   |
 * |                                 | share-upload, share-wide[data-wide], share-error, share-go, |
 * |                                 | dialog-cancel                                               |
 * | sharing-sign                    | in the top bar while something is shared; data-shares,      |
 * |                                 | data-people                                                 |
 * | dialog-shares                   | share-row[data-name], share-fact-NAME (NAME: address, user, |
 * |                                 | password, fingerprint; data-value), share-copy-NAME,        |
 * |                                 | share-copy-all, share-qr, share-qr-password,                |
 * |                                 | share-limit-download/-upload, share-visitor[data-peer]      |
 * |                                 | [data-user], share-kick inside, share-move[data-path]       |
 * |                                 | [data-outcome], share-totals, share-refused, share-stop,    |
 * |                                 | share-stop-anyway, share-next, dialog-close                 |
 * | queue-panel, panel-transfers    | the bottom panel and its tabs                               |
 * | panel-log, log-panel            | log tab; lines: log-line[data-direction]                    |
 * | queue-list                      | role grid; Alt+Up/Down move what is selected                |
 * | queue-row[data-state][data-name]| a transfer (data-id, data-inside, data-drop: before, after); |
 * |                                 | queue-cancel, queue-retry, queue-pause, queue-expand,       |
 * |                                 | queue-error inside                                          |
 * | queue-menu                      | its menu; items: role menuitem, data-action                 |
 * | queue-filter[data-group]        | shows one group                                             |
 * | queue-clear, queue-retry-all,   | queue's toolbar; queue-pause-all has data-paused            |
 * | queue-cancel-all,               |                                                             |
 * | queue-pause-all, queue-limits   |                                                             |
 * | queue-bar[data-bar]             | paused, site, login, diskFull, journal, conflicts, notKept; |
 * |                                 | queue-bar-go inside                                         |
 * | queue-summary                   | the queue as a whole; data-left: bytes                      |
 * | queue-speed, speed-curve        | the meter and its curve                                     |
 * | toast[data-tone]                | a notice                                                    |
 * | live-region                     | the polite live region                                      |
 */
export type Side = 'local' | 'remote';

export const testid = {
  pane: (side: Side) => `pane-${side}`,
  grid: (side: Side) => `grid-${side}`,
  crumbs: (side: Side) => `crumbs-${side}`,
  pathEdit: (side: Side) => `path-edit-${side}`,
  pathField: (side: Side) => `path-field-${side}`,
  filterInput: (side: Side) => `filter-input-${side}`,
  status: (side: Side) => `status-${side}`,
  paneError: (side: Side) => `pane-error-${side}`,
  action: (name: string, side: Side) => `${name}-${side}`,
} as const;
