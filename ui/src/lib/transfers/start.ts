/** When something is to start, as people write it. The time is an input. */

/** "22:30" (today, or tomorrow if that is over) or "2026-05-01 22:30"; null if it is neither. */
export function parseStart(text: string, now: number): number | null {
  const found = /^(?:(\d{4})-(\d{1,2})-(\d{1,2})[ T]+)?(\d{1,2}):(\d{2})$/.exec(text.trim());
  if (!found) return null;
  const [, year, month, day, hour, minute] = found.map(Number) as number[];
  if ((hour ?? 99) > 23 || (minute ?? 99) > 59) return null;
  const date = new Date(now);
  date.setSeconds(0, 0);
  date.setHours(hour ?? 0, minute ?? 0);
  if (found[1] === undefined) {
    if (date.getTime() <= now) date.setDate(date.getDate() + 1);
    return date.getTime();
  }
  date.setFullYear(year ?? 0, (month ?? 0) - 1, day ?? 0);
  // The 31st of a month that has none would be a day of the next.
  if (date.getMonth() !== (month ?? 0) - 1 || date.getDate() !== day) return null;
  return date.getTime();
}

/** As {@link parseStart} reads it. */
export function formatStart(at: number): string {
  const date = new Date(at);
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
