import { describe, expect, test } from 'vitest';

import { createMemoryLegacySessions } from './legacy-sessions.ts';

describe('createMemoryLegacySessions', () => {
  test('knows which sessions were ended', () => {
    const sessions = createMemoryLegacySessions({ now: () => 0 });
    expect(sessions.revoke('a', 10)).toBe(true);
    expect(sessions.isRevoked('a')).toBe(true);
    expect(sessions.isRevoked('b')).toBe(false);
  });

  test('refuses to end more sessions than it may remember, and never forgets one too early', () => {
    let nowMs = 0;
    const sessions = createMemoryLegacySessions({ now: () => nowMs, maxRevoked: 2 });
    expect(sessions.revoke('a', 10)).toBe(true);
    expect(sessions.revoke('b', 20)).toBe(true);
    expect(sessions.revoke('c', 30)).toBe(false);
    expect(sessions.isRevoked('a')).toBe(true);

    nowMs = 10;
    expect(sessions.revoke('c', 30)).toBe(true);
    expect(sessions.isRevoked('b')).toBe(true);
  });

  test('knows the log level of each session, until it is ended', () => {
    const sessions = createMemoryLegacySessions({ now: () => 0 });
    expect(sessions.logLevel('a')).toBeUndefined();
    expect(sessions.setLogLevel('a', 'info', 10)).toBe(true);
    expect(sessions.setLogLevel('a', 'error', 10)).toBe(true);
    expect([sessions.logLevel('a'), sessions.logLevel('b')]).toEqual(['error', undefined]);
    void sessions.revoke('a', 10);
    expect(sessions.logLevel('a')).toBeUndefined();
  });

  test('refuses a log level beyond its bound, until sessions expire', () => {
    let nowMs = 0;
    const sessions = createMemoryLegacySessions({ now: () => nowMs, maxLogLevels: 1 });
    expect(sessions.setLogLevel('a', 'info', 10)).toBe(true);
    expect(sessions.setLogLevel('b', 'info', 30)).toBe(false);
    expect(sessions.setLogLevel('a', 'debug', 10)).toBe(true);
    nowMs = 10;
    expect(sessions.setLogLevel('b', 'info', 30)).toBe(true);
  });
});
