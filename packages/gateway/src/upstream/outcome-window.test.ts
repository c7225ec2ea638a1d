import { describe, expect, it } from 'vitest';

import { failure, type FailureCode } from '../model/failure.ts';
import type { Outcome } from '../model/outcome.ts';
import { servedBy } from './interceptors/breaker.ts';
import { OutcomeWindow } from './outcome-window.ts';

const SERVED: Outcome = { kind: 'complete', result: { kind: 'value', value: {} } };
const failed = (code: FailureCode, sent: 'no' | 'maybe' = 'maybe'): Outcome => ({
  kind: 'failed',
  failure: failure(code, { sent, message: `It was ${code}.` }),
});

function window() {
  let nowMs = 1000;
  const outcomes = new OutcomeWindow({ nowMs: () => nowMs, after: () => () => undefined });
  return {
    outcomes,
    note: (outcome: Outcome) => outcomes.note(outcome, servedBy(outcome)),
    pass: (ms: number) => void (nowMs += ms),
  };
}

describe('the latest outcomes of a server', () => {
  it('count what says something about the server, and nothing else', () => {
    const { outcomes, note } = window();
    for (const outcome of [SERVED, failed('upstream-timeout'), failed('cancelled'), failed('overloaded')])
      note(outcome);
    expect(outcomes.recent()).toMatchObject({ calls: 2, unserved: 1 });
  });

  it('are those of the last minute', () => {
    const { outcomes, note, pass } = window();
    note(failed('upstream-timeout'));
    pass(59_000);
    note(SERVED);
    expect(outcomes.recent()).toMatchObject({ calls: 2, unserved: 1 });
    pass(2_000);
    expect(outcomes.recent()).toMatchObject({ calls: 1, unserved: 0 });
  });

  it('are twenty at most, the newest', () => {
    const { outcomes, note } = window();
    for (let call = 0; call < 5; call++) note(failed('upstream-closed'));
    for (let call = 0; call < 17; call++) note(SERVED);
    expect(outcomes.recent()).toMatchObject({ calls: 20, unserved: 3 });
  });

  it.each([
    ['server-unavailable', 'no', 'connect'],
    ['upstream-timeout', 'no', 'connect'],
    ['upstream-timeout', 'maybe', 'answer'],
    ['upstream-closed', 'no', 'send'],
    ['upstream-closed', 'maybe', 'answer'],
    ['upstream-refused', 'maybe', 'credential'],
    ['upstream-invalid', 'maybe', 'answer'],
  ] as const)('tell where the last one failed: %s, sent: %s', (code, sent, stage) => {
    const { outcomes, note, pass } = window();
    note(failed(code, sent));
    pass(3_600_000);
    expect(outcomes.recent().lastFailure).toEqual({ stage, code, message: `It was ${code}.`, agoMs: 3_600_000 });
  });

  it('know when a call was last served', () => {
    const { outcomes, note, pass } = window();
    expect(outcomes.recent().servedAgoMs).toBeUndefined();
    note(SERVED);
    pass(70_000);
    expect(outcomes.recent()).toEqual({ calls: 0, unserved: 0, servedAgoMs: 70_000 });
  });
});
