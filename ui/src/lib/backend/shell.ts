/** The real backend: the generated commands and events of the shell. */
import { Channel } from '@tauri-apps/api/core';
import { commands, events } from './bindings';
import { AppError, toAppError } from './error';
import type { Backend, ErrorData, SystemDrag } from './types';

type Result = { status: 'ok'; data: unknown } | { status: 'error'; error: unknown };

/** The data of a result; its error is thrown. `T` narrows the generated "number or null". */
async function unwrap<T>(call: Promise<Result>): Promise<T> {
  let result: Result;
  try {
    result = await call;
  } catch (thrown) {
    throw toAppError(thrown);
  }
  if (result.status === 'error') throw new AppError(result.error as ErrorData);
  return result.data as T;
}

/** A channel that feeds `handle`. Untyped on purpose: the payload is typed in types.ts. */
function channel<T>(handle: (message: T) => void) {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  const open = new Channel<any>();
  open.onmessage = handle;
  return open;
}

export function shellBackend(): Backend {
  return {
    connect: (request) => unwrap(commands.connect(request)),
    cancelConnect: () => unwrap(commands.cancelConnect()),
    disconnect: (session) => unwrap(commands.disconnect(session)),
    sessionSecurity: (session) => unwrap(commands.sessionSecurity(session)),
    startPractice: () => unwrap(commands.startPractice()),
    appInfo: () => unwrap(commands.appInfo()),

    openFolder: (source, target, request, onEvent) =>
      unwrap(commands.openFolder(source, target, request, channel(onEvent))),
    stopListing: (request) => unwrap(commands.stopListing(request)),
    closeListing: (listing) => unwrap(commands.closeListing(listing)),
    createFolder: (listing, name) => unwrap(commands.createFolder(listing, name)),
    renameEntry: (listing, row, name) => unwrap(commands.renameEntry(listing, row, name)),
    deleteEntries: (listing, rows) => unwrap(commands.deleteEntries(listing, rows)),
    onFolderChanged: (handle) =>
      events.folderChanged.listen((event) => handle(event.payload.listing)),

    sendEntries: (listing, rows, to, options) =>
      unwrap(commands.sendEntries(listing, rows, to, options)),
    acceptDrop: (drop, to, options) => unwrap(commands.acceptDrop(drop, to, options)),
    onSystemDrag: (handle) =>
      events.systemDrag.listen((event) => handle(event.payload as SystemDrag)),
    watchQueue: (onUpdate) => unwrap(commands.watchQueue(channel(onUpdate))),
    cancelTransfers: (ids) => unwrap(commands.cancelTransfers(ids)),
    retryTransfers: (ids) => unwrap(commands.retryTransfers(ids)),
    clearFinished: () => unwrap(commands.clearFinished()),
    pauseTransfers: (ids, paused) => unwrap(commands.pauseTransfers(ids, paused)),
    pauseQueue: (paused) => unwrap(commands.pauseQueue(paused)),
    pauseSite: (site, paused) => unwrap(commands.pauseSite(site, paused)),
    setPriority: (ids, priority) => unwrap(commands.setPriority(ids, priority)),
    moveTransfers: (ids, place) => unwrap(commands.moveTransfers(ids, place)),
    startTransfersAt: (ids, at) => unwrap(commands.startTransfersAt(ids, at)),
    answerConflicts: (ids, rule) => unwrap(commands.answerConflicts(ids, rule)),
    setLimits: (limits) => unwrap(commands.setLimits(limits)),
    setSiteLimits: (site, limits) => unwrap(commands.setSiteLimits(site, limits)),
    setTimetable: (text) => unwrap(commands.setTimetable(text)),
    checkTimetable: (text) => unwrap(commands.checkTimetable(text)),
    receipt: (id) => unwrap(commands.receipt(id)),
    receipts: (limit, offset) => unwrap(commands.receipts(limit, offset)),

    prepareShare: (listing, row) => unwrap(commands.prepareShare(listing, row)),
    newPassword: () => unwrap(commands.newPassword()),
    shareFolder: (request) => unwrap(commands.shareFolder(request)),
    stopShare: (id) => unwrap(commands.stopShare(id)),
    setShareLimits: (id, limits) => unwrap(commands.setShareLimits(id, limits)),
    kickVisitor: (id, visitor) => unwrap(commands.kickVisitor(id, visitor)),
    shareQr: (id, withPassword) => unwrap(commands.shareQr(id, withPassword)),
    watchShares: (onShares) => unwrap(commands.watchShares(channel(onShares))),

    watchLog: (onLines) => unwrap(commands.watchLog(channel(onLines))),

    listSites: () => unwrap(commands.listSites()),
    saveSite: (site, password) => unwrap(commands.saveSite(site, password)),
    deleteSite: (id) => unwrap(commands.deleteSite(id)),
    keyringStatus: () => unwrap(commands.keyringStatus()),

    listTrusted: () => unwrap(commands.listTrusted()),
    forgetTrusted: (host, port) => unwrap(commands.forgetTrusted(host, port)),

    loadSettings: () => unwrap(commands.loadSettings()),
    saveSettings: (settings) => unwrap(commands.saveSettings(settings)),
    setTitle: (text) => unwrap(commands.setTitle(text)),
    onCloseAsked: (handle) => events.closeAsked.listen((event) => handle(event.payload)),
    closeWindow: (confirm) => unwrap(commands.closeWindow(confirm)),
  };
}
