import { describe, expect, it } from 'vitest';

import type { AuthenticationEvent, ChangeEvent } from '../model/event.ts';
import { failure } from '../model/failure.ts';
import type { AuditEvent, AuditLog } from './audit-log.ts';
import { createBoundedEvents, type BoundedEventsOptions } from './bounded-events.ts';
import type { RecordedEvent } from './event-log.ts';
import { alice, outcome } from './testing.ts';

function world(more: Partial<BoundedEventsOptions> = {}) {
  const clock = { nowMs: 1_000 };
  const timers = new Set<() => void>();
  const recorded: RecordedEvent[] = [];
  const appended: AuditEvent[] = [];
  const state = { full: false };
  const events = createBoundedEvents({
    now: () => clock.nowMs,
    after(_, task) {
      timers.add(task);
      return () => timers.delete(task);
    },
    networkOf: (address) => address,
    maxPerKey: 3,
    maxAtAll: 10,
    maxKeys: 5,
    ...more,
  });
  const log = {
    note: (one: RecordedEvent) => {
      if (!state.full) recorded.push(one);
      return !state.full;
    },
    durable: () => Promise.resolve(),
  };
  const audit: AuditLog = {
    intend: () => {
      throw new Error('not asked');
    },
    sequenceOf: () => undefined,
    append: (event) => void appended.push(event),
    close: () => Promise.resolve(),
  };
  return {
    events,
    log,
    recorded,
    appended,
    clock,
    state,
    calls: events.bounding(audit),
    /** The window ends. */
    end() {
      const [task] = timers;
      timers.clear();
      task?.();
    },
    waits: () => timers.size,
  };
}

const failed = (address = '192.0.2.1', code: 'invalid-credential' | 'quota-exceeded' = 'invalid-credential') =>
  ({
    kind: 'authentication',
    activity: 'verify',
    credential: 'jwt',
    address,
    requestId: 'r',
    claimed: { issuer: 'https://idp.example' },
    failure: { code, reason: 'why' },
  }) as const satisfies AuthenticationEvent;

const CHANGE: ChangeEvent = {
  kind: 'change',
  operation: 'key/revoke',
  activity: 'delete',
  entity: { type: 'api-key', name: 'carol' },
  by: 'cli:ops',
  facts: {},
};

const total = (recorded: readonly RecordedEvent[]): number =>
  recorded.reduce((sum, { several }) => sum + (several?.count ?? 1), 0);

describe('events that strangers cause', () => {
  it('are recorded one by one up to a bound, then counted, and nothing is lost', () => {
    const { events, log, recorded, clock, end } = world();
    events.attach(log);
    for (let index = 0; index < 5_000; index++) {
      clock.nowMs += 1;
      events.note(failed());
    }
    expect(recorded).toHaveLength(3);
    end();
    expect(recorded).toHaveLength(4);
    expect(total(recorded)).toBe(5_000);
    expect(recorded.at(-1)).toMatchObject({
      timeMs: 1_004,
      several: { count: 4_997, lastMs: 6_000 },
      event: { address: '192.0.2.1', credential: 'jwt', failure: { code: 'invalid-credential' } },
    });
    // What only one of them said is no word about all of them.
    expect(JSON.stringify(recorded.at(-1))).not.toMatch(/idp\.example|requestId|why/u);
  });

  it('are told apart by address and reason, and begin anew with each window', () => {
    const { events, log, recorded, end, waits } = world();
    events.attach(log);
    for (const event of [failed('a'), failed('a', 'quota-exceeded'), failed('b')]) {
      for (let index = 0; index < 4; index++) events.note(event);
    }
    end();
    expect(recorded.filter(({ several }) => several !== undefined)).toHaveLength(3);
    expect(waits()).toBe(0);
    events.note(failed('a'));
    expect(recorded.at(-1)?.several).toBeUndefined();
    expect(total(recorded)).toBe(13);
  });

  it('from more addresses than are told apart are counted together', () => {
    const { events, log, recorded, end } = world();
    events.attach(log);
    for (let index = 0; index < 1_000; index++) events.note(failed(`192.0.2.${index}`));
    end();
    expect(total(recorded)).toBe(1_000);
    expect(recorded.length).toBeLessThanOrEqual(10 + 5 + 1);
    expect(recorded.at(-1)?.event).toMatchObject({ address: '' });
  });

  it('are counted on while the record has no place for the count', () => {
    const { events, log, recorded, state, end } = world();
    events.attach(log);
    for (let index = 0; index < 10; index++) events.note(failed());
    state.full = true;
    end();
    for (let index = 0; index < 10; index++) events.note(failed());
    state.full = false;
    end();
    // Three that the record itself had no place for, and counts among those it could not hold.
    expect(total(recorded)).toBe(17);
  });

  it('are counted in the record when the gateway stops', () => {
    const { events, log, recorded, waits } = world();
    events.attach(log);
    for (let index = 0; index < 10; index++) events.note(failed());
    events.close();
    expect(total(recorded)).toBe(10);
    expect(waits()).toBe(0);
    events.note(failed());
    expect(total(recorded)).toBe(11);
  });
});

describe('what a proven caller or the operator causes', () => {
  it('is always recorded', () => {
    const { events, log, recorded } = world();
    events.attach(log);
    for (let index = 0; index < 100; index++) events.note(CHANGE);
    for (let index = 0; index < 100; index++) {
      events.note({
        kind: 'authentication',
        activity: 'verify',
        credential: 'api-key',
        principal: alice,
        address: 'a',
      });
    }
    expect(recorded).toHaveLength(200);
  });

  it('is recorded with the time it happened, also when there was no record yet', () => {
    const { events, log, recorded } = world();
    events.note({ ...CHANGE, atMs: 77 });
    expect(recorded).toEqual([]);
    events.attach(log);
    expect(recorded).toMatchObject([{ timeMs: 77, event: { operation: 'key/revoke' } }]);
  });
});

describe('the records of calls', () => {
  it('of proven callers all pass; of others those beyond the bound are counted', () => {
    const { events, log, recorded, appended, calls } = world();
    events.attach(log);
    for (let index = 0; index < 50; index++) calls.append(outcome(`r-${index}`, { failure: failure('forbidden') }));
    expect(appended).toHaveLength(50);
    const { principal: _nobody, ...unproven } = outcome('r', {
      outcome: 'refused',
      failure: failure('unauthenticated'),
    });
    for (let index = 0; index < 50; index++) calls.append(unproven);
    expect(appended).toHaveLength(53);
    events.close();
    expect(recorded).toMatchObject([
      { several: { count: 47 }, event: { kind: 'refused-early', stage: 'identity', code: 'unauthenticated' } },
    ]);
  });
});
