/** How somebody waits for a task: how often its server is asked, how long, what ends it, and that nothing is left behind. */

import { describe, expect, it } from 'vitest';

import type { Call, Send, SendOptions } from '../../model/call.ts';
import { failure } from '../../model/failure.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Outcome } from '../../model/outcome.ts';
import type { TaskRef } from '../../model/task.ts';
import {
  callTool,
  collectNotices,
  manualClock,
  resultText,
  sendOptions,
  settle,
  testCall,
} from '../testing/test-kit.ts';
import { timeout } from '../interceptors/timeout.ts';
import { TaskWaits } from './task-waits.ts';
import { tasks } from './tasks.ts';

const REF: TaskRef = { server: 'files', version: 'v1', tool: 'compute', id: 't1', era: 'modern', held: 'h1' };
const WORKING = { taskId: 't1', status: 'working', pollIntervalMs: 1000 };
const DONE = { ...WORKING, status: 'completed', result: { content: [{ type: 'text', text: 'done' }] } };
const FORM = { method: 'elicitation/create', params: { mode: 'form', message: 'Name?', requestedSchema: {} } };
const ASKS = { ...WORKING, status: 'input_required', inputRequests: { name: FORM } };

type Told = JsonObject | 'unknown' | 'away';

/** A server whose task is told of in turn as `story` says; the last word holds. */
function world(story: readonly Told[], first: JsonObject = WORKING) {
  const clock = manualClock();
  const asked: string[] = [];
  const dropped: string[] = [];
  let ids = 0;
  const limits = { maxWaiting: 3, maxWaitingPerPrincipal: 2, answerMs: 60_000 };
  const waits = new TaskWaits(limits, clock, () => `w${(ids += 1)}`);
  const next: Send = ({ step }) => {
    asked.push(step === undefined ? `call ${clock.nowMs()}` : `${step.verb} ${clock.nowMs()}`);
    if (step === undefined) return Promise.resolve<Outcome>({ kind: 'task', task: first, ref: REF });
    if (step.verb !== 'get')
      return Promise.resolve<Outcome>({ kind: 'complete', result: { kind: 'value', value: {} } });
    const told = story[Math.min(asked.filter((verb) => verb.startsWith('get')).length, story.length) - 1];
    return Promise.resolve(outcomeOf(told));
  };
  const limited = timeout({ clock, timeoutsFor: () => ({ totalMs: 5_000, maxMs: 60_000 }) });
  const poll = { minPollMs: 500, maxPollMs: 2_000 };
  const send = limited(tasks({ clock, poll, waits, drop: ({ held }) => dropped.push(held ?? '') })(next));
  return { clock, asked, dropped, waits, send, verbs: () => asked.map((line) => line.split(' ')[0]) };
}

function outcomeOf(told: Told | undefined): Outcome {
  const upstream = { code: -32_602, message: 'No task t1' };
  if (told === 'unknown') return { kind: 'failed', failure: failure('upstream-error', { sent: 'yes', upstream }) };
  if (told === 'away') return { kind: 'failed', failure: failure('upstream-closed', { sent: 'maybe' }) };
  return { kind: 'task', task: told ?? WORKING };
}

const asking = (call: Call, capabilities: JsonObject = { elicitation: { form: {} } }): Call => ({
  ...call,
  client: { ...call.client, capabilities },
});
const compute = asking(callTool('compute'));
const withTasks = asking(compute, { extensions: { 'io.modelcontextprotocol/tasks': {} } });

const failed = (outcome: Outcome) => (outcome.kind === 'failed' ? outcome.failure : undefined);

async function waited(told: ReturnType<typeof world>, call = compute, options: Partial<SendOptions> = {}) {
  const outcome = told.send(call, sendOptions({ timeoutMs: 600_000, ...options }));
  await told.clock.advance(120_000);
  return outcome;
}

describe('somebody who waits for a task', () => {
  it('asks as often as the server says, and has its result as if the call had answered', async () => {
    const told = world([WORKING, WORKING, DONE]);
    expect(await resultText(await waited(told))).toContain('done');
    expect(told.asked).toEqual(['call 0', 'get 1000', 'get 2000', 'get 3000']);
    expect(told.dropped).toEqual(['h1']);
    expect(told.waits.size).toBe(0);
  });

  it.each([
    [1, 500],
    [3_600_000, 2_000],
    [-5, 1_000],
  ])('asks at the bounds where a server says %d ms', async (pollIntervalMs, everyMs) => {
    const told = world([{ ...DONE, pollIntervalMs }], { ...WORKING, pollIntervalMs });
    await waited(told);
    expect(told.asked).toEqual(['call 0', `get ${everyMs}`]);
  });

  it('waits as long as the server answers, and no longer than the maximum', async () => {
    const told = world([WORKING]);
    const outcome = await waited(told);
    expect(failed(outcome)).toMatchObject({ code: 'upstream-timeout', message: expect.stringContaining('maximum') });
    expect(told.asked.at(-2)).toBe('get 59000');
    expect(told.asked.at(-1)).toBe('cancel 60000');
    expect([told.dropped, told.waits.size]).toEqual([['h1'], 0]);
  });

  it('bears a server that is away for a moment, and not for long', async () => {
    const back = world(['away', 'away', 'away', DONE]);
    expect(await resultText(await waited(back))).toContain('done');
    const gone = world(['away']);
    expect(failed(await waited(gone))?.code).toBe('upstream-closed');
    expect(gone.verbs()).toEqual(['call', 'get', 'get', 'get', 'get', 'cancel']);
  });

  it('hears that the task is gone, and that the call has to be made again', async () => {
    expect(failed(await waited(world(['unknown'])))).toMatchObject({ code: 'unknown-task', sent: 'yes' });
  });

  it.each<[string, JsonObject, object]>([
    [
      'failed with an error',
      { ...WORKING, status: 'failed', error: { code: 4242, message: 'broke', data: { a: 1 } } },
      { code: 'upstream-error', upstream: { code: 4242, message: 'broke', data: { a: 1 } } },
    ],
    [
      'was cancelled by others',
      { ...WORKING, status: 'cancelled', statusMessage: 'not today' },
      { code: 'upstream-error', message: expect.stringContaining('not today') },
    ],
    ['is in no known state', { ...WORKING, status: 'sleeping' }, { code: 'upstream-invalid' }],
    ['has no result', { ...WORKING, status: 'completed' }, { code: 'upstream-invalid' }],
  ])('hears of a task that %s', async (_, task, expected) => {
    expect(failed(await waited(world([task])))).toMatchObject(expected);
  });

  it('cancels the task when its client leaves', async () => {
    const told = world([WORKING]);
    const leaving = new AbortController();
    const outcome = told.send(compute, sendOptions({ signal: leaving.signal }));
    await told.clock.advance(2_500);
    leaving.abort();
    expect(failed(await outcome)?.code).toBe('cancelled');
    await settle();
    expect(told.verbs()).toEqual(['call', 'get', 'get', 'cancel']);
    expect([told.dropped, told.waits.size]).toEqual([['h1'], 0]);
  });

  it('tells what the task says as progress, once each and never backwards', async () => {
    const told = world([
      { ...WORKING, statusMessage: 'a' },
      { ...WORKING, statusMessage: 'a' },
      { ...DONE, statusMessage: 'b' },
    ]);
    const channel = collectNotices(true);
    await waited(told, compute, { channel });
    expect(channel.notices.map(({ params }) => [params['progress'], params['message']])).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
  });

  it('is refused beyond the bound of one caller, and the task is cancelled', async () => {
    const told = world([WORKING]);
    for (let call = 0; call < 2; call += 1) void told.send(compute, sendOptions());
    await settle();
    expect(failed(await told.send(compute, sendOptions()))?.message).toMatch(/^2 of your calls wait for tasks/);
    await settle();
    expect(told.verbs()).toEqual(['call', 'call', 'call', 'cancel']);
    await told.clock.advance(120_000);
    expect(told.waits.size).toBe(0);
  });
});

describe('what a task asks of somebody who waits', () => {
  it('is a question of the call; the answer goes to the task, and nothing is called again', async () => {
    const told = world([ASKS, ASKS, DONE]);
    const question = told.send(compute, sendOptions());
    await told.clock.advance(1_000);
    const asked = await question;
    expect(asked).toMatchObject({ kind: 'input-required', requests: { name: FORM } });
    if (asked.kind !== 'input-required' || asked.continuation === undefined) throw new Error('no question');
    const answers = {
      continuation: asked.continuation,
      responses: { name: { action: 'accept' }, 'com.sallyport/x': {} },
    };
    // The server shows its question a little longer: it was answered, and is not asked again.
    expect(await resultText(await waited(told, compute, { answers }))).toContain('done');
    expect(told.verbs()).toEqual(['call', 'get', 'update', 'get', 'get']);
  });

  it('is given up when nobody answers in time', async () => {
    const told = world([ASKS]);
    const outcome = told.send(compute, sendOptions());
    await told.clock.advance(1_000);
    expect((await outcome).kind).toBe('input-required');
    expect(told.waits.size).toBe(1);
    await told.clock.advance(60_000);
    expect(told.verbs()).toEqual(['call', 'get', 'cancel']);
    expect([told.dropped, told.waits.size]).toEqual([['h1'], 0]);
  });

  it.each<[string, JsonObject, Call]>([
    ['what the client cannot answer', ASKS, asking(compute, {})],
    ['under a name of the gateway', { ...ASKS, inputRequests: { 'com.sallyport/confirm': FORM } }, compute],
    ['in no valid way', { ...ASKS, inputRequests: { name: 'Name?' } }, compute],
  ])('ends the call when it asks %s', async (_, task, call) => {
    const told = world([task]);
    expect(failed(await waited(told, call))?.code).toBe('upstream-invalid');
    expect(told.verbs()).toEqual(['call', 'get', 'cancel']);
  });

  it('of a server that was registered anew is answered to nobody', async () => {
    const told = world([DONE]);
    const continuation = { kind: 'task', ref: { ...REF, version: 'v0' }, waitId: 'w1' } as const;
    const outcome = await waited(told, compute, { answers: { continuation, responses: { name: {} } } });
    expect(failed(outcome)?.code).toBe('unknown-task');
    expect(told.asked).toEqual([]);
  });
});

describe('a client that takes tasks', () => {
  const ask = (verb: 'get' | 'update', params: JsonObject = {}): Call =>
    asking(testCall({ kind: 'task', verb, taskId: 'sealed', ref: { ...REF, tool: '' }, params }));

  it('is not waited for', async () => {
    const told = world([DONE]);
    expect(await waited(told, withTasks)).toEqual({ kind: 'task', task: WORKING, ref: REF });
    expect(told.asked).toEqual(['call 0']);
  });

  it.each<[string, JsonObject, object]>([
    ['what it asks', ASKS, { kind: 'task', task: { inputRequests: { name: FORM } } }],
    ['nothing that it cannot answer', { ...ASKS, inputRequests: { q: { method: 'roots/list' } } }, { kind: 'failed' }],
    [
      'nothing under a name of the gateway',
      { ...ASKS, inputRequests: { 'com.sallyport/q': FORM } },
      { kind: 'failed' },
    ],
  ])('is shown of a task %s', async (_, task, expected) => {
    expect(await world([task]).send(ask('get'), sendOptions())).toMatchObject(expected);
  });

  it('is shown no question of a task that asks nothing', async () => {
    const shown = await world([{ ...ASKS, status: 'working' }]).send(ask('get'), sendOptions());
    expect(shown).toEqual({ kind: 'task', task: { ...WORKING, status: 'working' } });
  });

  it('hears that a task is gone, and the task is let go', async () => {
    const told = world(['unknown']);
    expect(failed(await told.send(ask('get'), sendOptions()))?.code).toBe('unknown-task');
    expect(told.dropped).toEqual(['h1']);
  });

  it('sends no server what it said to the gateway', async () => {
    const steps: unknown[] = [];
    const next: Send = ({ step }) => {
      steps.push(step?.responses);
      return Promise.resolve<Outcome>({ kind: 'complete', result: { kind: 'value', value: {} } });
    };
    const { clock, waits } = world([]);
    const send = tasks({ clock, poll: { minPollMs: 1, maxPollMs: 1 }, waits, drop: () => undefined })(next);
    await send(ask('update', { inputResponses: { name: 1, 'com.sallyport/confirm': 2 } }), sendOptions());
    expect(steps).toEqual([{ name: 1 }]);
  });
});
