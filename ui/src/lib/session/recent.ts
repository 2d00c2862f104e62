import type { TlsMode } from '$lib/backend';

export interface Recent {
  address: string;
  user: string;
  tls: TlsMode;
}

const KEY = 'slipway.recent';
const MOST = 8;
const TLS_MODES: readonly unknown[] = ['auto', 'explicit', 'implicit', 'off'];

/** An address without the password that a URL may carry: passwords are never kept here. */
export function withoutPassword(address: string): string {
  return address.trim().replace(/^([a-z][a-z0-9+.-]*:\/\/)?([^@:/]*):.*@(?=[^@]*$)/i, '$1$2@');
}

export function loadRecent(storage: Storage): Recent[] {
  try {
    const list: unknown = JSON.parse(storage.getItem(KEY) ?? '[]');
    return Array.isArray(list) ? list.filter(isRecent).slice(0, MOST) : [];
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
  try {
    storage.setItem(KEY, JSON.stringify(next));
  } catch {
    // A full or forbidden storage only forgets.
  }
  return next;
}

function isRecent(value: unknown): value is Recent {
  const entry = value as Recent | null;
  return (
    typeof entry?.address === 'string' &&
    typeof entry.user === 'string' &&
    TLS_MODES.includes(entry.tls)
  );
}
