import { describe, expect, it } from 'vitest';

import { parseDurationMs, parseListenAddress, parseRate, parseSizeBytes, urlHost } from './units.ts';

describe('quantities', () => {
  it.each([
    ['500ms', 500],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['1h', 3_600_000],
  ])('%s is %d milliseconds', (text, value) => {
    expect(parseDurationMs(text)).toEqual({ ok: true, value });
  });

  it.each([
    ['64KiB', 65_536],
    ['4MiB', 4_194_304],
    ['10MB', 10_000_000],
  ])('%s is %d bytes', (text, value) => {
    expect(parseSizeBytes(text)).toEqual({ ok: true, value });
  });

  it.each([
    ['600/minute', 600, 60_000, '600/minute'],
    ['010/s', 10, 1000, '10/second'],
    ['5/day', 5, 86_400_000, '5/day'],
  ])('%s is %d in %d milliseconds: %s', (written, count, periodMs, text) => {
    expect(parseRate(written)).toEqual({ ok: true, value: { count, periodMs, text } });
  });

  it.each(['', '30', '30 s', '-1s', '0s', '1e9h', '30sec', 'toString', '9999999999999999d'])(
    '%s is not a duration',
    (text) => {
      const parsed = parseDurationMs(text);
      expect(parsed.ok).toBe(false);
      expect(parsed.ok ? '' : parsed.error).toContain('30s');
    },
  );

  it('stays within what a timer can wait', () => {
    expect(parseDurationMs('25d')).toEqual({ ok: false, error: 'is longer than 24 days' });
  });

  it.each(['0/minute', '600', '600/fortnight', '1.5/s', '600/constructor'])('%s is not a rate', (text) => {
    expect(parseRate(text).ok).toBe(false);
  });
});

describe('an address to listen on', () => {
  it.each([
    ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }, '127.0.0.1:8080'],
    ['[::1]:8080', { host: '::1', port: 8080 }, '[::1]:8080'],
    [':8080', { host: '::', port: 8080 }, '127.0.0.1:8080'],
    ['8080', { host: '127.0.0.1', port: 8080 }, '127.0.0.1:8080'],
    ['localhost:0', { host: 'localhost', port: 0 }, 'localhost:0'],
  ])('%s', (text, value, url) => {
    expect(parseListenAddress(text)).toEqual({ ok: true, value });
    expect(urlHost(value)).toBe(url);
  });

  it.each(['', 'http://x:1', '127.0.0.1', '1:2:3', 'a:99999', 'a b:1'])('refuses "%s"', (text) => {
    expect(parseListenAddress(text).ok).toBe(false);
  });
});
