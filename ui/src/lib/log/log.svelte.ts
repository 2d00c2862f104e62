import type { Backend, LogLine } from '$lib/backend';
import { formatClock } from '$lib/format';

/** The most lines that are kept; older ones fall out in one go, not one by one. */
export const LOG_LIMIT = 5000;
const SLACK = 500;

/** The conversation with the servers. Passwords come masked. */
export class Log {
  lines = $state.raw<LogLine[]>([]);
  /** Whether the list stays at its end. */
  follow = $state(true);

  async watch(backend: Backend): Promise<void> {
    await backend.watchLog((lines) => this.receive(lines));
  }

  receive(lines: LogLine[]): void {
    if (lines.length === 0) return;
    const all = this.lines.concat(lines);
    this.lines = all.length > LOG_LIMIT + SLACK ? all.slice(-LOG_LIMIT) : all;
  }

  clear(): void {
    this.lines = [];
  }

  text(): string {
    return this.lines.map((line) => logText(line)).join('\n');
  }
}

const MARKS = { sent: '>', received: '<', info: '·', error: '!' } as const;

export function logText(line: LogLine): string {
  return `${formatClock(line.at)} ${MARKS[line.direction]} ${line.text}`;
}

export function logMark(line: LogLine): string {
  return MARKS[line.direction];
}
