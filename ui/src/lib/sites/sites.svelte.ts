import {
  toAppError,
  type AppError,
  type Backend,
  type PasswordChange,
  type Site,
  type SiteInput,
} from '$lib/backend';
import { t } from '$lib/messages';
import type { Notices } from '$lib/notices/notices.svelte';
import { NO_RATE, draftOfRate, parseRate, type RateDraft } from '$lib/rate';

/** What the form holds: text until it is saved. */
export interface Draft {
  id: string | null;
  name: string;
  host: string;
  port: string;
  user: string;
  tls: SiteInput['tls'];
  remotePath: string;
  localPath: string;
  passive: boolean;
  allowPlaintext: boolean;
  connections: string;
  download: RateDraft;
  upload: RateDraft;
  conflict: SiteInput['conflict'];
  temporaryNames: boolean;
  keepPermissions: boolean;
  password: string;
  remember: boolean;
}

export type DraftField = 'host' | 'port' | 'connections' | 'download' | 'upload';

export type DraftProblem = { field: DraftField; text: string };

export const BLANK_DRAFT: Draft = {
  id: null,
  name: '',
  host: '',
  port: '',
  user: '',
  tls: 'auto',
  remotePath: '',
  localPath: '',
  passive: true,
  allowPlaintext: false,
  connections: '',
  download: NO_RATE,
  upload: NO_RATE,
  conflict: null,
  temporaryNames: true,
  keepPermissions: false,
  password: '',
  remember: false,
};

export function draftOf({ limits, ...site }: Site): Draft {
  return {
    ...site,
    port: site.port === null ? '' : String(site.port),
    connections: site.connections === null ? '' : String(site.connections),
    download: draftOfRate(limits.download),
    upload: draftOfRate(limits.upload),
    password: '',
    remember: site.passwordStored,
  };
}

/** What is wrong with a draft, or null. */
export function problemOf(draft: Draft): DraftProblem | null {
  if (!draft.host.trim()) return { field: 'host', text: t.sites.needsHost };
  const port = draft.port.trim();
  if (port && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65535)) {
    return { field: 'port', text: t.sites.badPort };
  }
  const connections = draft.connections.trim();
  if (connections && !(/^\d{1,2}$/.test(connections) && isCount(Number(connections)))) {
    return { field: 'connections', text: t.sites.badConnections };
  }
  for (const field of ['download', 'upload'] as const) {
    if (parseRate(draft[field]) === undefined) return { field, text: t.sites.badLimit };
  }
  return null;
}

const isCount = (count: number) => count >= 1 && count <= 64;

export function inputOf(draft: Draft): SiteInput {
  const port = draft.port.trim();
  const host = draft.host.trim();
  return {
    id: draft.id,
    name: draft.name.trim() || host,
    host,
    port: port ? Number(port) : null,
    user: draft.user.trim(),
    tls: draft.tls,
    remotePath: draft.remotePath.trim(),
    localPath: draft.localPath.trim(),
    passive: draft.passive,
    allowPlaintext: draft.allowPlaintext,
    connections: draft.connections.trim() ? Number(draft.connections.trim()) : null,
    limits: {
      total: null,
      download: parseRate(draft.download) ?? null,
      upload: parseRate(draft.upload) ?? null,
    },
    conflict: draft.conflict,
    temporaryNames: draft.temporaryNames,
    keepPermissions: draft.keepPermissions,
  };
}

/** A password is stored only when asked to; a box unticked forgets the stored one. */
export function passwordChange(draft: Draft, stored: boolean): PasswordChange {
  if (draft.remember) {
    return draft.password ? { kind: 'store', password: draft.password } : { kind: 'keep' };
  }
  return stored ? { kind: 'forget' } : { kind: 'keep' };
}

export class Sites {
  list = $state.raw<Site[]>([]);
  open = $state(false);
  draft = $state<Draft | null>(null);
  problem = $state.raw<DraftProblem | null>(null);
  error = $state.raw<AppError | null>(null);
  saving = $state(false);
  /** The deletion waits for a second press. */
  removing = $state(false);

  #backend: Backend;
  #notices: Notices;

  constructor(backend: Backend, notices: Notices) {
    this.#backend = backend;
    this.#notices = notices;
  }

  async load(): Promise<void> {
    try {
      const sites = await this.#backend.listSites();
      this.list = sites.sort((a, b) => a.name.localeCompare(b.name, t.locale));
    } catch (thrown) {
      this.#notices.error(thrown);
    }
  }

  show(fresh = false): void {
    this.open = true;
    this.error = null;
    void this.load();
    if (fresh) this.add();
    else if (!this.draft && this.list[0]) this.edit(this.list[0]);
  }

  close(): void {
    this.open = false;
    this.draft = null;
    this.removing = false;
  }

  add(): void {
    this.#choose({ ...BLANK_DRAFT });
  }

  edit(site: Site): void {
    this.#choose(draftOf(site));
  }

  stored(): boolean {
    return this.list.some((site) => site.id === this.draft?.id && site.passwordStored);
  }

  /** The saved site, or null when the draft is not in order or could not be saved. */
  async save(): Promise<Site | null> {
    const draft = this.draft;
    if (!draft || this.saving) return null;
    this.problem = problemOf(draft);
    if (this.problem) return null;
    this.saving = true;
    this.error = null;
    try {
      const site = await this.#backend.saveSite(
        inputOf(draft),
        passwordChange(draft, this.stored()),
      );
      await this.load();
      this.draft = draftOf(site);
      this.#notices.success(t.sites.saved(site.name));
      return site;
    } catch (thrown) {
      this.error = toAppError(thrown);
      return null;
    } finally {
      this.saving = false;
    }
  }

  async remove(): Promise<void> {
    const id = this.draft?.id;
    const name = this.draft?.name ?? '';
    this.removing = false;
    if (!id) {
      this.draft = null;
      return;
    }
    try {
      const { passwordLeft: left } = await this.#backend.deleteSite(id);
      this.draft = null;
      await this.load();
      if (left) {
        const detail = left.detail ?? left.message;
        this.#notices.problem(t.sites.removed(name), t.sites.passwordLeft, detail);
      } else this.#notices.success(t.sites.removed(name));
    } catch (thrown) {
      this.error = toAppError(thrown);
    }
  }

  #choose(draft: Draft): void {
    this.draft = draft;
    this.problem = null;
    this.error = null;
    this.removing = false;
  }
}
