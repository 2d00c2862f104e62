import type { TlsMode } from '$lib/backend';

export interface Recent {
  address: string;
  user: string;
  tls: TlsMode;
}

const KEY = 'slipway.recent';
const MOST = 8;
const TLS_MODES: readonly unknown[] = ['auto', 'explicit', 'implicit', 'off'];

/**
 * An address without the password that it may carry: passwords are never kept, nor shown.
 * Cut as the shell cuts it (src-tauri/src/address.rs): the login ends at the last "@"
 * before the first "/", its user at the first ":".
 */
export function withoutPassword(address: string): string {
  const text = address.trim();
  const scheme = text.includes('://') ? text.indexOf('://') + 3 : 0;
  const slash = text.indexOf('/', scheme);
  const end = slash < 0 ? text.length : slash;
  const login = text.slice(scheme, end).lastIndexOf('@');
  if (login < 0) return text;
  const user = text.slice(scheme, scheme + login).split(':', 1)[0] ?? '';
  return text.slice(0, scheme) + user + text.slice(scheme + login);
}

export function loadRecent(storage: Storage): Recent[] {
  try {
    const list: unknown = JSON.parse(storage.getItem(KEY) ?? '[]');
    if (!Array.isArray(list)) return [];
    const known = list.filter(isRecent).slice(0, MOST);
    const clean = known.map((entry) => ({ ...entry, address: withoutPassword(entry.address) }));
    // A version before this one let some passwords through.
    if (clean.some(({ address }, i) => address !== known[i]?.address)) store(storage, clean);
    return clean;
  } catch {
    return [];
  }
}

/** Puts an address first; the same address is kept once. */
export function remember(storage: Storage, list: Recent[], entry: Recent): Recent[] {
  const address = withoutPassword(entry.address);
  if (!address) return list;
  const clean = { address, user: entry.user, tls: entry.tls };
  const others = list.filter((old) => old.address !== address || old.user !== entry.user);
  const next = [clean, ...others].slice(0, MOST);
  store(storage, next);
  return next;
}

function store(storage: Storage, list: Recent[]): void {
  try {
    storage.setItem(KEY, JSON.stringify(list));
  } catch {
    // A full or forbidden storage only forgets.
  }
}

function isRecent(value: unknown): value is Recent {
  const entry = value as Recent | null;
  return (
    typeof entry?.address === 'string' &&
    typeof entry.user === 'string' &&
    TLS_MODES.includes(entry.tls)
  );
}
