import { describe as suite, expect, it } from 'vitest';
import { t } from '$lib/messages';
import { ERROR_ACTIONS, describe } from './describe';

/** The codes that the border names. */
const BORDER = [
  'resolve',
  'connect',
  'timeout',
  'lost',
  'busy',
  'tls-unavailable',
  'tls',
  'certificate',
  'plaintext-refused',
  'login-refused',
  'not-found',
  'refused',
  'protocol',
  'argument',
  'truncated',
  'changed',
  'disk-full',
  'journal',
  'local',
  'unsupported',
  'cancelled',
  'keyring',
  'site-not-found',
  'stale-listing',
  'internal',
];

suite('the table of errors', () => {
  it('has words and an action for every code of the border, and no others', () => {
    expect(Object.keys(ERROR_ACTIONS).sort()).toEqual([...BORDER].sort());
    expect(Object.keys(t.error.codes).sort()).toEqual([...BORDER].sort());
  });

  it('names every action', () => {
    for (const action of Object.values(ERROR_ACTIONS)) {
      if (action) expect(t.error.action[action]).toBeTruthy();
    }
  });

  it('keeps the raw line for those who ask', () => {
    const error = { code: 'refused', message: 'No.', detail: '550 Denied', retryable: false };
    expect(describe(error).detail).toBe('No.\n550 Denied');
  });

  it('has words for codes that it does not know', () => {
    const error = { code: 'new-in-2030', message: 'Odd.', detail: null, retryable: true };
    expect(describe(error)).toMatchObject({ title: t.error.unknown.title, action: 'retry' });
    expect(describe({ ...error, code: 'toString' }).title).toBe(t.error.unknown.title);
  });
});
