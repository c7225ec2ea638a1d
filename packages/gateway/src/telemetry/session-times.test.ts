import { describe, expect, it } from 'vitest';

import { createSessionTimes } from './session-times.ts';

function started(options: { maxSessions?: number } = {}) {
  const ended: [string, number][] = [];
  const clock = { nowMs: 10_000 };
  const times = createSessionTimes({
    now: () => clock.nowMs,
    idleMs: 1000,
    ended: ({ id }, seconds) => void ended.push([id, seconds]),
    ...options,
  });
  const use = (id: string): void => times.used({ id, startedAtMs: 9000, revision: '2025-11-25' });
  return { times, use, clock, ended };
}

describe('a session', () => {
  it('lasts until its client ends it', () => {
    const { times, use, clock, ended } = started();
    use('a');
    clock.nowMs = 15_000;
    times.end('a');
    times.end('a');
    expect(ended).toEqual([['a', 6]]);
    expect(times.active()).toBe(0);
  });

  it('that nobody ended lasted until its last request', () => {
    const { times, use, clock, ended } = started();
    use('a');
    clock.nowMs = 10_500;
    use('a');
    clock.nowMs = 11_400;
    expect(times.active()).toBe(1);
    clock.nowMs = 20_000;
    expect(times.active()).toBe(0);
    expect(ended).toEqual([['a', 1.5]]);
  });

  it('that this replica never saw ends without a word', () => {
    const { times, ended } = started();
    times.end('stranger');
    expect(ended).toEqual([]);
  });

  it('finds no place when as many are known as may be, until others are over', () => {
    const { times, use, clock, ended } = started({ maxSessions: 2 });
    for (const id of ['a', 'b', 'c', 'd']) use(id);
    expect(times.active()).toBe(2);
    clock.nowMs = 12_000;
    use('c');
    expect(times.active()).toBe(1);
    expect(ended.map(([id]) => id)).toEqual(['a', 'b']);
  });
});
