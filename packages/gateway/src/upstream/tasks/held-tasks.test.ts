/** Tasks that keep their session or process: for how long, how many, and that it is let go once. */

import { describe, expect, it } from 'vitest';

import type { Outcome } from '../../model/outcome.ts';
import type { TaskRef } from '../../model/task.ts';
import { somebody } from '../../model/principal.fixture.ts';
import { callTool, manualClock, sendOptions, settle, testServer, toyUpstream } from '../testing/test-kit.ts';
import { HeldTasks } from './held-tasks.ts';
import type { StepCall } from './legacy-task.ts';

const LIMITS = { keepMs: 10_000, maxHeld: 3, maxHeldPerPrincipal: 2 };

function world(status = 'working') {
  const clock = manualClock();
  let ids = 0;
  let released = 0;
  const held = new HeldTasks({ limits: LIMITS, clock, newId: () => `h${(ids += 1)}` });
  const answer: Outcome = { kind: 'task', task: { taskId: 't', status } };
  const upstream = toyUpstream(() => Promise.resolve(answer));
  const hold = { upstream, release: () => (released += 1) };
  const begin = (who = 'alice') => held.begin(callTool('compute', {}, { principal: somebody(who) }), hold);
  const stepOf = (id: string, who = 'alice', sharing: 'shared' | 'call' = 'shared'): StepCall => {
    const ref: TaskRef = { server: 'files', version: 'v1', tool: 'compute', id: 't', era: 'modern', held: id };
    const options = { principal: somebody(who), server: testServer({ sharing }) };
    return { ...callTool('compute', {}, options), step: { kind: 'task-step', verb: 'get', ref } };
  };
  return { clock, held, upstream, begin, stepOf, released: () => released };
}

function nameOf(held: ReturnType<HeldTasks['begin']>): string {
  if (typeof held !== 'string') throw new Error(`not held: ${held.code}`);
  return held;
}

describe('a task that is held', () => {
  it('keeps its upstream until nobody has asked for a while', async () => {
    const { clock, held, begin, stepOf, released } = world();
    const id = nameOf(begin());
    await clock.advance(9_000);
    await held.step(id, stepOf(id), sendOptions());
    await clock.advance(9_000);
    expect([held.size, released()]).toEqual([1, 0]);
    await clock.advance(1_000);
    expect([held.size, released()]).toEqual([0, 1]);
  });

  it('is found by its caller alone', () => {
    const { held, begin, stepOf, upstream } = world();
    const id = nameOf(begin());
    expect(held.find(stepOf(id))).toEqual({ upstream, id });
    expect(held.find(stepOf(id, 'bob'))).toBeUndefined();
    expect(held.find(stepOf('h9'))).toBeUndefined();
  });

  it('lets go once it has ended, but for a process that would end with it', async () => {
    const { clock, held, begin, stepOf, released } = world('completed');
    const id = nameOf(begin());
    await held.step(id, stepOf(id), sendOptions());
    expect([held.size, released()]).toEqual([0, 1]);
    const once = nameOf(begin());
    await held.step(once, stepOf(once, 'alice', 'call'), sendOptions());
    expect(held.size).toBe(1);
    await clock.advance(60_000);
    expect([held.size, released()]).toEqual([0, 2]);
  });

  it('is gone with its process', async () => {
    const { held, begin, upstream, released } = world();
    begin();
    upstream.die();
    await settle();
    expect([held.size, released()]).toEqual([0, 1]);
  });

  it('is refused beyond the bounds, of one caller and of all; what has ended makes room', async () => {
    const { held, begin, stepOf, released } = world('completed');
    const first = nameOf(begin());
    begin();
    expect(begin()).toMatchObject({ code: 'overloaded', message: expect.stringContaining('You have 2 tasks') });
    expect(released()).toBe(1);
    begin('bob');
    expect(begin('carol')).toMatchObject({ message: expect.stringContaining('3 tasks are kept') });
    await held.step(first, stepOf(first, 'alice', 'call'), sendOptions());
    expect(begin('carol')).toEqual(expect.any(String));
    held.close();
    expect([held.size, released()]).toEqual([0, 6]);
    expect(begin()).toMatchObject({ code: 'draining' });
  });
});
