import type { ConnectRequest, Security, SessionInfo } from '$lib/backend';
import type { Pane } from '$lib/browser/pane.svelte';

/** One tab: this computer's pane, and a server's when connected. */
export class Tab {
  readonly id: number;
  readonly local: Pane;
  session = $state.raw<SessionInfo | null>(null);
  remote = $state.raw<Pane | null>(null);
  /** What the lock shows; asked again whenever it is opened. */
  security = $state.raw<Security | null>(null);
  /** How the session came to be, without its password: for connecting again. */
  request: ConnectRequest | null = null;

  constructor(id: number, local: Pane) {
    this.id = id;
    this.local = local;
  }
}

export type LockState = 'verified' | 'pinned' | 'half' | 'plain';

export function lockState(security: Security): LockState {
  if (security.kind === 'plain') return 'plain';
  // Commands alone: whoever listens reads the files.
  if (!security.dataEncrypted) return 'half';
  return security.trust === 'system' ? 'verified' : 'pinned';
}
