import {
  toAppError,
  type AppError,
  type AppInfo,
  type Backend,
  type ConflictRule,
  type KeyringStatus,
  type Theme,
  type TrustedCertificate,
} from '$lib/backend';
import { t } from '$lib/messages';
import type { Notices } from '$lib/notices/notices.svelte';

export const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

export const RULES: readonly ConflictRule[] = [
  'ask',
  'overwrite',
  'ifNewer',
  'ifSizeDiffers',
  'ifNewerOrSizeDiffers',
  'resume',
  'rename',
  'skip',
];

export class Preferences {
  theme = $state<Theme>('system');
  showHidden = $state(false);
  /** What happens where the target of a transfer exists. */
  conflict = $state<ConflictRule>('ask');
  version = $state('');
  keyring = $state.raw<KeyringStatus>({ available: true, message: null });
  /** Certificates that are trusted by hand; read when they are looked at. */
  trusted = $state.raw<TrustedCertificate[]>([]);
  trustedError = $state.raw<AppError | null>(null);

  #backend: Backend;
  #notices: Notices;

  constructor(backend: Backend, notices: Notices) {
    this.#backend = backend;
    this.#notices = notices;
  }

  async load(): Promise<AppInfo | null> {
    try {
      const settings = await this.#backend.loadSettings();
      this.theme = settings.theme;
      this.showHidden = settings.showHidden;
      this.conflict = settings.conflict;
    } catch (thrown) {
      // A damaged file is no reason to know nothing else.
      const { message, detail } = toAppError(thrown);
      const raw = [message, detail].filter(Boolean).join('\n');
      this.#notices.problem(t.settings.unread, t.settings.unreadText, raw);
    }
    try {
      const info = await this.#backend.appInfo();
      this.version = info.version;
      this.keyring = info.keyring;
      return info;
    } catch (thrown) {
      this.#notices.error(thrown);
      return null;
    }
  }

  async askKeyring(): Promise<void> {
    try {
      this.keyring = await this.#backend.keyringStatus();
    } catch (thrown) {
      this.#notices.error(thrown);
    }
  }

  loadTrusted(): Promise<void> {
    return this.#withTrusted(() => Promise.resolve());
  }

  forgetTrusted({ host, port }: TrustedCertificate): Promise<void> {
    return this.#withTrusted(() => this.#backend.forgetTrusted(host, port));
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    this.#save();
  }

  setShowHidden(show: boolean): void {
    this.showHidden = show;
    this.#save();
  }

  setConflict(conflict: ConflictRule): void {
    this.conflict = conflict;
    this.#save();
  }

  async #withTrusted(act: () => Promise<void>): Promise<void> {
    this.trustedError = null;
    try {
      await act();
      this.trusted = await this.#backend.listTrusted();
    } catch (thrown) {
      this.trustedError = toAppError(thrown);
    }
  }

  #save(): void {
    this.#backend
      .saveSettings({ theme: this.theme, showHidden: this.showHidden, conflict: this.conflict })
      .catch((thrown: unknown) => this.#notices.error(thrown));
  }
}
