import { expect, it } from 'vitest';

import { createMemoryLegacySessions } from './legacy-sessions.ts';

const BOUNDS = { max: 2, untilMs: 1000 };

it('A session has as many subscriptions as it may, each once', () => {
  const sessions = createMemoryLegacySessions({ now: () => 0 });
  expect(['a:1', 'a:1', 'a:2', 'a:3'].map((uri) => sessions.subscribe('s', uri, BOUNDS))).toEqual([
    true,
    true,
    true,
    false,
  ]);
  void sessions.unsubscribe('s', 'a:1');
  expect(sessions.subscribe('s', 'a:3', BOUNDS)).toBe(true);
  expect(sessions.subscriptions('s')).toEqual(['a:2', 'a:3']);
  expect(sessions.subscriptions('other')).toEqual([]);
});

it('At the bound of all sessions those that have expired make room, and nothing else does', () => {
  let nowMs = 0;
  const sessions = createMemoryLegacySessions({ now: () => nowMs, maxUriCharacters: 150 });
  expect(sessions.subscribe('first', 'a:1', BOUNDS)).toBe(true);
  expect(sessions.subscribe('second', 'a:1', { ...BOUNDS, untilMs: 5000 })).toBe(true);
  expect(sessions.subscribe('third', 'a:1', BOUNDS)).toBe(false);
  nowMs = 1000;
  expect(sessions.subscribe('third', 'a:1', { ...BOUNDS, untilMs: 5000 })).toBe(true);
  expect(sessions.subscriptions('first')).toEqual([]);
  void sessions.revoke('second', 5000);
  expect(sessions.subscriptions('second')).toEqual([]);
  expect(sessions.subscribe('fourth', 'a:1', BOUNDS)).toBe(true);
});
