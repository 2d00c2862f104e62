import { describe, expect, it, vi } from 'vitest';
import type { Backend } from '$lib/backend';
import { fakeSummary } from '$lib/backend/fake-queue';
import { Notices } from '$lib/notices/notices.svelte';
import { draftOfRate, parseRate } from '$lib/rate';
import { CURVE_SECONDS, curveOf, withSample, type Sample } from './curve';
import { LimitsDialog } from './limits.svelte';
import { BLANK_SEND, optionsOf } from './sending.svelte';
import { formatStart, parseStart } from './start';

describe('speeds as people write them', () => {
  it('are numbers with a unit, or nothing', () => {
    expect(parseRate({ text: ' 512 ', unit: 'K' })).toBe(512 * 1024);
    expect(parseRate({ text: '1,5', unit: 'M' })).toBe(1.5 * 1024 ** 2);
    expect(parseRate({ text: '', unit: 'G' })).toBeNull();
    for (const text of ['x', '-1', '1e3', '0', '1.2.3', '12345678901']) {
      expect(parseRate({ text, unit: 'K' })).toBeUndefined();
    }
  });

  it('come back as they were', () => {
    for (const rate of [1024, 512 * 1024, 1.5 * 1024 ** 2, 3 * 1024 ** 3]) {
      expect(parseRate(draftOfRate(rate))).toBe(rate);
    }
    expect(draftOfRate(512 * 1024)).toEqual({ text: '512', unit: 'K' });
    expect(draftOfRate(null).text).toBe('');
  });
});

describe('when something starts', () => {
  const now = new Date(2026, 4, 1, 12, 0, 30).getTime();

  it('is today, or tomorrow if that is over', () => {
    expect(parseStart('22:30', now)).toBe(new Date(2026, 4, 1, 22, 30).getTime());
    expect(parseStart('9:05', now)).toBe(new Date(2026, 4, 2, 9, 5).getTime());
  });

  it('is a day and a time, and comes back as it was', () => {
    const at = parseStart('2026-12-24 18:00', now);
    expect(at).toBe(new Date(2026, 11, 24, 18, 0).getTime());
    expect(formatStart(at ?? 0)).toBe('2026-12-24 18:00');
  });

  it('is nothing else', () => {
    for (const text of ['', 'noon', '24:00', '12:60', '2026-02-30 10:00', '2026-13-01 10:00']) {
      expect(parseStart(text, now), text).toBeNull();
    }
  });
});

describe('how a batch is sent', () => {
  it('reads globs and says which field is wrong', () => {
    const draft = { ...BLANK_SEND, include: '*.html, *.css', exclude: 'node_modules\n*.tmp,' };
    expect(optionsOf(draft, 0)).toMatchObject({
      conflict: null,
      include: ['*.html', '*.css'],
      exclude: ['node_modules', '*.tmp'],
      startAt: null,
      limit: null,
    });
    expect(optionsOf({ ...BLANK_SEND, start: 'soon' }, 0)).toBe('start');
    expect(optionsOf({ ...BLANK_SEND, limit: { text: '-', unit: 'K' } }, 0)).toBe('limit');
  });
});

describe('the curve of speeds', () => {
  const sample = (at: number, bytesPerSecond: number): Sample => ({
    at: at * 1000,
    bytesPerSecond,
  });

  it('forgets what is older than two minutes', () => {
    let samples: Sample[] = [];
    for (let at = 0; at <= 500; at += 1) samples = withSample(samples, sample(at, at));
    expect(samples).toHaveLength(CURVE_SECONDS + 1);
    expect(samples[0]).toEqual(sample(380, 380));
  });

  it('begins where its time is, and is as high as the highest', () => {
    const curve = curveOf([sample(60, 0), sample(90, 100), sample(120, 50)], 120_000, 120, 20);
    expect(curve.line).toBe('M60.0 20.0L90.0 0.0L120.0 10.0');
    expect(curve.area).toBe('M60.0 20.0L90.0 0.0L120.0 10.0L120.0 20L60.0 20Z');
    expect(curve.y(25)).toBe(15);
  });

  it('draws nothing of nothing', () => {
    expect(curveOf([], 0, 120, 20).line).toBe('');
    expect(curveOf([sample(0, 0)], 0, 120, 20).line).toBe('M120.0 20.0');
  });
});

describe('the dialog of limits', () => {
  const none = { total: null, download: null, upload: null };
  const site = {
    id: 4,
    name: 'Pier',
    paused: false,
    needsLogin: false,
    site: null,
    address: '',
    tls: 'auto' as const,
    limits: none,
  };

  function open(problem: string | null = null) {
    const calls = {
      checkTimetable: vi
        .fn<Backend['checkTimetable']>()
        .mockResolvedValue({ problem, now: null, next: null }),
      setTimetable: vi.fn<Backend['setTimetable']>().mockResolvedValue(),
      setLimits: vi.fn<Backend['setLimits']>().mockResolvedValue(),
      setSiteLimits: vi.fn<Backend['setSiteLimits']>().mockResolvedValue(),
    };
    const dialog = new LimitsDialog(calls as unknown as Backend, new Notices());
    dialog.show(fakeSummary({ sites: [site], limits: { ...none, upload: 1024 } }));
    return { dialog, ...calls };
  }

  it('sets what was changed, and nothing else', async () => {
    const { dialog, setTimetable, setLimits, setSiteLimits } = open();
    expect(dialog.draft.upload).toEqual({ text: '1', unit: 'K' });
    await dialog.save();
    expect(dialog.open).toBe(false);
    for (const call of [setTimetable, setLimits, setSiteLimits])
      expect(call).not.toHaveBeenCalled();

    dialog.show(fakeSummary({ sites: [site] }));
    dialog.draft.total = { text: '2', unit: 'M' };
    const [first] = dialog.sites;
    if (first) first.draft.download = { text: '100', unit: 'K' };
    await dialog.save();
    expect(setLimits).toHaveBeenCalledWith({ ...none, total: 2 * 1024 ** 2 });
    expect(setSiteLimits).toHaveBeenCalledWith(4, { ...none, download: 100 * 1024 });
  });

  it('stays open while something can not be read', async () => {
    const { dialog, setLimits } = open();
    dialog.draft.total = { text: 'fast', unit: 'K' };
    expect([...dialog.wrong]).toEqual(['total']);
    await dialog.save();
    expect(dialog.open).toBe(true);
    expect(setLimits).not.toHaveBeenCalled();
  });

  it('shows what is wrong with the timetable, and takes the newest answer', async () => {
    const { dialog, checkTimetable, setTimetable } = open('No time.');
    await vi.waitFor(() => expect(dialog.check?.problem).toBe('No time.'));
    await dialog.save();
    expect(setTimetable).not.toHaveBeenCalled();

    let answerLate: (check: { problem: null; now: number; next: null }) => void = () => {};
    checkTimetable.mockReturnValueOnce(new Promise((go) => (answerLate = go)));
    const older = dialog.setTimetable('08:00-18:00 5');
    checkTimetable.mockResolvedValue({ problem: null, now: 52, next: null });
    await dialog.setTimetable('08:00-18:00 52');
    answerLate({ problem: null, now: 5, next: null });
    await older;
    expect(dialog.check?.now).toBe(52);
    await dialog.save();
    expect(setTimetable).toHaveBeenCalledWith('08:00-18:00 52');
  });
});
