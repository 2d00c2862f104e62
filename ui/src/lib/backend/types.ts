/**
 * What the window knows of the shell. The generated bindings say "number or null" for
 * every floating-point number; here a byte count is a number. Byte counts are plain
 * numbers, times are milliseconds since the epoch (UTC), ids are opaque.
 */
import type { AppError } from './error';

export type TlsMode = 'auto' | 'explicit' | 'implicit' | 'off';
export type Theme = 'system' | 'light' | 'dark';

export interface TrustAnswer {
  fingerprint: string;
  subject: string;
  always: boolean;
}

export interface ConnectRequest {
  site: string | null;
  address: string;
  user: string;
  password: string | null;
  tls: TlsMode;
  trust: TrustAnswer | null;
  allowPlaintext: boolean;
  rememberPassword: boolean;
}

export interface CertificateInfo {
  subject: string;
  issuer: string;
  names: string[];
  notBefore: number;
  notAfter: number;
  fingerprint: string;
  selfSigned: boolean;
}

export interface CertificateQuestion {
  host: string;
  port: number;
  reason: string;
  certificate: CertificateInfo;
  pinnedBefore: boolean;
}

export type Security =
  | { kind: 'plain' }
  | {
      kind: 'tls';
      trust: 'system' | 'pinned';
      version: string;
      cipher: string;
      resumes: boolean | null;
      /** False where the server encrypts commands but not files. */
      dataEncrypted: boolean;
      certificate: CertificateInfo;
    };

/** A certificate that is trusted for every connection to a host and port. */
export interface TrustedCertificate {
  host: string;
  port: number;
  fingerprint: string;
  subject: string;
  trustedAt: number;
}

export interface SessionInfo {
  id: number;
  title: string;
  host: string;
  port: number;
  user: string;
  site: string | null;
  security: Security;
  server: string | null;
}

export type PasswordReason = 'missing' | 'refused' | 'noKeyring';

export type ConnectOutcome =
  | { kind: 'connected'; session: SessionInfo }
  | { kind: 'certificate'; question: CertificateQuestion }
  | { kind: 'plaintext'; host: string }
  | {
      kind: 'password';
      user: string;
      host: string;
      reason: PasswordReason;
      message: string | null;
    };

export interface KeyringStatus {
  available: boolean;
  message: string | null;
}

export interface AppInfo {
  version: string;
  practiceAtStart: boolean;
  keyring: KeyringStatus;
  journal: JournalStatus;
}

export type PaneSource = { kind: 'local' } | { kind: 'remote'; session: number };

export type FolderTarget =
  | { kind: 'home' }
  | { kind: 'path'; text: string }
  | { kind: 'place'; place: number }
  | { kind: 'entry'; listing: number; row: number };

export interface Place {
  id: number;
  label: string;
}

export interface Listing {
  id: number;
  place: Place;
  parent: Place | null;
  crumbs: Place[];
  encoding: string;
}

export type EntryKind = 'folder' | 'file' | 'link' | 'other' | 'unparsed';

export interface Row {
  id: number;
  name: string;
  kind: EntryKind;
  size: number | null;
  modified: number | null;
  precision: 'day' | 'minute' | 'second' | null;
  permissions: string | null;
  target: string | null;
  hidden: boolean;
}

export type ListingEvent =
  | { kind: 'opened'; listing: Listing }
  | { kind: 'rows'; rows: Row[] }
  | { kind: 'done'; total: number; millis: number; unparsed: number; stopped: boolean };

export interface ErrorData {
  code: string;
  message: string;
  detail: string | null;
  retryable: boolean;
}

export interface DeleteReport {
  deleted: number;
  failed: { name: string; error: ErrorData }[];
}

/** What happens where the target of a transfer exists. */
export type ConflictRule =
  | 'ask'
  | 'overwrite'
  | 'ifNewer'
  | 'ifSizeDiffers'
  | 'ifNewerOrSizeDiffers'
  | 'resume'
  | 'rename'
  | 'skip';

export type Priority = 'low' | 'normal' | 'high';

/** How a batch is transferred. */
export interface SendOptions {
  /** Null: as the site or the settings say. */
  conflict: ConflictRule | null;
  priority: Priority;
  /** Nothing starts before. */
  startAt: number | null;
  /** Bytes a second that each file may use. */
  limit: number | null;
  include: string[];
  exclude: string[];
  skipHidden: boolean;
  skipVcs: boolean;
}

export interface Sent {
  ids: number[];
  /** What can't be transferred at all. */
  failed: { name: string; error: ErrorData }[];
}

export type TransferState =
  | 'waiting'
  | 'paused'
  | 'asking'
  | 'scanning'
  | 'running'
  | 'done'
  | 'skipped'
  | 'failed'
  | 'cancelled';

export interface Checks {
  reply: boolean;
  size: boolean;
  time: boolean;
  /** Before it was continued, the end of what was there. */
  tail: boolean;
  /** The algorithm whose hash was compared. */
  hash: string | null;
}

export interface Facts {
  size: number | null;
  modified: number | null;
}

/** A target that exists, and what is to be put in its place. */
export interface Conflict {
  source: Facts;
  target: Facts;
}

export interface Counts {
  waiting: number;
  paused: number;
  asking: number;
  running: number;
  done: number;
  skipped: number;
  failed: number;
  cancelled: number;
  /** Left out by a filter. */
  filtered: number;
}

export interface TransferRow {
  id: number;
  batch: number | null;
  /** Id of the site, as the summary has it. */
  site: number;
  direction: 'upload' | 'download';
  isFolder: boolean;
  name: string;
  source: string;
  target: string;
  state: TransferState;
  bytes: number;
  total: number | null;
  bytesPerSecond: number | null;
  secondsLeft: number | null;
  attempts: number;
  error: ErrorData | null;
  checks: Checks | null;
  seconds: number | null;
  resumedFrom: number;
  priority: Priority;
  order: number;
  startAt: number | null;
  conflict: Conflict | null;
  targetName: string | null;
  counts: Counts | null;
}

/** Bytes a second; null: no limit. */
export interface Limits {
  total: number | null;
  download: number | null;
  upload: number | null;
}

export type Hold = { kind: 'diskFull'; path: string } | { kind: 'journal'; why: string };

export interface QueueSite {
  id: number;
  name: string;
  paused: boolean;
  /** It waits until a person connects to it. */
  needsLogin: boolean;
  /** The saved site, if it is one. */
  site: string | null;
  /** What to connect to otherwise, and how. */
  address: string;
  tls: TlsMode;
  limits: Limits;
}

export interface QueueSummary {
  files: Counts;
  bytes: number;
  total: number;
  /** Files of unknown size, and folders that were not looked into. */
  unknown: number;
  bytesPerSecond: number;
  paused: boolean;
  sites: QueueSite[];
  held: Hold | null;
  limits: Limits;
  timetable: string;
  timetableLimit: number | null;
  /** Items that are not shown because there are so many. */
  hidden: number;
  /** The queue is kept in a journal. */
  kept: boolean;
}

export type QueueUpdate =
  | { kind: 'snapshot'; revision: number; items: TransferRow[]; summary: QueueSummary }
  | {
      kind: 'changes';
      revision: number;
      upserts: TransferRow[];
      removed: number[];
      summary: QueueSummary;
    };

/** Where items go in the queue. */
export type QueuePlace =
  | { kind: 'first' }
  | { kind: 'last' }
  | { kind: 'before'; id: number }
  | { kind: 'after'; id: number };

/** The proof of one finished file. */
export interface Receipt {
  id: number;
  site: string;
  direction: 'upload' | 'download';
  source: string;
  target: string;
  bytes: number;
  resumedFrom: number;
  finished: number;
  seconds: number | null;
  attempts: number;
  checks: Checks;
  digest: string | null;
}

export interface TimetableCheck {
  problem: string | null;
  /** The limit that it sets now. */
  now: number | null;
  /** When that changes. */
  next: number | null;
}

export interface JournalStatus {
  /** Why transfers are not kept in this run. */
  problem: { reason: 'held' | 'newer' | 'broken'; error: ErrorData } | null;
  /** A damaged journal was set aside. */
  recovered: { path: string; rescued: number; lost: number | null; why: string } | null;
  /** Transfers of an earlier run that were not finished. */
  unfinished: number;
}

export interface CloseAsked {
  unfinished: number;
  /** They are in the journal, and go on at the next start. */
  kept: boolean;
  /** Visitors of shared folders who are taking or bringing a file. */
  serving: number;
}

/** Who can reach a shared folder. */
export type Reach =
  { kind: 'thisComputer' } | { kind: 'network'; address: string } | { kind: 'everywhere' };

/** `required`: nothing goes in the clear; `offered`: a program that knows no TLS gets in, too. */
export type ShareEncryption = 'required' | 'offered';

/** Bytes a second for all visitors together; null: no limit. Download is what they take, upload what they bring. */
export interface ShareLimits {
  download: number | null;
  upload: number | null;
}

/** What a person decides on before a folder is shared. Nothing is open yet. */
export interface ShareDraft {
  place: number;
  name: string;
  path: string;
  /** It is shared already, under this id. */
  shared: number | null;
  user: string;
  password: string;
  /** This computer's addresses in its networks. */
  networks: { address: string; interface: string }[];
  /** So much is in it that it is worth a word. */
  wide: 'home' | 'root' | null;
}

export interface ShareRequest {
  place: number;
  reach: Reach;
  /** 0: any that is free. */
  port: number;
  user: string;
  password: string;
  readOnly: boolean;
  encryption: ShareEncryption;
  limits: ShareLimits;
}

/** Somebody who is connected to a shared folder. */
export interface ShareVisitor {
  id: number;
  /** Where from: an IP address. */
  peer: string;
  /** Null before the login. */
  user: string | null;
  encrypted: boolean;
  moving: {
    direction: 'download' | 'upload' | 'listing';
    path: string;
    bytes: number;
    total: number | null;
  } | null;
}

/** Something that was taken from a shared folder, or brought. */
export interface ShareMove {
  seq: number;
  at: number;
  peer: string;
  direction: 'download' | 'upload';
  path: string;
  bytes: number;
  outcome: 'complete' | 'aborted' | 'failed';
  /** Why it failed. */
  why: string | null;
}

export interface Share {
  id: number;
  name: string;
  path: string;
  reach: Reach;
  /** Host and port as programs want them; several where every network is let in. */
  addresses: string[];
  user: string;
  password: string;
  /** Of the certificate: `sha256:` and 64 hex digits. */
  fingerprint: string;
  encryption: ShareEncryption;
  readOnly: boolean;
  limits: ShareLimits;
  since: number;
  visitors: ShareVisitor[];
  /** The latest first; a few dozen. */
  moves: ShareMove[];
  downloads: number;
  downloadBytes: number;
  uploads: number;
  uploadBytes: number;
  /** Wrong passwords, and whoever was turned away. */
  refused: number;
  bytesPerSecond: number;
}

/** A QR code as dark squares, `size` to a side, drawn as one SVG path. */
export interface QrCode {
  size: number;
  path: string;
  /** What it says; null where it holds the password. */
  text: string | null;
}

export interface LogLine {
  seq: number;
  session: number | null;
  at: number;
  direction: 'sent' | 'received' | 'info' | 'error';
  text: string;
}

export interface SiteInput {
  id: string | null;
  name: string;
  host: string;
  port: number | null;
  user: string;
  tls: TlsMode;
  remotePath: string;
  localPath: string;
  passive: boolean;
  allowPlaintext: boolean;
  /** 1 to 64 at once; null: as many as Slipway thinks best. */
  connections: number | null;
  limits: Limits;
  /** Null: as the settings say. */
  conflict: ConflictRule | null;
  temporaryNames: boolean;
  keepPermissions: boolean;
}

export interface Site extends SiteInput {
  id: string;
  passwordStored: boolean;
}

export interface SiteDeleted {
  /** Why its password may still be in the keyring. */
  passwordLeft: ErrorData | null;
}

export type PasswordChange =
  { kind: 'keep' } | { kind: 'forget' } | { kind: 'store'; password: string };

export interface Settings {
  theme: Theme;
  showHidden: boolean;
  /** What happens where the target of a transfer exists. */
  conflict: ConflictRule;
}

export interface SystemDrag {
  phase: 'enter' | 'over' | 'leave' | 'drop';
  x: number;
  y: number;
  drop: number | null;
  names: string[];
}

export type Unlisten = () => void;

/** Everything the window may ask of the shell. Each promise rejects with an {@link AppError}. */
export interface Backend {
  connect(request: ConnectRequest): Promise<ConnectOutcome>;
  cancelConnect(): Promise<void>;
  disconnect(session: number): Promise<void>;
  sessionSecurity(session: number): Promise<Security>;
  startPractice(): Promise<ConnectOutcome>;
  appInfo(): Promise<AppInfo>;

  /**
   * Resolves when the listing is complete; its events may still arrive a moment later.
   * The request's id is chosen by the caller, to stop it by.
   */
  openFolder(
    source: PaneSource,
    target: FolderTarget,
    request: number,
    onEvent: (event: ListingEvent) => void,
  ): Promise<Listing>;
  /** Rows that have arrived stay; a listing without any is cancelled. */
  stopListing(request: number): Promise<void>;
  closeListing(listing: number): Promise<void>;
  createFolder(listing: number, name: string): Promise<void>;
  renameEntry(listing: number, row: number, name: string): Promise<void>;
  deleteEntries(listing: number, rows: number[]): Promise<DeleteReport>;
  onFolderChanged(handle: (listing: number) => void): Promise<Unlisten>;

  sendEntries(listing: number, rows: number[], to: number, options: SendOptions): Promise<Sent>;
  acceptDrop(drop: number, to: number, options: SendOptions): Promise<Sent>;
  onSystemDrag(handle: (drag: SystemDrag) => void): Promise<Unlisten>;

  watchQueue(onUpdate: (update: QueueUpdate) => void): Promise<void>;
  cancelTransfers(ids: number[]): Promise<void>;
  retryTransfers(ids: number[]): Promise<void>;
  clearFinished(): Promise<void>;
  pauseTransfers(ids: number[], paused: boolean): Promise<void>;
  pauseQueue(paused: boolean): Promise<void>;
  pauseSite(site: number, paused: boolean): Promise<void>;
  setPriority(ids: number[], priority: Priority): Promise<void>;
  moveTransfers(ids: number[], place: QueuePlace): Promise<void>;
  /** Null: at once. */
  startTransfersAt(ids: number[], at: number | null): Promise<void>;
  /** Decides what asks; for a folder, everything in it that asks. */
  answerConflicts(ids: number[], rule: ConflictRule): Promise<void>;
  setLimits(limits: Limits): Promise<void>;
  setSiteLimits(site: number, limits: Limits): Promise<void>;
  setTimetable(text: string): Promise<void>;
  checkTimetable(text: string): Promise<TimetableCheck>;
  /** Null where the journal has none. */
  receipt(id: number): Promise<Receipt | null>;
  receipts(limit: number, offset: number): Promise<Receipt[]>;

  /** What is to be decided before a folder is shared: the one of a row, or the listing's own. Opens nothing. */
  prepareShare(listing: number, row: number | null): Promise<ShareDraft>;
  /** A new password that nobody can guess. */
  newPassword(): Promise<string>;
  shareFolder(request: ShareRequest): Promise<Share>;
  stopShare(id: number): Promise<void>;
  setShareLimits(id: number, limits: ShareLimits): Promise<void>;
  kickVisitor(id: number, visitor: number): Promise<void>;
  shareQr(id: number, withPassword: boolean): Promise<QrCode>;
  watchShares(onShares: (shares: Share[]) => void): Promise<void>;

  watchLog(onLines: (lines: LogLine[]) => void): Promise<void>;

  listSites(): Promise<Site[]>;
  saveSite(site: SiteInput, password: PasswordChange): Promise<Site>;
  deleteSite(id: string): Promise<SiteDeleted>;
  keyringStatus(): Promise<KeyringStatus>;

  listTrusted(): Promise<TrustedCertificate[]>;
  forgetTrusted(host: string, port: number): Promise<void>;

  loadSettings(): Promise<Settings>;
  saveSettings(settings: Settings): Promise<void>;
  setTitle(text: string): Promise<void>;
  /** The window was to be closed with transfers not finished. */
  onCloseAsked(handle: (asked: CloseAsked) => void): Promise<Unlisten>;
  /** Closes it (what is not kept is given up); or says that it stays, for now or because the question is on the screen. */
  closeWindow(confirm: boolean): Promise<void>;
}

export type { AppError };
