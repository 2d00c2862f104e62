import type { Reach, Share, ShareDraft, ShareEncryption, ShareRequest } from '$lib/backend';
import { t } from '$lib/messages';
import { formatFingerprint } from '$lib/format';
import { NO_RATE, parseRate, type RateDraft } from '$lib/rate';

/** A choice that is no network's address. */
export const REACH_THIS = 'this';
export const REACH_EVERYWHERE = 'everywhere';

/** As the shell has it, too: what can be guessed is no password. */
const SHORTEST_PASSWORD = 8;
const LONGEST_USER = 64;

export interface ShareForm {
  draft: ShareDraft;
  /** {@link REACH_THIS}, {@link REACH_EVERYWHERE}, or the address of a network. */
  reach: string;
  user: string;
  password: string;
  /** Text until it is used; empty: any that is free. */
  port: string;
  readOnly: boolean;
  encryption: ShareEncryption;
  download: RateDraft;
  upload: RateDraft;
}

export type FormProblem = 'user' | 'password' | 'port' | 'download' | 'upload';

export function formOf(draft: ShareDraft): ShareForm {
  return {
    draft,
    reach: draft.networks[0]?.address ?? REACH_THIS,
    user: draft.user,
    password: draft.password,
    port: '',
    readOnly: true,
    encryption: 'required',
    download: NO_RATE,
    upload: NO_RATE,
  };
}

export function reachOf(reach: string): Reach {
  if (reach === REACH_THIS) return { kind: 'thisComputer' };
  if (reach === REACH_EVERYWHERE) return { kind: 'everywhere' };
  return { kind: 'network', address: reach };
}

/** A port from 1 on, 0 for any, undefined for what is none. */
function parsePort(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return 0;
  const port = /^\d{1,5}$/.test(trimmed) ? Number(trimmed) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

// eslint-disable-next-line no-control-regex
const CONTROL = /[\x00-\x1f\x7f]/;

export function problemsOf(form: ShareForm): Set<FormProblem> {
  const problems = new Set<FormProblem>();
  const user = form.user.trim();
  if (user === '' || user.length > LONGEST_USER || CONTROL.test(user)) problems.add('user');
  if (form.password.length < SHORTEST_PASSWORD || CONTROL.test(form.password)) {
    problems.add('password');
  }
  if (parsePort(form.port) === undefined) problems.add('port');
  for (const name of ['download', 'upload'] as const) {
    if (parseRate(form[name]) === undefined) problems.add(name);
  }
  return problems;
}

/** Null while something in it can't be used. */
export function requestOf(form: ShareForm): ShareRequest | null {
  const port = parsePort(form.port);
  const download = parseRate(form.download);
  const upload = parseRate(form.upload);
  if (problemsOf(form).size > 0) return null;
  if (port === undefined || download === undefined || upload === undefined) return null;
  return {
    place: form.draft.place,
    reach: reachOf(form.reach),
    port,
    user: form.user.trim(),
    password: form.password,
    readOnly: form.readOnly,
    encryption: form.encryption,
    limits: { download, upload },
  };
}

/** All that somebody needs to get in, as text to send them. */
export function invitation(share: Share): string {
  const words = t.sharing;
  const security = words.encryptionShort[share.encryption];
  return [
    ...share.addresses.map((address) => `${words.address}: ${address} (${security})`),
    `${words.user}: ${share.user}`,
    `${words.password}: ${share.password}`,
    `${words.fingerprint}: ${formatFingerprint(share.fingerprint).join('')}`,
  ].join('\n');
}
