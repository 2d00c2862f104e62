/** What the fake backend answers with, and small helpers. */
import { AppError } from './error';
import type { CertificateInfo, ConnectRequest, PaneSource, Security, Site } from './types';

export const NO_KEYRING = 'org.freedesktop.secrets is not provided by any service';

export const EMPTY_REQUEST: ConnectRequest = {
  site: null,
  address: '',
  user: '',
  password: null,
  tls: 'auto',
  trust: null,
  allowPlaintext: false,
  rememberPassword: false,
};

export const READ_ONLY = {
  code: 'refused',
  message: 'The server refused to delete it.',
  detail: '550 readme.txt: Permission denied',
  retryable: false,
};

export const SITES: Site[] = [
  {
    id: 'harbour',
    name: 'Harbour magazine',
    host: 'ftp.harbour.example',
    port: null,
    user: 'editor',
    tls: 'explicit',
    remotePath: '/www',
    localPath: '',
    passive: true,
    allowPlaintext: false,
    connections: null,
    limits: { total: null, download: null, upload: null },
    conflict: null,
    temporaryNames: true,
    keepPermissions: false,
    passwordStored: false,
  },
];

export function error(
  code: string,
  message: string,
  detail: string | null,
  retryable = false,
): AppError {
  return new AppError({ code, message, detail, retryable });
}

export function same(a: PaneSource, b: PaneSource): boolean {
  return a.kind === 'local' ? b.kind === 'local' : b.kind === 'remote' && a.session === b.session;
}

export function clean(path: string): string {
  return `/${path.split('/').filter(Boolean).join('/')}`;
}

export function hostOf(address: string): string {
  return address
    .replace(/^[a-z]+:\/\//, '')
    .replace(/^[^@]*@/, '')
    .replace(/[:/].*$/, '')
    .trim();
}

export function certificate(host: string, now: number): CertificateInfo {
  return {
    subject: `CN=${host}`,
    issuer: `CN=${host}`,
    names: [host, `www.${host}`],
    notBefore: now - 30 * 86_400_000,
    notAfter: now + 335 * 86_400_000,
    fingerprint: 'sha256:5f1d8a3cbb0e7f42a9c6d0e1f2738495a6b7c8d9e0f1029384756afbecd1e2f3',
    selfSigned: true,
  };
}

export function tlsFacts(host: string, now: number, pinned: boolean): Security {
  return {
    kind: 'tls',
    trust: pinned ? 'pinned' : 'system',
    version: 'TLS 1.3',
    cipher: 'AES-256-GCM, X25519',
    resumes: null,
    dataEncrypted: !host.includes('half'),
    certificate: certificate(host, now),
  };
}
