import { describe, expect, it } from 'vitest';
import { failure } from '../model/failure.ts';
import { ConnectFailures } from './connect-failures.ts';

const OPTIONS = { firstMs: 100, maxMs: 1000, stableMs: 5000, maxRemembered: 3 };
const DOWN = failure('server-unavailable', { message: 'It is down.' });

describe('the memory of failed connects', () => {
  it('waits twice as long after every failure, up to the cap', () => {
    const failures = new ConnectFailures(OPTIONS);
    let nowMs = 0;
    const waits: number[] = [];
    for (let count = 0; count < 6; count += 1) {
      failures.connectFailed('a', DOWN, nowMs);
      const wait = failures.tooEarly('a', nowMs)?.retryAfterMs ?? 0;
      waits.push(wait);
      nowMs += wait;
      expect(failures.tooEarly('a', nowMs)).toBeUndefined();
    }
    expect(waits).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  it('tells the failure, how often it happened and when to try again', () => {
    const failures = new ConnectFailures(OPTIONS);
    failures.connectFailed('a', DOWN, 0);
    failures.connectFailed('a', DOWN, 150);
    expect(failures.tooEarly('a', 150)).toMatchObject({
      code: 'server-unavailable',
      message: 'It is down. It failed 2 times in a row; the next attempt is possible in 0.2 s.',
      sent: 'no',
    });
  });

  it('keeps nobody away because of another key', () => {
    const failures = new ConnectFailures(OPTIONS);
    failures.connectFailed('a', DOWN, 0);
    expect(failures.tooEarly('b', 0)).toBeUndefined();
  });

  it('lets the first early end pass and backs off from the second', () => {
    const failures = new ConnectFailures(OPTIONS);
    failures.ended('a', { sinceMs: 0, nowMs: 50 });
    expect(failures.tooEarly('a', 50)).toBeUndefined();
    failures.ended('a', { sinceMs: 60, nowMs: 100 });
    expect(failures.tooEarly('a', 100)?.retryAfterMs).toBe(100);
  });

  it('forgets the past of an upstream that lived long enough', () => {
    const failures = new ConnectFailures(OPTIONS);
    failures.connectFailed('a', DOWN, 0);
    failures.ended('a', { sinceMs: 10, nowMs: 10 + OPTIONS.stableMs });
    failures.connectFailed('a', DOWN, 5050);
    expect(failures.tooEarly('a', 5050)?.retryAfterMs).toBe(100);
  });

  it('remembers a bounded number of keys', () => {
    const failures = new ConnectFailures(OPTIONS);
    for (const key of ['a', 'b', 'c', 'd']) failures.connectFailed(key, DOWN, 0);
    expect(['a', 'b', 'c', 'd'].map((key) => failures.tooEarly(key, 0) !== undefined)).toEqual([
      false,
      true,
      true,
      true,
    ]);
  });
});
