import { describe, expect, it } from 'vitest';
import {
  formatDuration,
  formatFingerprint,
  formatPercent,
  formatSentence,
  formatSize,
  formatSpeed,
  formatTime,
} from './index';

describe('formatSize', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KB'],
    [4096, '4 KB'],
    [1536, '1.5 KB'],
    [1024 * 1024 - 1, '1 MB'],
    [8.1 * 1024 * 1024, '8.1 MB'],
    [73 * 1024 ** 3, '73 GB'],
    [2000 * 1024 ** 5, '2000 PB'],
  ])('%d is %s', (bytes, text) => expect(formatSize(bytes)).toBe(text));

  it('says nothing about the unknown', () => {
    expect(formatSize(null)).toBe('');
    expect(formatSpeed(null)).toBe('');
  });
});

describe('formatSentence', () => {
  it.each([
    ['it has expired', 'It has expired.'],
    [' élan ', 'Élan.'],
    ['Stop!', 'Stop!'],
    ['', ''],
  ])('%j becomes %j', (clause, text) => expect(formatSentence(clause)).toBe(text));
});

describe('formatDuration', () => {
  it.each([
    [0, '0 s'],
    [59.2, '1 min'],
    [119, '2 min'],
    [3600, '1 h'],
    [5400, '1 h 30 min'],
    [4 * 86_400, '4 days'],
    [Infinity, ''],
  ])('%d is %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));
});

describe('formatTime', () => {
  const now = new Date(2026, 10, 21, 12, 0).getTime();

  it('is as short as it can be', () => {
    expect(formatTime(new Date(2026, 10, 21, 10, 2).getTime(), 'second', now)).toBe('today 10:02');
    expect(formatTime(new Date(2026, 10, 3, 9, 5).getTime(), 'minute', now)).toBe('3 Nov 09:05');
    expect(formatTime(new Date(2023, 10, 3).getTime(), 'minute', now)).toBe('3 Nov 2023');
  });

  it('claims no time of day that the server did not give', () => {
    expect(formatTime(new Date(2026, 10, 21).getTime(), 'day', now)).toBe('21 Nov');
  });
});

describe('others', () => {
  it('formats percents without reaching a hundred early', () => {
    expect(formatPercent(999, 1000)).toBe('99 %');
    expect(formatPercent(0, 0)).toBe('100 %');
    expect(formatPercent(5, null)).toBe('');
  });

  it('writes fingerprints in pairs', () => {
    expect(formatFingerprint('sha256:0aff12')).toEqual(['0A:FF:12']);
    const groups = formatFingerprint(`sha256:${'ab'.repeat(32)}`);
    expect(groups).toHaveLength(4);
    expect(groups.join('')).toBe(Array(32).fill('AB').join(':'));
  });
});
