import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { GatewayEvent } from '../model/event.ts';
import { somebody } from '../model/principal.fixture.ts';
import { createFollowedSessions } from './followed-sessions.ts';

const LOOK_MS = 1_000;

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

function world(maxSessions = 10) {
  const events: GatewayEvent[] = [];
  const sessions = createFollowedSessions({
    note: (event) => void events.push(event),
    now: Date.now,
    maxSessions,
    lookMs: LOOK_MS,
  });
  const told = () =>
    events.flatMap((event) => (event.kind === 'session' ? [[event.session, event.change, event.why] as const] : []));
  return { sessions, events, told };
}

const session = (name: string, expiresAtMs = 5_000) =>
  ({ of: 'mcp', session: name, principal: somebody('alice'), expiresAtMs, address: 'a', requestId: 'r' }) as const;

describe('a session that was opened here', () => {
  it('is told of when it is opened, and when it has expired unseen', () => {
    const { sessions, events, told } = world();
    sessions.opened(session('one'));
    sessions.opened(session('two', 60_000));
    vi.advanceTimersByTime(6_000);
    expect(told()).toEqual([
      ['one', 'opened', undefined],
      ['two', 'opened', undefined],
      ['one', 'closed', 'expired'],
    ]);
    // The request that opened it did not end it.
    expect(events[2]).not.toHaveProperty('requestId');
    sessions.close();
  });

  it('that was ended does not expire as well', () => {
    const { sessions, told } = world();
    sessions.opened(session('one'));
    sessions.ended(session('one'), 'ended by its client');
    vi.advanceTimersByTime(60_000);
    expect(told().slice(1)).toEqual([['one', 'closed', 'ended by its client']]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is followed among so many others only', () => {
    const { sessions, told } = world(2);
    for (const name of ['one', 'two', 'three']) sessions.opened(session(name));
    vi.advanceTimersByTime(6_000);
    expect(told().filter(([, change]) => change === 'closed')).toEqual([
      ['two', 'closed', 'expired'],
      ['three', 'closed', 'expired'],
    ]);
  });

  it('goes on when the gateway stops: another may serve it', () => {
    const { sessions, told } = world();
    sessions.opened(session('one'));
    sessions.close();
    expect(told()).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
