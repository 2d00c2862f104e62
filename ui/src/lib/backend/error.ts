import type { ErrorData } from './types';

/** A failure that crossed the border: `code` picks the words, `detail` is the raw line. */
export class AppError extends Error implements ErrorData {
  readonly code: string;
  readonly detail: string | null;
  readonly retryable: boolean;

  constructor(data: ErrorData) {
    super(data.message);
    this.name = 'AppError';
    this.code = data.code;
    this.detail = data.detail;
    this.retryable = data.retryable;
  }
}

/** Whatever was thrown, as an AppError: a bug of our own has the code "internal". */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (isErrorData(thrown)) return new AppError(thrown);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const detail = thrown instanceof Error ? (thrown.stack ?? null) : null;
  return new AppError({ code: 'internal', message, detail, retryable: false });
}

function isErrorData(value: unknown): value is ErrorData {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as ErrorData).code === 'string' &&
    typeof (value as ErrorData).message === 'string'
  );
}
