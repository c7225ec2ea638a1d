/** A call that is open at its server goes on with the approval that it was made on, and with no other. */

import { describe, expect, it } from 'vitest';

import { authorizerFor } from '../authz/authorizer-fixture.ts';
import type { Answers } from '../model/outcome.ts';
import { callTool, DONE, failureOf, worldOf, type World } from './pipeline.fixture.ts';

const CALLER = '@approval("caller") permit (principal, action, resource);';
const DBA = '@approval("group:dba") permit (principal, action, resource);';
const BOTH = `${CALLER}\n${DBA}`;
const OPEN = 'permit (principal, action, resource);';
const NOTHING = 'forbid (principal, action, resource);';

const pay = callTool('pay', { amount: 7 });

const worldWith = (policies: string): World => worldOf({ authorizer: () => authorizerFor(policies) });

const answersOf = (approvedBy?: string): { answers: Answers } => {
  const parked = { kind: 'parked', server: 'files', version: 'v1', owner: 'here', parkedCallId: 'p1' } as const;
  const continuation = approvedBy === undefined ? parked : { ...parked, approvedBy };
  return { answers: { continuation, responses: { 'question-1': { action: 'decline' } } } };
};

describe('the answers to a parked call', () => {
  it.each([
    ['on the approval it was made on', CALLER, 'caller'],
    ['on the approvals it was made on', BOTH, 'caller group:dba'],
    ['where none is wanted', OPEN, undefined],
    ['where none is wanted any more', OPEN, 'caller'],
  ])('go on %s, and nobody is asked', async (_, policies, approvedBy) => {
    const world = worldWith(policies);
    expect((await world.handle(pay, answersOf(approvedBy))).outcome).toEqual(DONE);
    expect(world.calls).toHaveLength(1);
    expect(world.decisions).toEqual([]);
  });

  it.each([
    ['policy wants an approval by now', CALLER, undefined],
    ['policy wants somebody else’s by now', DBA, 'caller'],
    ['policy wants one more by now', BOTH, 'caller'],
  ])('are refused when %s', async (_, policies, approvedBy) => {
    const world = worldWith(policies);
    expect(failureOf(await world.handle(pay, answersOf(approvedBy)))?.code).toBe('invalid-state');
    expect(world.calls).toEqual([]);
  });

  it('are refused when policy forbids the call by now', async () => {
    const world = worldWith(NOTHING);
    expect(failureOf(await world.handle(pay, answersOf('caller')))).toBeDefined();
    expect(world.calls).toEqual([]);
  });
});
