import { describe, expect, it } from 'vitest';

import { authorizerFor, principal } from '../authz/authorizer-fixture.ts';
import type { WatchedApprovals } from '../authz/create-approvals.ts';
import type { JsonObject } from '../model/json.ts';
import type { Answers, Continuation, Outcome } from '../model/outcome.ts';
import type { InboundRequest } from '../model/request.ts';
import { CONFIRM_KEY, LINK_KEY } from './approval-question.ts';
import {
  approvalsFor,
  as,
  callTool,
  DONE,
  failureOf,
  worldOf,
  type World,
  type WorldOptions,
} from './pipeline.fixture.ts';
import type { Handled } from './pipeline.ts';

const BOTH: JsonObject = { elicitation: { form: {}, url: {} } };
const CALLER = '@approval("caller") @description("Payments are confirmed.") permit (principal, action, resource);';
const DBA = '@approval("group:dba") permit (principal, action, resource);';
const ALICE = principal('alice', { groups: ['staff'] });
const DORA = principal('dora', { groups: ['dba'] });

const worldWith = (policies: string, options: WorldOptions = {}): World =>
  worldOf({ authorizer: () => authorizerFor(policies), ...options });

const client = (capabilities: JsonObject): Pick<InboundRequest, 'client'> => ({
  client: { era: 'modern', revision: '2026-07-28', capabilities, address: '127.0.0.1' },
});
const CAN_ASK = client(BOTH);

type Asked = Extract<Outcome, { kind: 'input-required' }>;

function asked({ outcome }: Handled): Asked {
  if (outcome.kind !== 'input-required') throw new Error(`not asked: ${JSON.stringify(outcome)}`);
  return outcome;
}

/** Approvals that say when a call has begun to wait. */
function noticing(): { readonly approvals: WatchedApprovals; readonly reached: Promise<void> } {
  const real = approvalsFor([], { nowMs: 1_790_000_000_000 });
  const { promise, resolve } = Promise.withResolvers<void>();
  const settled: WatchedApprovals['settled'] = (approval, forMs, signal) => {
    const waiting = real.settled(approval, forMs, signal);
    resolve();
    return waiting;
  };
  return { approvals: { ...real, settled }, reached: promise };
}

const answer = (question: Asked, responses: JsonObject): { answers: Answers } => ({
  answers: { responses, ...(question.continuation === undefined ? {} : { continuation: question.continuation }) },
});
const confirm = (confirmed: boolean): JsonObject => ({
  [CONFIRM_KEY]: { action: 'accept', content: { confirm: confirmed } },
});
const OPENED: JsonObject = { [LINK_KEY]: { action: 'accept' } };
const idOf = (question: Asked): string => {
  const { continuation } = question;
  return continuation?.kind === 'approval' ? continuation.approvalId : '';
};
const pay = callTool('pay', { amount: 7 });

describe('a call that policy wants confirmed by its caller', () => {
  it('asks, shows exactly what will happen, and sends nothing', async () => {
    const world = worldWith(CALLER);
    const question = asked(await world.handle(pay, CAN_ASK));
    const { method, params } = question.requests[CONFIRM_KEY] ?? { method: '', params: {} };
    expect(method).toBe('elicitation/create');
    for (const line of ['Tool: pay', 'Server: files', 'Asked for by: alice', '  amount: 7', 'Payments are confirmed.'])
      expect(params.message).toContain(line);
    expect(params.requestedSchema).toMatchObject({ properties: { confirm: { type: 'boolean' } } });
    expect(world.calls).toEqual([]);
    expect(world.events.at(-1)).toMatchObject({
      outcome: 'input_required',
      approval: { id: idOf(question), state: 'asked' },
    });
  });

  it('is made once when the client confirms, without the answers, and the record names the approval', async () => {
    const world = worldWith(CALLER);
    const question = asked(await world.handle(pay, CAN_ASK));
    const handled = await world.handle(pay, { ...CAN_ASK, ...answer(question, confirm(true)) });
    expect(handled.outcome).toEqual(DONE);
    expect(world.calls).toHaveLength(1);
    const decision = { by: 'alice', issuer: 'api-key', need: 'caller', how: 'client', verdict: 'approved' };
    expect(world.events.at(-1)).toMatchObject({
      outcome: 'ok',
      approval: { id: idOf(question), state: 'used', decisions: [decision] },
    });
    expect(world.decisions).toMatchObject([{ how: 'client', verdict: 'approved' }]);
  });

  it.each<[string, JsonObject]>([
    ['declines', { [CONFIRM_KEY]: { action: 'decline' } }],
    ['dismisses the question', { [CONFIRM_KEY]: { action: 'cancel' } }],
    ['submits the form with a no', confirm(false)],
  ])('is not made when the person %s', async (_, responses) => {
    const world = worldWith(CALLER);
    const question = asked(await world.handle(pay, CAN_ASK));
    const handled = await world.handle(pay, { ...CAN_ASK, ...answer(question, responses) });
    expect(failureOf(handled)).toMatchObject({ code: 'approval-refused' });
    expect(world.calls).toEqual([]);
    expect(world.events.at(-1)).toMatchObject({ outcome: 'refused', approval: { state: 'refused' } });
  });

  it.each<[string, JsonObject]>([
    ['nothing', {}],
    ['an answer to another question', { other: { action: 'accept', content: { confirm: true } } }],
    ['an answer that is no object', { [CONFIRM_KEY]: 'yes' }],
    ['an unknown action', { [CONFIRM_KEY]: { action: 'ok', content: { confirm: true } } }],
    ['a form without the field', { [CONFIRM_KEY]: { action: 'accept', content: {} } }],
    ['a field that is no boolean', { [CONFIRM_KEY]: { action: 'accept', content: { confirm: 'true' } } }],
  ])('is asked about again when the answer is %s', async (_, responses) => {
    const world = worldWith(CALLER);
    const question = asked(await world.handle(pay, CAN_ASK));
    const again = asked(await world.handle(pay, { ...CAN_ASK, ...answer(question, responses) }));
    expect(idOf(again)).toBe(idOf(question));
    expect(world.calls).toEqual([]);
  });

  it('is refused when the same answer comes a second time, and asked about anew without it', async () => {
    const world = worldWith(CALLER);
    const question = asked(await world.handle(pay, CAN_ASK));
    const yes = { ...CAN_ASK, ...answer(question, confirm(true)) };
    await world.handle(pay, yes);
    expect(failureOf(await world.handle(pay, yes))).toMatchObject({ code: 'approval-refused' });
    expect(idOf(asked(await world.handle(pay, CAN_ASK)))).not.toBe(idOf(question));
    expect(world.calls).toHaveLength(1);
  });

  it('is made exactly once by fifty retries at the same time', async () => {
    const world = worldWith(CALLER);
    const question = asked(await world.handle(pay, CAN_ASK));
    const yes = { ...CAN_ASK, ...answer(question, confirm(true)) };
    const all = await Promise.all(Array.from({ length: 50 }, () => world.handle(pay, yes)));
    expect(world.calls).toHaveLength(1);
    expect(all.filter((each) => failureOf(each)?.code === 'approval-refused')).toHaveLength(49);
  });

  it('asks anew when the arguments are others, whatever was said before', async () => {
    const world = worldWith(CALLER);
    const question = asked(await world.handle(pay, CAN_ASK));
    const other = callTool('pay', { amount: 8 });
    const again = asked(await world.handle(other, { ...CAN_ASK, ...answer(question, confirm(true)) }));
    expect(idOf(again)).not.toBe(idOf(question));
    expect(world.calls).toEqual([]);
  });

  it('is refused when the approval has expired meanwhile', async () => {
    const world = worldWith(CALLER);
    const question = asked(await world.handle(pay, CAN_ASK));
    world.clock.nowMs += 15 * 60_000;
    const handled = await world.handle(pay, { ...CAN_ASK, ...answer(question, confirm(true)) });
    expect(failureOf(handled)).toMatchObject({ code: 'approval-refused', reason: 'the approval has expired' });
    expect(world.events.at(-1)).toMatchObject({ approval: { id: idOf(question), state: 'refused' } });
  });

  it('gives two callers a question of their own each, and neither can answer the other', async () => {
    const world = worldWith(CALLER);
    const ofAlice = asked(await world.handle(pay, CAN_ASK));
    const ofBob = asked(await world.handle(pay, { ...CAN_ASK, ...as('bob') }));
    expect(idOf(ofAlice)).not.toBe(idOf(ofBob));
    const stolen = await world.handle(pay, { ...CAN_ASK, ...as('bob'), ...answer(ofAlice, confirm(true)) });
    expect(failureOf(stolen)?.code).toBe('invalid-state');
    expect(world.calls).toEqual([]);
  });

  it('tells a client that cannot be asked what to do, once as text', async () => {
    const world = worldWith(CALLER);
    const handled = await world.handle(pay);
    expect(failureOf(handled)).toMatchObject({ code: 'approval-required' });
    expect(failureOf(handled)?.message).toMatch(/https:\/\/gw\.example\.com\/approvals\/[\w-]{22}/u);
  });

  it('ends when its caller says no on the page while it waits', async () => {
    const { approvals, reached } = noticing();
    const world = worldWith(CALLER, { approvals, approvalWaitMs: 20_000 });
    await world.handle(pay, { id: 'request-0' });
    const [waiting] = await world.approvals.waitingFor(ALICE);
    const again = world.handle(pay);
    await reached;
    await world.approvals.decide(waiting?.id ?? '', { by: ALICE, how: 'browser', verdict: 'declined' });
    expect(failureOf(await again)).toMatchObject({ code: 'approval-refused', reason: 'declined by alice' });
    expect(await world.approvals.waitingFor(ALICE)).toEqual([]);
  });

  it('leaves no argument in the log, whatever the person is shown', async () => {
    const world = worldWith(CALLER);
    const secret = callTool('read', { path: 'geheim-1234' });
    expect(failureOf(await world.handle(secret))?.message).toContain('geheim-1234');
    await world.handle(secret, { ...CAN_ASK, ...answer(asked(await world.handle(secret, CAN_ASK)), confirm(false)) });
    expect(JSON.stringify(world.lines)).toContain('waits for an approval by caller');
    expect(JSON.stringify(world.lines)).not.toContain('geheim-1234');
  });

  it('is refused at once when the state was none of ours', async () => {
    const world = worldWith(CALLER);
    const handled = await world.handle(pay, { ...CAN_ASK, answers: { responses: {}, fault: 'forged' } });
    expect(failureOf(handled)).toMatchObject({ code: 'invalid-state', reason: 'forged' });
    expect(world.events.at(-1)).toMatchObject({ outcome: 'refused', principal: { name: 'alice' } });
  });

  it('carries nothing to the server that nobody was shown', async () => {
    const world = worldWith(CALLER);
    const handled = await world.handle({ ...pay, extra: { dryRun: false } } as typeof pay, CAN_ASK);
    expect(failureOf(handled)).toMatchObject({ code: 'invalid-params', message: expect.stringContaining('dryRun') });
  });
});

describe('a call that somebody else has to approve', () => {
  it('invites to the page where the client can open links, and is made when somebody in the group agrees', async () => {
    const world = worldWith(DBA, { approvalWaitMs: 20_000 });
    const question = asked(await world.handle(pay, CAN_ASK));
    expect(question.requests[LINK_KEY]?.params).toMatchObject({
      mode: 'url',
      url: `https://gw.example.com/approvals/${idOf(question)}`,
    });
    const waiting = world.handle(pay, { ...CAN_ASK, ...answer(question, OPENED) });
    const decided = await world.approvals.decide(idOf(question), { by: DORA, how: 'browser', verdict: 'approved' });
    expect(decided.ok).toBe(true);
    expect((await waiting).outcome).toEqual(DONE);
  });

  it('waits for a while, then answers that it still waits, without asking to open the link again', async () => {
    const world = worldWith(DBA, { approvalWaitMs: 1 });
    const question = asked(await world.handle(pay, CAN_ASK));
    world.clock.nowMs += 1_000;
    const again = asked(await world.handle(pay, { ...CAN_ASK, ...answer(question, OPENED) }));
    expect(again.requests).toEqual({});
    expect(again.continuation).toEqual({
      kind: 'approval',
      approvalId: idOf(question),
      linkGiven: true,
    } satisfies Continuation);
    expect(world.calls).toEqual([]);
  });

  it('is found by a client that can be asked nothing, when it calls again', async () => {
    const world = worldWith(DBA);
    expect(failureOf(await world.handle(pay))?.code).toBe('approval-required');
    const [waiting] = await world.approvals.waitingFor(DORA);
    await world.approvals.decide(waiting?.id ?? '', { by: DORA, how: 'api', verdict: 'approved' });
    expect((await world.handle(pay)).outcome).toEqual(DONE);
    expect(failureOf(await world.handle(pay))?.code).toBe('approval-required');
    expect(world.calls).toHaveLength(1);
  });

  it("stays refused for as long as somebody else's no stands", async () => {
    const world = worldWith(DBA);
    await world.handle(pay);
    const [waiting] = await world.approvals.waitingFor(DORA);
    await world.approvals.decide(waiting?.id ?? '', { by: DORA, how: 'browser', verdict: 'declined' });
    expect(failureOf(await world.handle(pay))).toMatchObject({ code: 'approval-refused', reason: 'declined by dora' });
    world.clock.nowMs += 15 * 60_000;
    expect(failureOf(await world.handle(pay))?.code).toBe('approval-required');
  });

  it('is not approved by its caller, in the group or not, and the attempt is recorded', async () => {
    const world = worldWith(DBA);
    const mine = { ...CAN_ASK, ...as('dora') };
    const question = asked(await world.handle(pay, mine));
    const decided = await world.approvals.decide(idOf(question), { by: DORA, how: 'browser', verdict: 'approved' });
    expect(decided).toEqual({ ok: false, error: 'own-request' });
    expect(world.decisions).toMatchObject([{ fault: 'own-request', how: 'browser' }]);
    const claimed = asked(await world.handle(pay, { ...mine, ...answer(question, confirm(true)) }));
    expect(claimed.requests).toHaveProperty([LINK_KEY]);
    expect(world.calls).toEqual([]);
  });

  it('needs the caller and the group when two permits say so: one does not replace the other', async () => {
    const world = worldWith(`${CALLER}\n${DBA}\npermit (principal, action, resource);`);
    const question = asked(await world.handle(pay, CAN_ASK));
    const next = asked(await world.handle(pay, { ...CAN_ASK, ...answer(question, confirm(true)) }));
    expect(Object.keys(next.requests)).toEqual([LINK_KEY]);
    expect(world.calls).toEqual([]);
    await world.approvals.decide(idOf(next), { by: DORA, how: 'browser', verdict: 'approved' });
    expect((await world.handle(pay, { ...CAN_ASK, ...answer(next, {}) })).outcome).toEqual(DONE);
  });

  it('is decided anew after a wait: a rule that came meanwhile counts', async () => {
    let policies = DBA;
    const { approvals, reached } = noticing();
    const world = worldOf({ authorizer: () => authorizerFor(policies), approvals, approvalWaitMs: 20_000 });
    const question = asked(await world.handle(pay, CAN_ASK));
    const waiting = world.handle(pay, { ...CAN_ASK, ...answer(question, OPENED) });
    await reached;
    policies = 'forbid (principal, action, resource);';
    await world.approvals.decide(idOf(question), { by: DORA, how: 'browser', verdict: 'approved' });
    expect(failureOf(await waiting)).toBeDefined();
    expect(world.calls).toEqual([]);
  });
});

describe('when approvals cannot be looked up', () => {
  it('no call is made', async () => {
    const { approvals: _, ...world } = worldWith(DBA);
    const broken = approvalsFor(world.decisions, world.clock);
    const failing = worldWith(DBA, {
      approvals: { ...broken, open: () => Promise.reject(new Error('the store is away')) },
    });
    expect(failureOf(await failing.handle(pay))).toBeDefined();
    expect(failing.calls).toEqual([]);
  });
});
