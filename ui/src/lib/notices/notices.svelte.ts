import { describe } from '$lib/errors';
import { toAppError, type ErrorData } from '$lib/backend';
import { t } from '$lib/messages';
import { toClipboard } from './clipboard';

export interface Notice {
  id: number;
  tone: 'info' | 'success' | 'error';
  text: string;
  title: string | null;
  detail: string | null;
  action: { label: string; run: () => void } | null;
}

const SHOWN_MS = 5000;
const MOST = 4;

/** Toasts, and what screen readers are told in passing. */
export class Notices {
  list = $state.raw<Notice[]>([]);
  /** The polite live region's text. */
  spoken = $state('');
  #nextId = 1;
  #timers = new Map<number, ReturnType<typeof setTimeout>>();

  info(text: string, action: Notice['action'] = null): void {
    this.#add({ tone: 'info', text, title: null, detail: null, action });
  }

  success(text: string): void {
    this.#add({ tone: 'success', text, title: null, detail: null, action: null });
  }

  /** Errors stay until dismissed. Cancelling is no news to who cancelled. */
  error(thrown: unknown, action: Notice['action'] = null): void {
    const error: ErrorData = toAppError(thrown);
    if (error.code === 'cancelled') return;
    const words = describe(error);
    this.#add({
      tone: 'error',
      text: words.text,
      title: words.title,
      detail: words.detail,
      action,
    });
  }

  problem(title: string, text: string, detail: string | null, action: Notice['action'] = null) {
    this.#add({ tone: 'error', title, text, detail, action });
  }

  /** Copies a text, and says whether that worked. */
  async copy(text: string): Promise<void> {
    if (await toClipboard(text)) this.success(t.common.copied);
    else this.problem(t.common.notCopied, t.common.notCopiedText, null);
  }

  say(text: string): void {
    // The same words twice in a row are news, too: a no-break space makes them differ.
    this.spoken = this.spoken === text ? `${text}\u00a0` : text;
  }

  dismiss(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.list = this.list.filter((notice) => notice.id !== id);
  }

  #add(notice: Omit<Notice, 'id'>): void {
    const id = this.#nextId++;
    this.list = [...this.list, { ...notice, id }].slice(-MOST);
    this.say([notice.title, notice.text].filter(Boolean).join('. '));
    if (notice.tone !== 'error') {
      this.#timers.set(
        id,
        setTimeout(() => this.dismiss(id), SHOWN_MS),
      );
    }
  }
}
