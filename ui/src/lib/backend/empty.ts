/** The shapes of the queue with nothing in them. */
import type { Counts, Limits, QueueSummary } from './types';

export const NO_COUNTS: Counts = {
  waiting: 0,
  paused: 0,
  asking: 0,
  running: 0,
  done: 0,
  skipped: 0,
  failed: 0,
  cancelled: 0,
  filtered: 0,
};

export const NO_LIMITS: Limits = { total: null, download: null, upload: null };

/** A queue that nothing is known of yet. */
export const NOTHING: QueueSummary = {
  files: NO_COUNTS,
  bytes: 0,
  total: 0,
  unknown: 0,
  bytesPerSecond: 0,
  paused: false,
  sites: [],
  held: null,
  limits: NO_LIMITS,
  timetable: '',
  timetableLimit: null,
  hidden: 0,
  kept: true,
};
