import {
  toAppError,
  type AppError,
  type Backend,
  type CertificateQuestion,
  type ConnectOutcome,
  type ConnectRequest,
  type PasswordReason,
  type SessionInfo,
} from '$lib/backend';

export type Question =
  | { kind: 'certificate'; question: CertificateQuestion }
  | { kind: 'plaintext'; host: string }
  | {
      kind: 'password';
      user: string;
      host: string;
      reason: PasswordReason;
      message: string | null;
    };

export interface FlowEvents {
  connected(session: SessionInfo, request: ConnectRequest | null): void;
  failed(error: AppError, request: ConnectRequest | null): void;
  /** The person gave it up: whatever comes of it now is not shown. */
  cancelled(): void;
}

export const BLANK_REQUEST: ConnectRequest = {
  site: null,
  address: '',
  user: '',
  password: null,
  tls: 'auto',
  trust: null,
  allowPlaintext: false,
  rememberPassword: false,
};

/**
 * One connect at a time, with its questions: each answer asks the shell again, with the
 * answer filled in. Cancelling a question does nothing more.
 */
export class ConnectFlow {
  /** Whom we are connecting to, while we are. */
  connectingTo = $state<string | null>(null);
  question = $state.raw<Question | null>(null);

  #backend: Backend;
  #events: FlowEvents;
  #request: ConnectRequest | null = null;
  #label = '';
  #turn = 0;
  #last: (() => Promise<ConnectOutcome>) | null = null;

  constructor(backend: Backend, events: FlowEvents) {
    this.#backend = backend;
    this.#events = events;
  }

  get busy(): boolean {
    return this.connectingTo !== null;
  }

  /** The request that the question is about: whether it is a saved site's. */
  get forSite(): boolean {
    return (this.#request?.site ?? null) !== null;
  }

  start(request: ConnectRequest, label: string): Promise<void> {
    this.question = null;
    this.#request = request;
    return this.#run(label, () => this.#backend.connect(request));
  }

  practice(label: string): Promise<void> {
    this.question = null;
    this.#request = null;
    return this.#run(label, () => this.#backend.startPractice());
  }

  /** Tries the last attempt once more. */
  again(): Promise<void> {
    return this.#last ? this.#run(this.#label, this.#last) : Promise.resolve();
  }

  trust(always: boolean): Promise<void> {
    const asked = this.question;
    if (asked?.kind !== 'certificate') return Promise.resolve();
    const { fingerprint, subject } = asked.question.certificate;
    return this.#answer({ trust: { fingerprint, subject, always } });
  }

  allowPlaintext(): Promise<void> {
    return this.#answer({ allowPlaintext: true });
  }

  givePassword(password: string, rememberPassword: boolean): Promise<void> {
    return this.#answer({ password, rememberPassword });
  }

  cancel(): void {
    this.#turn += 1;
    this.question = null;
    this.#events.cancelled();
    if (this.connectingTo === null) return;
    this.connectingTo = null;
    this.#backend.cancelConnect().catch(() => undefined);
  }

  #answer(answer: Partial<ConnectRequest>): Promise<void> {
    const request = { ...(this.#request ?? BLANK_REQUEST), ...answer };
    return this.start(request, this.#label);
  }

  async #run(label: string, call: () => Promise<ConnectOutcome>): Promise<void> {
    const turn = ++this.#turn;
    const request = this.#request;
    this.#label = label;
    this.#last = call;
    this.connectingTo = label;
    try {
      const outcome = await call();
      if (turn !== this.#turn) {
        // Cancelled meanwhile: a connection that came after all is not wanted.
        if (outcome.kind === 'connected') await this.#backend.disconnect(outcome.session.id);
        return;
      }
      this.connectingTo = null;
      if (outcome.kind === 'connected') this.#events.connected(outcome.session, request);
      else this.question = outcome;
    } catch (thrown) {
      if (turn !== this.#turn) return;
      this.connectingTo = null;
      this.#events.failed(toAppError(thrown), request);
    }
  }
}
