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

/** What to do where a name is taken in the folder that receives. */
export type Existing = 'ask' | 'replace' | 'skip';

export type SendOutcome =
  | {
      kind: 'queued';
      ids: number[];
      /** What can't be transferred at all. */
      failed: { name: string; error: ErrorData }[];
      skipped: number;
    }
  | {
      kind: 'exists';
      /** The first of those that exist; `count` may be more. */
      names: string[];
      count: number;
      total: number;
      folders: boolean;
    };

export type TransferState = 'waiting' | 'scanning' | 'running' | 'done' | 'failed' | 'cancelled';

export interface TransferRow {
  id: number;
  batch: number | null;
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
  verified: string | null;
}

export type QueueUpdate =
  | { kind: 'snapshot'; revision: number; items: TransferRow[] }
  | { kind: 'changes'; revision: number; upserts: TransferRow[]; removed: number[] };

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

  /** Told to ask, it queues nothing where something exists, and answers so. */
  sendEntries(
    listing: number,
    rows: number[],
    to: number,
    existing: Existing,
  ): Promise<SendOutcome>;
  acceptDrop(drop: number, to: number, existing: Existing): Promise<SendOutcome>;
  onSystemDrag(handle: (drag: SystemDrag) => void): Promise<Unlisten>;
  watchQueue(onUpdate: (update: QueueUpdate) => void): Promise<void>;
  cancelTransfers(ids: number[]): Promise<void>;
  retryTransfers(ids: number[]): Promise<void>;
  clearFinished(): Promise<void>;

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
  /** The window was to be closed with so many transfers not finished. */
  onCloseAsked(handle: (unfinished: number) => void): Promise<Unlisten>;
  /** Closes it and gives them up; or says that it stays, for now or because the question is on the screen. */
  closeWindow(confirm: boolean): Promise<void>;
}

export type { AppError };
