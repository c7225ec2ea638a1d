/** `@mode("observe")`: a policy that is tried out. */

import { describe, expect, it } from 'vitest';
import { authorizerFor, callOf, CLIENT, principal, tool } from './authorizer-fixture.ts';

const alice = principal('alice');
const write = tool('files/write');

const EVERYTHING = '@id("all") permit (principal, action, resource);';

describe('an observed policy', () => {
  const cases: readonly [string, string, 'allow' | 'deny', object | undefined][] = [
    [
      'that would forbid',
      `${EVERYTHING} @id("try") @mode("observe") forbid (principal, action, resource);`,
      'allow',
      { effect: 'deny', policies: ['try'], approvals: [] },
    ],
    [
      'that would permit',
      '@id("try") @mode("observe") permit (principal, action, resource);',
      'deny',
      { effect: 'allow', policies: ['try'], approvals: [] },
    ],
    [
      'that would permit after an approval',
      '@id("try") @mode("observe") @approval("group:dba") permit (principal, action, resource);',
      'deny',
      { effect: 'allow', policies: ['try'], approvals: ['group:dba'] },
    ],
    [
      'that would ask for what is permitted without',
      `${EVERYTHING} @id("try") @mode("observe") @approval("caller") permit (principal, action, resource);`,
      'allow',
      { effect: 'allow', policies: ['try'], approvals: ['caller'] },
    ],
    [
      'that would fail, and so deny',
      `${EVERYTHING} @id("try") @mode("observe") forbid (principal, action, resource) when { context.arguments.n > 5 };`,
      'allow',
      { effect: 'deny', policies: ['try'], approvals: [] },
    ],
    [
      'that would change nothing',
      `${EVERYTHING} @id("try") @mode("observe") permit (principal, action, resource);`,
      'allow',
      undefined,
    ],
    [
      'that a forbid overrules',
      'forbid (principal, action, resource); @id("try") @mode("observe") permit (principal, action, resource);',
      'deny',
      undefined,
    ],
    [
      'whose scope is elsewhere',
      `${EVERYTHING} @id("try") @mode("observe") forbid (principal, action, resource in Server::"notes");`,
      'allow',
      undefined,
    ],
  ];
  it.each(cases)('%s', (_, policies, effect, observed) => {
    const authorizer = authorizerFor(policies);
    for (let round = 0; round < 2; round++) {
      const decision = authorizer.authorize(callOf(alice, write));
      expect(decision.effect).toBe(effect);
      expect(decision.grounds.observed).toEqual(observed);
      if (decision.effect === 'allow') expect(decision.permit.obligations).toEqual([]);
    }
  });

  it('hides and shows nothing', () => {
    const caller = { principal: alice, client: CLIENT };
    const hiding = authorizerFor(`${EVERYTHING} @mode("observe") forbid (principal, action, resource);`);
    expect(hiding.admit(caller, write)).toMatchObject({ admitted: true, grounds: { observed: { effect: 'deny' } } });
    const showing = authorizerFor('@mode("observe") permit (principal, action, resource);');
    expect(showing.admit(caller, write)).toMatchObject({ admitted: false, grounds: { observed: { effect: 'allow' } } });
  });

  it('is explained with its mode', () => {
    const authorizer = authorizerFor(
      `${EVERYTHING}\n@id("try") @mode("observe") forbid (principal, action, resource);`,
    );
    expect(authorizer.explain({ principal: alice, client: CLIENT }, write, {}).applicable).toMatchObject([
      { id: 'all', effect: 'permit', mode: 'enforce', source: 'test.cedar', line: 1 },
      { id: 'try', effect: 'forbid', mode: 'observe', source: 'test.cedar', line: 2 },
    ]);
  });
});
