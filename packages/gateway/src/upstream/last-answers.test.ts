import { describe, expect, it } from 'vitest';

import type { Call } from '../model/call.ts';
import { LastAnswers } from './last-answers.ts';
import { callTool, manualClock } from './testing/test-kit.ts';

const LIMITS = { maxAnswerBytes: 4_000, maxBytes: 10_000 };
const ask = (args: Record<string, string> = {}): Call => callTool('look', args);

describe('the last answers', () => {
  it('are found again by the same call, with how old they are', async () => {
    const clock = manualClock();
    const answers = new LastAnswers(clock, LIMITS);
    answers.keep(ask({ a: '1', b: '2' }), '{}');
    await clock.advance(1_000);
    expect(answers.find(ask({ b: '2', a: '1' }), 5_000)).toEqual({ text: '{}', ageMs: 1_000 });
    expect(answers.find(ask({ a: '1' }), 5_000)).toBeUndefined();
  });

  it('are gone when they are too old, and take no room any more', async () => {
    const clock = manualClock();
    const answers = new LastAnswers(clock, LIMITS);
    answers.keep(ask(), '{}');
    await clock.advance(1_000);
    expect(answers.find(ask(), 999)).toBeUndefined();
    expect(answers.bytes).toBe(0);
  });

  it('make room for each other: the one that nobody used for longest goes first', () => {
    const answers = new LastAnswers(manualClock(), LIMITS);
    const text = `"${'x'.repeat(1_500)}"`;
    for (const at of ['1', '2', '3']) answers.keep(ask({ at }), text);
    expect(answers.bytes).toBeLessThanOrEqual(LIMITS.maxBytes);
    expect(answers.find(ask({ at: '1' }), 1_000)).toBeDefined();
    answers.keep(ask({ at: '4' }), text);
    expect(['1', '2', '3', '4'].map((at) => answers.find(ask({ at }), 1_000) !== undefined)).toEqual([
      true,
      false,
      expect.any(Boolean),
      true,
    ]);
    expect(answers.bytes).toBeLessThanOrEqual(LIMITS.maxBytes);
  });

  it('are replaced by a newer one of the same call', () => {
    const answers = new LastAnswers(manualClock(), LIMITS);
    answers.keep(ask(), '{"old":true}');
    answers.keep(ask(), '{"new":true}');
    expect(answers.find(ask(), 1_000)?.text).toBe('{"new":true}');
  });

  it('are not kept when they, or the arguments, are too large', () => {
    const answers = new LastAnswers(manualClock(), LIMITS);
    answers.keep(ask(), 'x'.repeat(2_001));
    answers.keep(ask({ at: 'x'.repeat(20_000) }), '{}');
    expect(answers.bytes).toBe(0);
  });
});
