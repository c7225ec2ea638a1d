import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { failure } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { Redactor } from '../model/redaction.ts';
import type { AuditEvent } from './audit-log.ts';
import { diagnosis } from './diagnosis.ts';
import { outcome } from './testing.ts';

/** Takes out one word, as the real one takes out many. */
const redact: Redactor['text'] = (text) => {
  const value = text.replaceAll('hunter2', '***');
  return { value, rules: value === text ? [] : ['password'] };
};

const diagnosed = (event: Partial<AuditEvent>): JsonObject | undefined => {
  const text = diagnosis(outcome('r', { outcome: 'failed', ...event }), redact);
  return text === '' ? undefined : (JSON.parse(`{${text.slice(1)}}`) as { diagnosis: JsonObject }).diagnosis;
};

const ATTEMPT = { startedMs: 1, endedMs: 2, outcome: 'upstream-closed' } as const;

describe('the diagnosis of a failure', () => {
  it('has what the server answered, without secrets, and says that there were some', () => {
    const upstream = { code: -32_000, message: 'login hunter2 failed', data: { password: 'hunter2', table: 'ledger' } };
    expect(diagnosed({ failure: failure('upstream-error', { sent: 'yes', upstream }) })).toEqual({
      upstream: { code: -32_000, message: 'login *** failed', data: '{"password":"***","table":"ledger"}' },
      redacted: ['password'],
    });
  });

  it('has what the process wrote to stderr, of a tool that only said that it failed, too', () => {
    const attempts = [{ ...ATTEMPT, outcome: 'tool_error' as const, stderr: ['cannot log in with hunter2'] }];
    expect(diagnosed({ outcome: 'tool_error', attempts })).toEqual({
      stderr: ['cannot log in with ***'],
      redacted: ['password'],
    });
  });

  it('has the newest lines of stderr where not all fit', () => {
    const stderr = Array.from({ length: 30 }, (_, index) => `line ${index} ${'x'.repeat(60)}`);
    const lines = diagnosed({ attempts: [{ ...ATTEMPT, stderr }] })?.stderr as string[];
    expect(lines.at(-1)).toMatch(/^line 29 /);
    expect(lines.length).toBeGreaterThan(5);
    expect(lines.length).toBeLessThan(20);
  });

  it('has the stack of a fault of ours, and of no other', () => {
    const cause = new TypeError('cannot read hunter2');
    const of = diagnosed({ failure: { code: 'internal', sent: 'maybe', cause } });
    expect(of?.stack).toMatch(/^TypeError: cannot read \*\*\*\n +at .*src\/audit\/diagnosis\.test\.ts/);
    expect(diagnosed({ failure: failure('server-unavailable', { cause }) })).toBeUndefined();
  });

  it('tells nothing of what an unknown caller sent, and nothing of a call that worked', () => {
    const refused = failure('invalid-credential', { message: 'The key is wrong.' });
    expect(
      diagnosis({ request: outcome('r').request, outcome: 'refused', durationMs: 1, failure: refused }, redact),
    ).toBe('');
    expect(diagnosed({ outcome: 'ok', attempts: [{ ...ATTEMPT, stderr: ['noise'] }] })).toBeUndefined();
  });

  it('has what the caller was told where that quotes no arguments, and nothing where it may', () => {
    const invalid = failure('invalid-arguments', { message: 'arguments.amount: expected an integer' });
    expect(diagnosed({ outcome: 'refused', failure: invalid })).toEqual({ message: invalid.message });
    for (const code of ['approval-required', 'forbidden'] as const) {
      const refused = failure(code, { message: 'Pay the invoice {"amount": 4711}?' });
      expect(diagnosed({ outcome: 'refused', failure: refused })).toBeUndefined();
    }
  });

  it('stays below 5 kB of printable ASCII, whatever others write', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 3000 }),
      fc.constant('\ud800'.repeat(5000)),
      fc.constant('"}\n{'),
    );
    fc.assert(
      fc.property(text, text, fc.jsonValue(), fc.array(text, { maxLength: 30 }), (message, said, data, stderr) => {
        const upstream = { code: -1, message: said, data: JSON.parse(JSON.stringify(data)) as JsonObject };
        const event = outcome('r', {
          outcome: 'failed',
          failure: { code: 'internal', sent: 'yes', message, upstream, cause: new Error(said) },
          attempts: [{ ...ATTEMPT, stderr }],
        });
        const written = diagnosis(event, redact);
        expect(written).toMatch(/^[\x20-\x7e]*$/);
        expect(written.length).toBeLessThan(5000);
        expect(() => JSON.parse(`{${written.slice(1)}}`) as unknown).not.toThrow();
      }),
      { numRuns: 60 },
    );
  });

  it('costs as much as it writes when the data is enormous or nested without end', () => {
    let nested: JsonObject = {};
    for (let depth = 0; depth < 10_000; depth++) nested = { nested };
    for (const data of [
      nested,
      { list: Array.from({ length: 500_000 }, () => 'x') },
      { text: 'x'.repeat(5_000_000) },
    ]) {
      const of = diagnosed({ failure: failure('upstream-error', { upstream: { code: 1, message: '', data } }) });
      expect(JSON.stringify(of).length).toBeLessThan(2000);
    }
  });
});
