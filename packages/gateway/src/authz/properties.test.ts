/** What must hold for any policies, callers and calls: compared with Cedar itself, asked in the plainest way. */

import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../model/json.ts';
import { authorizerFor, callOf, CLIENT, principal, tool } from './authorizer-fixture.ts';
import { toCedarRecord } from './cedar-values.ts';
import { contextOf } from './context.ts';
import { entrySubject, groupId, principalId, principalSubject } from './entities.ts';

const people = [
  principal('alice', { groups: ['a', 'b'] }),
  principal('bob', { groups: ['b'], clientId: 'ide' }),
  principal('carol', { tenant: 'acme', groups: ['a'] }),
  principal('robot', { kind: 'workload' }),
];
const tools = [
  tool('files/read', { readOnly: true, risk: 'low' }),
  tool('files/write', { risk: 'high' }),
  tool('notes/read', { tags: ['pii'] }),
];

const scope = fc.tuple(
  fc.constantFrom(
    'principal',
    'principal == User::"alice"',
    'principal in Group::"b"',
    'principal is User',
    'principal is Workload',
    'principal is User in Tenant::"acme"',
    'principal in Group::"acme#a"',
  ),
  fc.constantFrom(
    'action',
    'action == Action::"callTool"',
    'action in [Action::"callTool", Action::"connect"]',
    'action == Action::"connect"',
  ),
  fc.constantFrom(
    'resource',
    'resource in Server::"files"',
    'resource == Tool::"files/read"',
    'resource is Tool',
    'resource is Prompt',
    'resource is Tool in Server::"notes"',
  ),
);
const atom = fc.constantFrom(
  'resource.readOnly',
  'resource.risk == "high"',
  'resource.tags.contains("pii")',
  'principal.client == Client::"api-key#ide"',
  'principal has client',
  'context.arguments.n < 5',
  'context.arguments has n',
  'context.arguments.s like "a*"',
  'context.undeclared.contains("s")',
  'true',
  'false',
);
const expression = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    atom,
    fc
      .tuple(tie('node'), fc.constantFrom('&&', '||'), tie('node'))
      .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
    tie('node').map((inner) => `!(${inner})`),
    fc.tuple(tie('node'), tie('node'), tie('node')).map(([test, yes, no]) => `(if ${test} then ${yes} else ${no})`),
  ),
})).node;
const clause = fc.tuple(fc.constantFrom('when', 'unless'), expression).map(([kind, body]) => `${kind} { ${body} }`);
const policy = fc
  .tuple(fc.constantFrom('permit', 'permit', 'forbid'), scope, fc.array(clause, { maxLength: 2 }))
  .map(([effect, parts, clauses]) => `${effect} (${parts.join(', ')}) ${clauses.join(' ')};`);
const policies = fc.array(policy, { minLength: 1, maxLength: 6 });
const args: fc.Arbitrary<JsonObject> = fc.record(
  { n: fc.constantFrom(1, 9, 2.5, null, 'x'), s: fc.constantFrom('abc', 'b', 3) },
  { requiredKeys: [] },
);
const who = fc.constantFrom(...people);
const what = fc.constantFrom(...tools);

/** All policies, no slices, no memory. */
function plainly(
  texts: readonly string[],
  caller: (typeof people)[number],
  entry: (typeof tools)[number],
  given: JsonObject,
): boolean {
  const subject = principalSubject(caller, false);
  const object = entrySubject(entry);
  const reads = { arguments: true, surface: true, method: true, now: false, attributes: new Set<string>() };
  const context = contextOf(
    { arguments: given, undeclared: Object.keys(given), surface: '', method: '' },
    reads,
    Date.now,
  );
  if (!context.ok) return false;
  const answer = cedar.isAuthorized({
    principal: subject.uid,
    action: { type: 'Action', id: 'callTool' },
    resource: object.uid,
    context: context.value,
    policies: { staticPolicies: texts.join('\n') },
    entities: [...subject.entities, ...object.entities],
  });
  if (answer.type === 'failure') throw new Error(answer.errors[0]?.message);
  return answer.response.decision === 'allow' && answer.response.diagnostics.errors.length === 0;
}

describe('for any policies', () => {
  it('slices and remembered verdicts decide as Cedar does with all policies', () => {
    fc.assert(
      fc.property(policies, fc.array(fc.tuple(who, what, args), { minLength: 1, maxLength: 6 }), (texts, questions) => {
        const authorizer = authorizerFor(texts.join('\n'));
        for (const [caller, entry, given] of [...questions, ...questions]) {
          const decided = authorizer.authorize(callOf(caller, entry, given)).effect === 'allow';
          expect(decided).toBe(plainly(texts, caller, entry, given));
        }
      }),
      { numRuns: 40 },
    );
  });

  it('what some arguments may call is admitted', () => {
    fc.assert(
      fc.property(
        policies,
        who,
        what,
        fc.array(args, { minLength: 1, maxLength: 8 }),
        (texts, caller, entry, attempts) => {
          const authorizer = authorizerFor(texts.join('\n'));
          const { admitted } = authorizer.admit({ principal: caller, client: CLIENT }, entry);
          if (admitted) return;
          for (const given of attempts) expect(authorizer.authorize(callOf(caller, entry, given)).effect).toBe('deny');
        },
      ),
      { numRuns: 80 },
    );
  });

  it('admission of policies that read no arguments is the decision itself', () => {
    fc.assert(
      fc.property(policies, who, what, (texts, caller, entry) => {
        fc.pre(texts.every((text) => !/arguments|undeclared/.test(text)));
        const authorizer = authorizerFor(texts.join('\n'));
        const { admitted } = authorizer.admit({ principal: caller, client: CLIENT }, entry);
        expect(admitted).toBe(authorizer.authorize(callOf(caller, entry)).effect === 'allow');
      }),
      { numRuns: 50 },
    );
  });
});

describe('for any values', () => {
  it('what is mapped is what Cedar reads, and mapping never throws', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })), (value) => {
        const mapped = toCedarRecord(JSON.parse(JSON.stringify(value)));
        if (mapped.ok) expect(cedar.checkParseContext({ context: mapped.value })).toEqual({ type: 'success' });
      }),
    );
  });

  it('every key that was sent is there', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.jsonValue({ maxDepth: 2 })), (value) => {
        const mapped = toCedarRecord(JSON.parse(JSON.stringify(value)));
        if (mapped.ok) expect(Object.keys(mapped.value).sort()).toEqual(Object.keys(value).sort());
      }),
    );
  });

  it('different identities have different ids', () => {
    const name = fc.oneof(fc.string({ minLength: 1, maxLength: 6 }), fc.stringMatching(/^[a#%23]{1,5}$/));
    const identity = fc.record({
      tenant: fc.oneof(fc.constant('default'), name),
      issuer: fc.oneof(fc.constant('api-key'), name),
      subject: name,
    });
    fc.assert(
      fc.property(identity, identity, (left, right) => {
        const same = left.tenant === right.tenant && left.issuer === right.issuer && left.subject === right.subject;
        expect(principalId(left) === principalId(right)).toBe(same);
        const sameGroup = left.tenant === right.tenant && left.subject === right.subject;
        expect(groupId(left.tenant, left.subject) === groupId(right.tenant, right.subject)).toBe(sameGroup);
      }),
      { numRuns: 500 },
    );
  });
});
