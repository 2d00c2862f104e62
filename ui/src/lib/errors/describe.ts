import { t } from '$lib/messages';
import type { ErrorData } from '$lib/backend';

export type ErrorAction = 'retry' | 'reconnect' | 'refresh' | 'login' | 'sites' | 'log';

export interface ErrorWords {
  title: string;
  /** What it means, in words a person uses. */
  text: string;
  action: ErrorAction | null;
  /** The shell's own sentence and the server's raw line: one click away. */
  detail: string;
}

type Code = keyof typeof t.error.codes;

/** What can be done about each kind of error. The words stand in the message catalogue. */
export const ERROR_ACTIONS: Record<Code, ErrorAction | null> = {
  resolve: 'retry',
  connect: 'retry',
  timeout: 'retry',
  lost: 'reconnect',
  busy: 'retry',
  'tls-unavailable': null,
  tls: 'log',
  certificate: 'reconnect',
  'plaintext-refused': 'sites',
  'login-refused': 'login',
  'not-found': 'refresh',
  refused: null,
  protocol: 'log',
  argument: null,
  truncated: 'retry',
  changed: 'retry',
  'disk-full': null,
  journal: null,
  local: null,
  unsupported: null,
  cancelled: null,
  keyring: null,
  'site-not-found': 'sites',
  'stale-listing': 'refresh',
  internal: 'log',
};

export function describe(error: ErrorData): ErrorWords {
  const known = Object.hasOwn(ERROR_ACTIONS, error.code);
  const words = known ? t.error.codes[error.code as Code] : t.error.unknown;
  const action = known ? ERROR_ACTIONS[error.code as Code] : error.retryable ? 'retry' : null;
  const detail = [error.message, error.detail].filter(Boolean).join('\n');
  return { title: words.title, text: words.text, action, detail };
}
