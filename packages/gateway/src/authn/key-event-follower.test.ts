import { describe, expect, it } from 'vitest';

import type { ChangeEvent } from '../model/event.ts';
import { followKeyEvents, type KeyEventFollowerOptions } from './key-event-follower.ts';
import type { KeyEvent, KeyEventStore } from './key-event-store.ts';

const eventOf = (id: string): KeyEvent => ({
  id,
  atMs: 77,
  actor: 'cli:ops',
  action: 'revoke',
  tenant: 'acme',
  name: `key ${id}`,
});

function world(more: Partial<KeyEventFollowerOptions> = {}) {
  const left: KeyEvent[] = [];
  const state = { away: false, full: false, failing: false };
  const steps: string[] = [];
  const recorded: ChangeEvent[] = [];
  const warnings: string[] = [];
  const timers: (() => void)[] = [];
  const store: KeyEventStore = {
    async claim({ limit }) {
      if (state.away) throw new Error('away');
      return left.slice(0, limit);
    },
    async recorded(ids) {
      steps.push(`recorded ${ids.join()}`);
      for (const id of ids)
        left.splice(
          left.findIndex((event) => event.id === id),
          1,
        );
    },
  };
  const nothing = (): void => undefined;
  const start = () =>
    followKeyEvents({
      store,
      record(event) {
        if (!state.full) recorded.push(event);
        return !state.full;
      },
      async durable() {
        if (state.failing) throw new Error('the disk is full');
        steps.push('durable');
      },
      now: () => 1_000,
      after(_, task) {
        timers.push(task);
        return () => timers.splice(0);
      },
      log: { debug: nothing, info: nothing, warn: (_, message) => void warnings.push(message), error: nothing },
      batch: 2,
      ...more,
    });
  /** The round that is under way ends, and the next begins. */
  const next = async (): Promise<void> => {
    await expect.poll(() => timers.length).toBe(1);
    timers.shift()?.();
    await expect.poll(() => timers.length).toBe(1);
  };
  return { left, state, steps, recorded, warnings, timers, start, next };
}

describe('a change that a command made to a key', () => {
  it('is recorded, then durable, and only then marked as recorded', async () => {
    const { left, steps, recorded, start } = world();
    left.push(eventOf('1'));
    await start().close();
    expect(recorded).toEqual([
      {
        kind: 'change',
        operation: 'key/revoke',
        activity: 'delete',
        entity: { type: 'api-key', name: 'key 1' },
        by: 'cli:ops',
        atMs: 77,
        tenant: 'acme',
        facts: { change_id: '1' },
      },
    ]);
    expect(steps).toEqual(['durable', 'recorded 1']);
  });

  it('is one of many that are worked off without a pause', async () => {
    const { left, recorded, start, timers } = world();
    for (let index = 0; index < 7; index++) left.push(eventOf(String(index)));
    const follower = start();
    await expect.poll(() => timers.length).toBe(1);
    expect(recorded).toHaveLength(7);
    await follower.close();
    expect(timers).toEqual([]);
  });

  it('is left to the next round while the record cannot be written, and that is said once', async () => {
    const { left, state, steps, warnings, start, next } = world();
    left.push(eventOf('1'));
    state.failing = true;
    const follower = start();
    await next();
    await next();
    expect(steps).toEqual([]);
    expect(warnings).toHaveLength(1);
    state.failing = false;
    await next();
    await follower.close();
    expect(steps).toEqual(['durable', 'recorded 1']);
  });

  it('is left to the next round when the record has no place for it, or the storage is away', async () => {
    const { left, state, recorded, start, next } = world();
    left.push(eventOf('1'));
    state.full = true;
    const follower = start();
    await next();
    [state.full, state.away] = [false, true];
    await next();
    expect(recorded).toEqual([]);
    state.away = false;
    await next();
    await follower.close();
    expect(recorded).toHaveLength(1);
    expect(left).toEqual([]);
  });
});
