import { beforeEach, describe, expect, it } from 'vitest';
import { loadRecent, remember, withoutPassword } from './recent';

beforeEach(() => localStorage.clear());

describe('withoutPassword', () => {
  it.each([
    ['ftp://me:pw@host/path', 'ftp://me@host/path'],
    ['ftp://me:p@ss:w@host', 'ftp://me@host'],
    ['me:pw@host', 'me@host'],
    ['me@work.com:secret@ftp.host', 'me@work.com@ftp.host'],
    ['ftp://me@work.com:pw@h', 'ftp://me@work.com@h'],
    ['host:2121/dir@v2', 'host:2121/dir@v2'],
    ['ftp://u:pw@host/a@b', 'ftp://u@host/a@b'],
    ['ftp://u:p:w@[::1]:21/a:b@c', 'ftp://u@[::1]:21/a:b@c'],
    [' FTPS://u:pw@host ', 'FTPS://u@host'],
    ['ftp://:pw@host', 'ftp://@host'],
    ['u:@host', 'u@host'],
    ['ftp://host/x://y:z@w', 'ftp://host/x://y:z@w'],
    ['ftp://host:2121/x', 'ftp://host:2121/x'],
    ['[::1]:21', '[::1]:21'],
    ['host', 'host'],
  ])('%s becomes %s', (address, clean) => expect(withoutPassword(address)).toBe(clean));
});

describe('recent addresses', () => {
  it('keeps the latest first, each once, and not too many', () => {
    let list = loadRecent(localStorage);
    for (let i = 0; i < 12; i += 1) {
      list = remember(localStorage, list, { address: `h${i % 10}`, user: '', tls: 'auto' });
    }
    expect(list[0]?.address).toBe('h1');
    expect(list).toHaveLength(8);
    expect(loadRecent(localStorage)).toEqual(list);
  });

  it('cleans what an older version stored', () => {
    const old = [{ address: 'me@work.com:secret@h', user: '', tls: 'auto' }];
    localStorage.setItem('slipway.recent', JSON.stringify(old));
    expect(loadRecent(localStorage)[0]?.address).toBe('me@work.com@h');
    expect(localStorage.getItem('slipway.recent')).not.toContain('secret');
  });

  it('survives what it did not write', () => {
    localStorage.setItem('slipway.recent', '{broken');
    expect(loadRecent(localStorage)).toEqual([]);
    localStorage.setItem(
      'slipway.recent',
      '[{"address":1},null,{"address":"a","user":"","tls":"x"}]',
    );
    expect(loadRecent(localStorage)).toEqual([]);
  });
});
