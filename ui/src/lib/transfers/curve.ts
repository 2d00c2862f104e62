/** The speed of the last two minutes, one sample a second. */

export interface Sample {
  /** Milliseconds. */
  at: number;
  bytesPerSecond: number;
}

export const CURVE_SECONDS = 120;

/** With one more sample, and without those that are too old. */
export function withSample(samples: readonly Sample[], sample: Sample): Sample[] {
  const oldest = sample.at - CURVE_SECONDS * 1000;
  return [...samples.filter(({ at }) => at >= oldest && at < sample.at), sample];
}

/** Whether anything moved in that time. */
export function isFlat(samples: readonly Sample[]): boolean {
  return samples.every(({ bytesPerSecond }) => bytesPerSecond === 0);
}

export interface Curve {
  line: string;
  /** The same, closed at the bottom. */
  area: string;
  /** How high a speed is drawn, from the top. */
  y: (bytesPerSecond: number) => number;
  highest: number;
}

/** The samples as paths of an SVG picture of this size; `now` is its right edge. */
export function curveOf(
  samples: readonly Sample[],
  now: number,
  width: number,
  height: number,
): Curve {
  const highest = Math.max(0, ...samples.map(({ bytesPerSecond }) => bytesPerSecond));
  const y = (speed: number) =>
    highest === 0 ? height : Math.max(0, height - (speed / highest) * height);
  const x = (at: number) => width - ((now - at) / (CURVE_SECONDS * 1000)) * width;
  const points = samples
    .filter(({ at }) => now - at <= CURVE_SECONDS * 1000)
    .map(({ at, bytesPerSecond }) => `${x(at).toFixed(1)} ${y(bytesPerSecond).toFixed(1)}`);
  if (points.length === 0) return { line: '', area: '', y, highest };
  const line = `M${points.join('L')}`;
  const left = points[0]?.split(' ')[0] ?? '0';
  const right = points.at(-1)?.split(' ')[0] ?? String(width);
  return { line, area: `${line}L${right} ${height}L${left} ${height}Z`, y, highest };
}
