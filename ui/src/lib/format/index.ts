import { t } from '$lib/messages';

/** A byte count in at most four characters and a unit, in steps of 1024. */
export function formatSize(bytes: number | null): string {
  if (bytes === null) return '';
  const units = t.format.units;
  let value = Math.max(0, bytes);
  let unit = 0;
  // 1023.5 would round to "1024 KB": step up before.
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  const text = value.toFixed(digits).replace(/\.0$/, '');
  return `${text} ${units[unit]}`;
}

/** A clause as a sentence: the shell gives reasons like "it has expired". */
export function formatSentence(clause: string): string {
  const [first = '', ...rest] = clause.trim();
  const text = first.toLocaleUpperCase(t.locale) + rest.join('');
  return text === '' || /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** Bytes a second, or nothing when unknown. */
export function formatSpeed(bytesPerSecond: number | null): string {
  return bytesPerSecond === null ? '' : t.format.perSecond(formatSize(bytesPerSecond));
}

/** Seconds in the one or two largest units. */
export function formatDuration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return '';
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return t.format.seconds(whole);
  const minutes = Math.ceil(whole / 60);
  if (minutes < 60) return t.format.minutes(minutes);
  if (minutes < 48 * 60) return t.format.hours(Math.floor(minutes / 60), minutes % 60);
  return t.format.days(Math.round(minutes / 1440));
}

export function formatPercent(bytes: number, total: number | null): string {
  if (total === null) return '';
  return t.format.percent(total === 0 ? 100 : Math.floor((Math.min(bytes, total) / total) * 100));
}

const time = new Intl.DateTimeFormat(t.locale, { hour: '2-digit', minute: '2-digit' });
const clock = new Intl.DateTimeFormat(t.locale, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const dayOfYear = new Intl.DateTimeFormat(t.locale, { day: 'numeric', month: 'short' });
const dayOfAnyYear = new Intl.DateTimeFormat(t.locale, {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
});
const full = new Intl.DateTimeFormat(t.locale, { dateStyle: 'full', timeStyle: 'medium' });

/** "today 10:02", "3 Nov 10:02", "3 Nov 2023": as much as a column needs. */
export function formatTime(at: number | null, precision: string | null, now: number): string {
  if (at === null) return '';
  const date = new Date(at);
  const today = new Date(now);
  const timeKnown = precision !== 'day';
  if (date.toDateString() === today.toDateString() && timeKnown) {
    return t.format.today(time.format(date));
  }
  if (date.getFullYear() !== today.getFullYear()) return dayOfAnyYear.format(date);
  return timeKnown ? `${dayOfYear.format(date)} ${time.format(date)}` : dayOfYear.format(date);
}

/** The whole truth, for tooltips. */
export function formatFullTime(at: number | null, precision: string | null): string {
  if (at === null) return '';
  return precision === 'day' ? dayOfAnyYear.format(at) : full.format(at);
}

export function formatDay(at: number): string {
  return Number.isFinite(at) ? dayOfAnyYear.format(at) : t.common.unknown;
}

export function formatClock(at: number): string {
  return clock.format(at);
}

/** "sha256:ab12…" as groups of eight upper-case pairs, easy to compare by eye. */
export function formatFingerprint(fingerprint: string): string[] {
  const hex = fingerprint.replace(/^sha256:/, '').toUpperCase();
  const pairs = (hex.match(/.{1,2}/g) ?? []).join(':');
  return pairs.match(/.{1,24}/g) ?? [];
}
