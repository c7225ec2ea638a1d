import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { failure } from '../model/failure.ts';
import { parseMonth, type Month } from '../model/month.ts';
import type { AuditEvent } from './audit-log.ts';
import { DistinctCount, DistinctNames } from './distinct.ts';
import { DurationSketch } from './duration-sketch.ts';
import { person, recordLines } from './record-lines.fixture.ts';
import { inbound, tool } from './testing.ts';
import { createUsageCount, type UsageAsked } from './usage.ts';

const NOVEMBER = monthNamed('2026-11');
const AT = NOVEMBER.sinceMs + 1_000_000;

function monthNamed(text: string): Month {
  const month = parseMonth(text);
  if (!month.ok) throw new Error(text);
  return month.value;
}

function counted(lines: readonly string[], asked: Partial<UsageAsked> = {}) {
  const count = createUsageCount({ month: NOVEMBER, by: 'server', ...asked });
  for (const line of lines) count.take(line);
  return count.report();
}

const saving = (minutes: number) => {
  const entry = tool('read', true);
  return { ...entry, traits: { ...entry.traits, minutesSaved: minutes } };
};

describe('usage', () => {
  it('counts calls that were let through, and what was refused beside them', () => {
    const record = recordLines();
    record.outcome({ id: 'a', timeMs: AT, more: { durationMs: 10, resultBytes: 450, entry: saving(2.5) } });
    record.outcome({ id: 'b', timeMs: AT, who: 'bob', more: { durationMs: 20, resultBytes: 90, entry: saving(2.5) } });
    record.outcome({ id: 'c', timeMs: AT, outcome: 'tool_error', more: { durationMs: 30, entry: saving(9) } });
    record.outcome({
      id: 'd',
      timeMs: AT,
      outcome: 'failed',
      more: { durationMs: 40, failure: failure('upstream-timeout') },
    });
    record.outcome({ id: 'e', timeMs: AT, outcome: 'refused', who: 'eve', more: { failure: failure('forbidden') } });
    const { rows, total } = counted(record.lines);
    expect(rows).toEqual([
      {
        name: 'files',
        invocations: 4,
        errors: 2,
        errorRate: 0.5,
        refused: 1,
        users: { count: 2, exact: true },
        clients: { count: 0, exact: true },
        p50Ms: 20,
        p95Ms: 40,
        p99Ms: 40,
        resultBytes: 540,
        resultTokens: 120,
        minutesSaved: 5,
      },
    ]);
    expect(total).toEqual({ ...rows[0], name: 'total' });
  });

  it('counts a call once: neither its intent, nor the question it ended in, nor lists', () => {
    const record = recordLines();
    const intent = record.intent({ id: 'a', timeMs: AT });
    record.outcome({ id: 'a', timeMs: AT, outcome: 'input_required' });
    record.outcome({ id: 'a', timeMs: AT, intent });
    const request: AuditEvent['request'] = { ...inbound(), receivedAtMs: AT, operation: { kind: 'list', of: 'tools' } };
    record.outcome({ id: 'l', timeMs: AT, more: { request } });
    record.opened(AT);
    expect(counted(record.lines).total).toMatchObject({ invocations: 1, refused: 0 });
  });

  it('counts what its caller cancelled as a call and nobody’s error, once it had left', () => {
    const record = recordLines();
    const cancelled = (id: string, sent: 'no' | 'maybe') =>
      record.outcome({ id, timeMs: AT, outcome: 'refused', more: { failure: failure('cancelled', { sent }) } });
    cancelled('a', 'maybe');
    cancelled('b', 'no');
    expect(counted(record.lines).total).toMatchObject({ invocations: 1, errors: 0, refused: 1 });
  });

  it('belongs to a month of UTC, to the millisecond', () => {
    const record = recordLines();
    record.outcome({ id: 'before', timeMs: NOVEMBER.sinceMs - 1 });
    record.outcome({ id: 'first', timeMs: NOVEMBER.sinceMs });
    record.outcome({ id: 'last', timeMs: NOVEMBER.untilMs - 1 });
    record.outcome({ id: 'after', timeMs: NOVEMBER.untilMs });
    expect(counted(record.lines).total.invocations).toBe(2);
    expect(counted(record.lines, { month: monthNamed('2026-12') }).total.invocations).toBe(1);
  });

  it('is of one tenant alone, and users of one name in two tenants are two', () => {
    const record = recordLines();
    record.outcome({ id: 'a', timeMs: AT, tenant: 'acme' });
    record.outcome({ id: 'b', timeMs: AT, tenant: 'globex' });
    record.outcome({ id: 'c', timeMs: AT, who: '"tenant_uid":"acme"', tenant: 'globex' });
    expect(counted(record.lines, { tenant: 'acme' }).total).toMatchObject({ invocations: 1 });
    expect(counted(record.lines, { tenant: '' }).total).toMatchObject({ invocations: 0 });
    expect(counted(record.lines).total.users).toEqual({ count: 3, exact: true });
    expect(counted(record.lines, { by: 'user' }).rows.map(({ name }) => name)).toContain('alice (acme)');
  });

  it('is told by tool and by user, the most used first', () => {
    const record = recordLines();
    record.outcome({ id: 'a', timeMs: AT, tool: 'read' });
    record.outcome({ id: 'b', timeMs: AT, tool: 'write', who: 'bob' });
    record.outcome({ id: 'c', timeMs: AT, tool: 'write', who: 'bob' });
    const told = (by: UsageAsked['by']) =>
      counted(record.lines, { by }).rows.map(({ name, invocations }) => `${name} ${invocations}`);
    expect(told('tool')).toEqual(['files/write 2', 'files/read 1']);
    expect(told('user')).toEqual(['bob 2', 'alice 1']);
  });

  it('counts clients by the credential they were issued, else by what they call themselves', () => {
    const record = recordLines();
    const client = { ...inbound().client, info: { name: 'agent', version: '1' } };
    const request: AuditEvent['request'] = { ...inbound(), receivedAtMs: AT, client };
    record.outcome({ id: 'a', timeMs: AT, more: { request } });
    record.outcome({ id: 'b', timeMs: AT, more: { request } });
    record.outcome({ id: 'c', timeMs: AT, more: { request, principal: { ...person('alice'), clientId: 'agent' } } });
    expect(counted(record.lines).total.clients).toEqual({ count: 2, exact: true });
  });

  it('puts what names nothing that exists into one row, whatever clients send', () => {
    const record = recordLines();
    for (const server of ['x', 'y', 'z']) {
      const endpoint = { kind: 'server', server } as const;
      const request: AuditEvent['request'] = { ...inbound(), receivedAtMs: AT, endpoint };
      const event = { id: server, timeMs: AT, outcome: 'refused', unresolved: true } as const;
      record.outcome({ ...event, more: { request, failure: failure('unknown-server') } });
    }
    expect(counted(record.lines).rows).toMatchObject([{ name: '(unknown)', invocations: 0, refused: 3 }]);
  });

  it('takes any line, and counts none that is no record', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const marked = `{"operation":"tools/call","event":"outcome","x":${text}}`;
        expect(counted([text, marked]).total.invocations).toBe(0);
      }),
    );
  });
});

describe('percentiles', () => {
  it('are exact below 128 ms and within 0.8 percent above', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 4_000_000 }), { minLength: 1, maxLength: 200 }), (durations) => {
        const sketch = new DurationSketch();
        for (const duration of durations) sketch.add(duration);
        const sorted = durations.toSorted((a, b) => a - b);
        for (const share of [0.5, 0.95, 0.99]) {
          const exact = sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] ?? 0;
          const told = sketch.percentile(share) ?? Number.NaN;
          expect(Math.abs(told - exact)).toBeLessThanOrEqual(exact < 128 ? 0 : Math.max(0.5, exact * 0.008));
        }
      }),
    );
  });

  it('are none of nothing', () => {
    expect(new DurationSketch().percentile(0.5)).toBeUndefined();
  });
});

describe('how many different ones there were', () => {
  it('is exact up to the bound, and says so when it no longer is', () => {
    const count = new DistinctCount(new DistinctNames(), 2);
    for (const name of ['a', 'b', 'a']) count.add(name);
    expect(count.value).toEqual({ count: 2, exact: true });
    count.add('c');
    expect(count.value).toEqual({ count: 2, exact: false });
  });

  it('is bounded for all counts together', () => {
    const names = new DistinctNames(100, 3);
    const [one, other] = [new DistinctCount(names), new DistinctCount(names)];
    for (const name of ['a', 'b']) for (const count of [one, other]) count.add(name);
    expect([one.value, other.value]).toEqual([
      { count: 2, exact: true },
      { count: 1, exact: false },
    ]);
  });
});
