export { ConnectFlow, BLANK_REQUEST, type Question } from './connect-flow.svelte';
export { lockState, Tab, type LockState } from './tabs.svelte';
export type { Recent } from './recent';
export type {
  CertificateInfo,
  CertificateQuestion,
  KeyringStatus,
  Security,
  SessionInfo,
  Site,
  TlsMode,
} from '$lib/backend';

export const TLS_MODES = ['auto', 'explicit', 'implicit', 'off'] as const;
