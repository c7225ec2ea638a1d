/** What must hold for any policies, callers and calls: compared with Cedar itself, asked in the plainest way. */

import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';
import type { ToolEntry } from '../model/target.ts';
import { Place } from './argument-types.ts';
import { authorizerFor, CLIENT, principal, requestFor, tool } from './authorizer-fixture.ts';
import { toCedarRecord } from './cedar-values.ts';
import { entrySubject, groupId, principalId, principalSubject } from './entities.ts';

const AGENT = { id: 'spiffe://example.org/agent', trustDomain: 'example.org', credential: 'mtls' } as const;
const people = [
  principal('alice', { groups: ['a', 'b'] }),
  principal('alice', { groups: ['a', 'b'], workload: AGENT }),
  principal('bob', { groups: ['b'], clientId: 'ide' }),
  principal('carol', { tenant: 'acme', groups: ['a'] }),
  principal('robot', { kind: 'workload', groups: ['b'] }),
  principal(AGENT.id, { kind: 'workload', credential: { kind: 'mtls' }, workload: AGENT, groups: ['a'] }),
];
const schema = {
  type: 'object',
  properties: { n: { type: 'number' }, i: { type: 'integer' }, s: { type: 'string' } },
} as const;
const tools = [
  tool('files/read', { readOnly: true, risk: 'low' }, schema),
  tool('files/write', { risk: 'high' }, schema),
  tool('notes/read', { tags: ['pii'] }),
];
const surfaces = ['', 'ide', 'chat'];

const scope = fc.tuple(
  fc.constantFrom(
    'principal',
    'principal == User::"alice"',
    'principal in Group::"b"',
    'principal in Client::"api-key#ide"',
    'principal is User',
    'principal is Workload',
    'principal == Workload::"robot"',
    'principal == Workload::"spiffe://example.org/agent"',
    'principal is Workload in Group::"b"',
    'principal is User in Tenant::"acme"',
    'principal in Group::"acme#a"',
  ),
  fc.constantFrom(
    ['action', 'resource'],
    ['action', 'resource in Server::"files"'],
    ['action', 'resource is Tool'],
    ['action == Action::"callTool"', 'resource'],
    ['action == Action::"callTool"', 'resource is Tool in Server::"notes"'],
    ['action in [Action::"callTool", Action::"connect"]', 'resource == Tool::"files/read"'],
    ['action == Action::"getPrompt"', 'resource is Prompt'],
    ['action == Action::"connect"', 'resource'],
  ),
);
const settled = [
  'resource.readOnly',
  'resource.risk == "high"',
  'resource.classification == "internal"',
  'resource.server.environment == ""',
  'resource.tags.contains("pii")',
  'principal has client && principal.client == Client::"api-key#ide"',
  'principal has client',
  'principal in Group::"b"',
  'resource in Server::"files"',
  'principal.claims.team == "x"',
  'true',
  'false',
];
const remembered = [
  ...settled,
  'context.surface == "ide"',
  'context has workload',
  'context has workload && context.workload == Workload::"spiffe://example.org/agent"',
  'context has workload && context.workload.trustDomain == "example.org"',
  'context has workload && context.workload == principal',
];
const examined = [
  'context.arguments.n < 5',
  'context.arguments.i < 5',
  'context.arguments has n && context.arguments.n.lessThan(decimal("5.0"))',
  'context.arguments has n',
  'context.arguments.s like "a*"',
  'context.undeclared.contains("s")',
];

/** Policies from these conditions, `when` and `unless`, joined in any way. */
function policiesOf(atoms: readonly string[], modes: readonly string[] = ['']) {
  const expression = fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(...atoms),
      fc
        .tuple(tie('node'), fc.constantFrom('&&', '||'), tie('node'))
        .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
      tie('node').map((inner) => `!(${inner})`),
      fc.tuple(tie('node'), tie('node'), tie('node')).map(([test, yes, no]) => `(if ${test} then ${yes} else ${no})`),
    ),
  })).node;
  const clause = fc.tuple(fc.constantFrom('when', 'unless'), expression).map(([kind, body]) => `${kind} { ${body} }`);
  const policy = fc
    .tuple(
      fc.constantFrom(...modes),
      fc.constantFrom('permit', 'permit', 'forbid'),
      scope,
      fc.array(clause, { maxLength: 2 }),
    )
    .map(
      ([mode, effect, [who, what], clauses]) => `${mode}${effect} (${who}, ${what.join(', ')}) ${clauses.join(' ')};`,
    );
  return fc.array(policy, { minLength: 1, maxLength: 6 });
}

const OBSERVE = '@mode("observe") ';
const policies = policiesOf([...remembered, ...examined]);
const observing = policiesOf([...remembered, ...examined], ['', OBSERVE]);
const args: fc.Arbitrary<JsonObject> = fc.record(
  { n: fc.constantFrom(1, 9, 2.5, null, 'x'), i: fc.constantFrom(1, 9), s: fc.constantFrom('abc', 'b', 3) },
  { requiredKeys: [] },
);
const who = fc.constantFrom(...people);
const what = fc.constantFrom(...tools);
const surface = fc.constantFrom(...surfaces);
const question = fc.record({ caller: who, entry: what, given: args, surface });
type Asked = { caller: Principal; entry: ToolEntry; given: JsonObject; surface: string };

const requestOf = ({ caller, entry, given, surface: name }: Asked) =>
  requestFor(
    caller,
    entry,
    { kind: 'call-tool', name: entry.name, arguments: given },
    { ...CLIENT, info: { name, version: '1' } },
  );

/** Cedar's own answer with these policies: no slices, no parts, no memory. */
function ask(texts: readonly string[], { caller, entry, given, surface: name }: Asked): cedar.Response {
  const subject = principalSubject(caller, { claims: true, workload: true });
  const object = entrySubject(entry);
  const declared = entry === tools[2] ? [] : ['n', 'i', 's'];
  const values = toCedarRecord(given, { place: Place.root(entry.inputSchema) });
  if (!values.ok) throw new Error(values.error);
  const answer = cedar.isAuthorized({
    principal: subject.uid,
    action: { type: 'Action', id: 'callTool' },
    resource: object.uid,
    context: {
      arguments: values.value,
      undeclared: Object.keys(given).filter((key) => !declared.includes(key)),
      surface: name,
      ...(subject.workload === undefined ? {} : { workload: { __entity: subject.workload } }),
    },
    policies: { staticPolicies: texts.join('\n') },
    entities: [...subject.entities, ...object.entities],
  });
  if (answer.type === 'failure') throw new Error(answer.errors[0]?.message);
  return answer.response;
}

/** The rule for workloads alone, said in another way than the gateway does. */
const counts = (text: string, { caller, entry }: Asked): boolean =>
  caller.kind === 'user' || entry === tools[0] || !text.includes('permit') || /principal (is|==) Workload/.test(text);

function plainly(texts: readonly string[], asked: Asked): boolean {
  const { decision, diagnostics } = ask(
    texts.filter((text) => counts(text, asked)),
    asked,
  );
  return decision === 'allow' && diagnostics.errors.length === 0;
}

const isObserved = (text: string): boolean => text.startsWith(OBSERVE);

describe('for any policies', () => {
  it('slices, parts and remembered verdicts decide as Cedar does with all policies', () => {
    fc.assert(
      fc.property(policies, fc.array(question, { minLength: 1, maxLength: 6 }), (texts, questions) => {
        const authorizer = authorizerFor(texts.join('\n'));
        for (const asked of [...questions, ...questions]) {
          const decided = authorizer.authorize(requestOf(asked)).effect === 'allow';
          expect(decided).toBe(plainly(texts, asked));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('an error in any of them denies', () => {
    fc.assert(
      fc.property(policies, question, (texts, asked) => {
        const relevant = texts.filter((text) => counts(text, asked));
        fc.pre(ask(relevant, asked).diagnostics.errors.length > 0);
        expect(authorizerFor(texts.join('\n')).authorize(requestOf(asked)).effect).toBe('deny');
      }),
      { numRuns: 40 },
    );
  });

  it('what was asked before changes no decision', () => {
    fc.assert(
      fc.property(observing, fc.array(question, { minLength: 2, maxLength: 8 }), (texts, questions) => {
        const text = texts.join('\n');
        const remembering = authorizerFor(text);
        for (const asked of questions) {
          // Fresh objects as well: a new token of the same person finds what is remembered of the old one.
          const { effect, grounds } = remembering.authorize(requestOf({ ...asked, caller: { ...asked.caller } }));
          const fresh = authorizerFor(text).authorize(requestOf(asked));
          expect({ effect, grounds }).toEqual({ effect: fresh.effect, grounds: fresh.grounds });
        }
      }),
      { numRuns: 30 },
    );
  });

  it('what some arguments may call is admitted', () => {
    fc.assert(
      fc.property(
        policies,
        question,
        fc.array(args, { minLength: 1, maxLength: 8 }),
        (texts, { caller, entry, surface: name }, attempts) => {
          const authorizer = authorizerFor(texts.join('\n'));
          const client = { ...CLIENT, info: { name, version: '1' } };
          if (authorizer.admit({ principal: caller, client }, entry).admitted) return;
          for (const given of attempts) {
            const { effect } = authorizer.authorize(requestOf({ caller, entry, given, surface: name }));
            expect(effect).toBe('deny');
          }
        },
      ),
      { numRuns: 80 },
    );
  });

  it('admission of policies that read no arguments is the decision itself', () => {
    fc.assert(
      fc.property(policiesOf(remembered), question, (texts, asked) => {
        const authorizer = authorizerFor(texts.join('\n'));
        const client = { ...CLIENT, info: { name: asked.surface, version: '1' } };
        const { admitted } = authorizer.admit({ principal: asked.caller, client }, asked.entry);
        expect(admitted).toBe(authorizer.authorize(requestOf(asked)).effect === 'allow');
      }),
      { numRuns: 50 },
    );
  });

  it('observed ones decide nothing, and what they would have changed is told', () => {
    fc.assert(
      fc.property(observing, question, (texts, asked) => {
        const { effect, grounds } = authorizerFor(texts.join('\n')).authorize(requestOf(asked));
        const enforced = plainly(
          texts.filter((text) => !isObserved(text)),
          asked,
        );
        const withAll = plainly(
          texts.map((text) => text.replace(OBSERVE, '')),
          asked,
        );
        expect(effect).toBe(enforced ? 'allow' : 'deny');
        expect(grounds.observed?.effect).toBe(withAll === enforced ? undefined : withAll ? 'allow' : 'deny');
      }),
      { numRuns: 60 },
    );
  });

  it('a workload alone reaches what is not marked only by a permit that names workloads', () => {
    const workload = fc.constantFrom(...people.filter(({ kind }) => kind === 'workload'));
    fc.assert(
      fc.property(policies, workload, fc.constantFrom(...tools.slice(1)), args, (texts, caller, entry, given) => {
        const authorizer = authorizerFor(texts.join('\n'));
        if (authorizer.authorize(requestOf({ caller, entry, given, surface: '' })).effect === 'deny') return;
        expect(texts.some((text) => text.startsWith('permit') && /\(principal (is|==) Workload/.test(text))).toBe(true);
      }),
      { numRuns: 60 },
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
