/** The pre-flight question and enforcement: one answer, for whatever policies, callers, tools and arguments. */

import { assert, asyncProperty, array, constantFrom, integer, oneof, record, type Arbitrary } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { authorizerFor, problemsOf } from '../authz/authorizer-fixture.ts';
import { BUILT_IN_POLICIES } from '../authz/built-in-policies.ts';
import { catalogOf, item, registered, toolItem } from '../catalog/catalog-fixture.ts';
import type { AccessAnswer, AccessQuestion } from '../model/administration.ts';
import type { JsonObject } from '../model/json.ts';
import type { Operation } from '../model/operation.ts';
import { AGGREGATE, as, constant, failureOf, PAY, worldOf, type World, type WorldOptions } from './pipeline.fixture.ts';

const ask = (
  questions: readonly AccessQuestion[],
  until: 'all' | 'first-deny' | 'first-permit' = 'all',
): Operation => ({
  kind: 'administer',
  act: { name: 'askAccess', questions, until },
});

const mayCall = (name: string, args: JsonObject | undefined, server = 'files'): AccessQuestion => ({
  server,
  operation: { kind: 'call-tool', name, arguments: args ?? {} },
  argumentsKnown: args !== undefined,
});

const bob = { kind: 'user', issuer: 'api-key', subject: 'bob' } as const;

async function answers(world: World, operation: Operation, who = 'alice'): Promise<readonly AccessAnswer[]> {
  const handled = await world.handle(operation, { endpoint: AGGREGATE, ...as(who) });
  if (handled.administered?.kind !== 'access') throw new Error(JSON.stringify(handled.outcome));
  return handled.administered.answers;
}

describe('asking about oneself', () => {
  it("is everybody's, and a permit of ours says so", async () => {
    const world = worldOf();
    expect(await answers(world, ask([mayCall('read', {})]), 'bob')).toEqual([
      { decision: false, reason: 'unknown-server', message: 'There is no such server here.', approvals: [] },
    ]);
    expect(world.events[0]?.decision?.grounds.policies).toEqual(['builtin.ask-about-yourself']);
    expect(world.events[0]?.outcome).toBe('ok');
  });

  it('can be forbidden by the operator, and forbid wins', async () => {
    const text = 'permit (principal, action, resource); forbid (principal, action == Action::"askAccess", resource);';
    const handled = await worldOf({ authorizer: constant(authorizerFor(text)) }).handle(ask([mayCall('read', {})]), {
      endpoint: AGGREGATE,
    });
    expect(failureOf(handled)?.code).toBe('forbidden');
  });

  it('calls nothing, intends nothing and takes no quota of the tool', async () => {
    const world = worldOf();
    await answers(world, ask([mayCall('read', {}), mayCall('pay', { amount: 5 })]));
    expect(world.calls).toEqual([]);
    expect(world.steps).not.toContain('intend');
    expect(world.steps.filter((step) => step === 'consume')).toHaveLength(1);
  });

  it('does not tell policies, and tells of approvals', async () => {
    const text = '@approval("group:dba") permit (principal, action == Action::"callTool", resource);';
    const world = worldOf({ authorizer: constant(authorizerFor(text)) });
    expect(await answers(world, ask([mayCall('read', {})]))).toEqual([{ decision: true, approvals: ['group:dba'] }]);
  });

  it('needs no approval for being asked, even where an approval is demanded for everything', async () => {
    const world = worldOf({
      authorizer: constant(authorizerFor('@approval("caller") permit (principal, action, resource);')),
    });
    expect(await answers(world, ask([mayCall('read', {})]), 'bob')).toMatchObject([
      { decision: true, approvals: ['caller'] },
    ]);
  });

  it('answers for what is hidden exactly as for what does not exist', async () => {
    const hidden = catalogOf(
      registered('files', { tools: [toolItem('read'), toolItem('hidden', { inputSchema: PAY })] }),
    );
    const text = 'permit (principal, action, resource == Tool::"files/read");';
    const without = catalogOf(registered('files', { tools: [toolItem('read')] }));
    const asked = ask([
      mayCall('hidden', { amount: 1 }),
      mayCall('hidden', undefined),
      mayCall('hidden', { wrong: true }),
    ]);
    const [seen, missing] = await Promise.all(
      [hidden, without].map((catalog) =>
        answers(worldOf({ catalog: constant(catalog), authorizer: constant(authorizerFor(text)) }), asked, 'bob'),
      ),
    );
    expect(JSON.stringify(seen)).toBe(JSON.stringify(missing));
    expect(seen?.map(({ decision }) => decision)).toEqual([false, false, false]);
  });

  it('stops where it was told to', async () => {
    const both = [mayCall('read', {}), mayCall('pay', { amount: 500 }), mayCall('read', {})];
    expect((await answers(worldOf(), ask(both, 'first-deny'))).map(({ decision }) => decision)).toEqual([true, false]);
    expect(await answers(worldOf(), ask(both, 'first-permit'))).toHaveLength(1);
  });
});

describe('asking about others', () => {
  const about = (subject: AccessQuestion['subject']): Operation =>
    ask([{ ...mayCall('read', {}), ...(subject === undefined ? {} : { subject }) }]);

  it('needs a permit of the operator', async () => {
    const only = 'permit (principal, action == Action::"callTool", resource);';
    const world = worldOf({ authorizer: constant(authorizerFor(only)) });
    const handled = await world.handle(about(bob), { endpoint: AGGREGATE });
    expect(failureOf(handled)?.code).toBe('forbidden');
    expect(await answers(world, about({ kind: 'user', issuer: 'api-key', subject: 'alice' }))).toHaveLength(1);
  });

  it('cannot be had by describing oneself with other groups', async () => {
    const only = 'permit (principal in Group::"admins", action == Action::"callTool", resource);';
    const world = worldOf({ authorizer: constant(authorizerFor(only)) });
    const handled = await world.handle(about({ ...bob, subject: 'alice', groups: ['admins'] }), {
      endpoint: AGGREGATE,
    });
    expect(failureOf(handled)?.code).toBe('forbidden');
  });

  it('tells the policies, and never answers for another tenant', async () => {
    const text = [
      '@id("ask") permit (principal == User::"alice", action == Action::"askAccessOfOthers", resource);',
      '@id("staff") permit (principal in Group::"staff", action == Action::"callTool", resource);',
    ].join('\n');
    const world = worldOf({ authorizer: constant(authorizerFor(text)) });
    expect(await answers(world, about({ ...bob, groups: ['staff'] }))).toEqual([
      { decision: true, approvals: [], policies: ['staff'] },
    ]);
    expect(await answers(world, about(bob))).toMatchObject([{ decision: false, policies: [] }]);
    expect(await answers(world, about({ ...bob, groups: ['staff'], tenant: 'acme' }))).toMatchObject([
      { decision: false, reason: 'forbidden' },
    ]);
  });
});

describe('many questions at once', () => {
  it('give way to other work', async () => {
    let nowMs = 0;
    let yields = 0;
    const world = worldOf({ clockMs: () => ++nowMs, yieldNow: () => (yields++, Promise.resolve()) });
    expect(await answers(world, ask(Array.from({ length: 100 }, () => mayCall('read', {}))))).toHaveLength(100);
    expect(yields).toBeGreaterThan(20);
  });

  it('end with the time of the request', async () => {
    let nowMs = 0;
    const world = worldOf({ clockMs: () => (nowMs += 1_000) });
    const handled = await world.handle(ask(Array.from({ length: 100 }, () => mayCall('read', {}))), {
      endpoint: AGGREGATE,
    });
    expect(failureOf(handled)).toMatchObject({ code: 'overloaded', message: expect.stringContaining('Ask fewer') });
  });
});

/** How far enforcement lets the call come. In a world of its own: an approval that waits is remembered for the next call. */
async function enforced(options: WorldOptions, operation: Operation, who: string): Promise<string> {
  const world = worldOf(options);
  const handled = await world.handle(operation, { ...as(who), client: LEGACY });
  if (world.calls.length > 0) return 'called';
  const failure = failureOf(handled);
  return handled.outcome.kind === 'input-required' || failure?.code === 'approval-required'
    ? 'waits'
    : (failure?.code ?? 'none');
}

/** Mirrored headers are the transport's matter, and a legacy client sends none. */
const LEGACY = { era: 'legacy', revision: '2025-11-25', capabilities: {}, address: '127.0.0.1' } as const;

const said = ({ decision, reason, approvals }: AccessAnswer): string =>
  decision ? (approvals.length > 0 ? 'waits' : 'called') : (reason ?? 'none');

const principals = constantFrom(
  'principal',
  'principal in Group::"staff"',
  'principal == User::"alice"',
  'principal == User::"bob"',
  'principal is Workload',
);
const actions = constantFrom(
  'action',
  'action == Action::"callTool"',
  'action in [Action::"callTool", Action::"getPrompt"]',
  'action == Action::"connect"',
  'action == Action::"readResource"',
);
const resources = constantFrom(
  'resource',
  'resource in Server::"files"',
  'resource == Tool::"files/pay"',
  'resource == Server::"files"',
  'resource == Prompt::"files/summary"',
  'resource is Resource',
);
const conditions = constantFrom(
  '',
  ' when { context.arguments.amount > 100 }',
  ' when { context.arguments has amount && context.arguments.amount <= 100 }',
  ' unless { context.undeclared.isEmpty() }',
  ' when { resource.name == "pay" }',
  ' when { resource.risk == "high" }',
  ' when { context.surface == "" }',
  ' when { principal.claims.level > 3 }',
);
/** Scopes that no request fits are refused when they are loaded. */
const isTaken = (text: string): boolean => problemsOf(text).length === 0;

const policy: Arbitrary<string> = record({
  effect: constantFrom('permit', 'permit', '@approval("group:dba") permit', '@approval("caller") permit', 'forbid'),
  principal: principals,
  action: actions,
  resource: resources,
  condition: conditions,
})
  .map(
    ({ effect, principal, action, resource, condition }) =>
      `${effect} (${principal}, ${action}, ${resource})${condition};`,
  )
  .filter(isTaken);

const args: Arbitrary<JsonObject> = oneof(
  record({ amount: integer({ min: -5, max: 200 }) }),
  record({ amount: integer({ min: 0, max: 200 }), note: constantFrom('x', 'y') }),
  constantFrom({}, { amount: 'many' }, { amount: 1.5 }, { text: null }),
);

const operations: Arbitrary<AccessQuestion['operation']> = oneof(
  record({ name: constantFrom('read', 'pay', 'refund', 'scoped', 'none', 'Read'), arguments: args }).map(
    ({ name, arguments: given }) => ({ kind: 'call-tool', name, arguments: given }) as const,
  ),
  record({ name: constantFrom('summary', 'none') }).map(
    ({ name }) => ({ kind: 'get-prompt', name, arguments: {} }) as const,
  ),
  constantFrom('file:///a.txt', 'file:///b.txt', 'not a uri').map((uri) => ({ kind: 'read-resource', uri }) as const),
);

/** Beside the usual ones, a tool whose amount the operator pinned, and one that takes a scope that nobody has. */
const FILES_AND_MORE = catalogOf(
  registered(
    'files',
    {
      tools: ['read', 'pay', 'refund', 'scoped'].map((name) =>
        toolItem(name, name === 'pay' || name === 'refund' ? { inputSchema: PAY } : {}),
      ),
      prompts: [item({ name: 'summary' })],
      resources: [item({ name: 'a', uri: 'file:///a.txt' })],
    },
    [
      { of: 'tools', pattern: 'refund', traits: {}, pins: { amount: 150 } },
      { of: 'tools', pattern: 'scoped', traits: { scopes: ['files.scoped'] } },
    ],
  ),
);

describe('the pre-flight answer and enforcement', () => {
  it('never differ', async () => {
    const seen = new Set<string>();
    await assert(
      asyncProperty(
        array(policy, { minLength: 1, maxLength: 5 }),
        array(operations, { minLength: 1, maxLength: 6 }),
        async (texts, asked) => {
          const authorizer = constant(authorizerFor(texts.join('\n')));
          for (const who of ['alice', 'bob']) {
            const options = { authorizer, catalog: constant(FILES_AND_MORE) };
            const world = worldOf(options);
            const questions = asked.map((operation) => ({ server: 'files', operation, argumentsKnown: true }));
            const handled = await world.handle(ask(questions), { endpoint: AGGREGATE, ...as(who), client: LEGACY });
            expect(world.calls, 'asking calls nothing').toEqual([]);
            expect(world.steps).not.toContain('intend');
            if (handled.administered?.kind !== 'access') continue; // A policy forbade the asking itself.
            const told = handled.administered.answers.map(said);
            const done: string[] = [];
            for (const operation of asked) done.push(await enforced(options, operation, who));
            expect(told, texts.join('\n')).toEqual(done);
            for (const one of told) seen.add(one);
          }
        },
      ),
      { numRuns: 400 },
    );
    // The grammar reaches every way a call can end before it leaves.
    expect([...seen]).toEqual(
      expect.arrayContaining(['called', 'waits', 'forbidden', 'invalid-arguments', 'unknown-tool', 'unknown-server']),
    );
  }, 180_000);

  it('without arguments agree with what lists show', async () => {
    await assert(
      asyncProperty(array(policy, { minLength: 1, maxLength: 5 }), async (texts) => {
        const world = worldOf({ authorizer: constant(authorizerFor(texts.join('\n'))) });
        const listed = await world.handle({ kind: 'list', of: 'tools' });
        const names = listed.outcome.kind === 'listed' ? listed.outcome.page.entries.map(({ name }) => name) : [];
        const handled = await world.handle(ask([mayCall('read', undefined), mayCall('pay', undefined)]), {
          endpoint: AGGREGATE,
        });
        if (handled.administered?.kind !== 'access') return;
        const [read, pay] = handled.administered.answers;
        expect([read?.decision, pay?.decision], texts.join('\n')).toEqual([
          names.includes('read'),
          names.includes('pay'),
        ]);
      }),
      { numRuns: 150 },
    );
  }, 180_000);
});

it('a prompt and a resource can be asked about as well', async () => {
  const catalog = catalogOf(
    registered('files', {
      prompts: [item({ name: 'summary' })],
      resources: [item({ name: 'a', uri: 'file:///a.txt' })],
    }),
  );
  const text = 'permit (principal, action == Action::"getPrompt", resource == Prompt::"files/summary");';
  const world = worldOf({ catalog: constant(catalog), authorizer: constant(authorizerFor(text)) });
  const given = await answers(
    world,
    ask([
      { server: 'files', operation: { kind: 'get-prompt', name: 'summary', arguments: {} }, argumentsKnown: true },
      { server: 'files', operation: { kind: 'read-resource', uri: 'file:///a.txt' }, argumentsKnown: true },
    ]),
  );
  expect(given.map(({ decision }) => decision)).toEqual([true, false]);
});

describe('an administrative act', () => {
  const decide: Operation = { kind: 'administer', act: { name: 'decideApproval', id: 'x', verdict: 'approved' } };

  it.each([
    [
      'for a group',
      'forbid (principal in Group::"staff", action == Action::"decideApproval", resource == Gateway::"sallyport");',
    ],
    [
      'but in the browser',
      'forbid (principal, action == Action::"decideApproval", resource) unless { principal.credential == "browser" };',
    ],
    ['altogether', 'forbid (principal, action, resource);'],
    ['with an error', 'forbid (principal, action, resource) when { principal.claims.missing };'],
  ])('is forbidden by the operator, before anything is intended or looked up: %s', async (_, text) => {
    const world = worldOf({ authorizer: constant(authorizerFor(text)) });
    expect(failureOf(await world.handle(decide, { endpoint: AGGREGATE }))?.code).toBe('forbidden');
    expect(world.steps).not.toContain('intend');
    expect(world.events.map(({ outcome }) => outcome)).toEqual(['refused']);
  });

  it('is about the gateway: no endpoint of a server stands for it', async () => {
    const world = worldOf({ authorizer: constant(authorizerFor('permit (principal, action, resource);')) });
    expect(failureOf(await world.handle(decide))?.code).toBe('forbidden');
  });

  it('takes a place in the limits of whoever asks', async () => {
    const rules = [{ per: 'principal', count: 1, periodMs: 60_000, burst: 1, text: '1/minute per principal' }] as const;
    const world = worldOf({ rules });
    await answers(world, ask([mayCall('read', {})]));
    const second = await world.handle(ask([mayCall('read', {})]), { endpoint: AGGREGATE });
    expect(failureOf(second)?.code).toBe('quota-exceeded');
  });

  it('is for nobody without a credential', async () => {
    const handled = await worldOf().handle(decide, { endpoint: AGGREGATE, presented: {} });
    expect(failureOf(handled)?.code).toBe('unauthenticated');
  });
});

it('our permits are about administrative acts alone, and an id of ours cannot be taken', () => {
  for (const { text } of BUILT_IN_POLICIES) expect(text).toContain('resource == Gateway::"sallyport"');
  const taken = '@id("builtin.read-approvals") @approval("caller") permit (principal, action, resource);';
  expect(() => authorizerFor(taken)).toThrow(/id is taken/u);
});
