import type { AppInfo, Backend, KeyringStatus, Theme } from '$lib/backend';
import type { Notices } from '$lib/notices/notices.svelte';

export const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

export class Preferences {
  theme = $state<Theme>('system');
  showHidden = $state(false);
  version = $state('');
  keyring = $state.raw<KeyringStatus>({ available: true, message: null });

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

  setTheme(theme: Theme): void {
    this.theme = theme;
    this.#save();
  }

  setShowHidden(show: boolean): void {
    this.showHidden = show;
    this.#save();
  }

  #save(): void {
    this.#backend
      .saveSettings({ theme: this.theme, showHidden: this.showHidden })
      .catch((thrown: unknown) => this.#notices.error(thrown));
  }
}
