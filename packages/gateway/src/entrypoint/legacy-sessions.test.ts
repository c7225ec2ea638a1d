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
});
