/** The order of the pipeline, and what each step must never learn from, or do before, another. */

import { assert, asyncProperty, dictionary, jsonValue, oneof, constantFrom } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { authorizerFor } from '../authz/authorizer-fixture.ts';
import { catalogOf, registered, toolItem } from '../catalog/catalog-fixture.ts';
import { refuse } from '../model/failure.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { Operation } from '../model/operation.ts';
import { principalKey } from '../model/principal.ts';
import type { InboundRequest } from '../model/request.ts';
import {
  AGGREGATE,
  ALICE_ONLY,
  as,
  callTool,
  constant,
  failureOf,
  worldOf,
  type Step,
  type WorldOptions,
} from './pipeline.fixture.ts';

const EVERY_STEP: readonly Step[] = [
  'authenticate',
  'admit',
  'consume',
  'validate',
  'authorize',
  'intend',
  'send',
  'append',
];

const catalogWithParamHeader = () => {
  const inputSchema = { type: 'object', properties: { path: { type: 'string', 'x-mcp-header': 'Path' } } };
  return catalogOf(registered('files', { tools: [toolItem('read', { inputSchema })] }));
};

const ONE_PER_MINUTE = { per: 'tool', count: 1, periodMs: 60_000, burst: 1, text: '1/minute per tool' } as const;

describe('the order', () => {
  it('is authenticate, admit, quota, schema, policy, intent, upstream, record, each once', async () => {
    const world = worldOf();
    expect(await world.handle(callTool('pay', { amount: 1 }))).toMatchObject({ outcome: { kind: 'complete' } });
    expect(world.steps).toEqual(EVERY_STEP);
  });

  type Row = {
    readonly what: string;
    readonly code: string;
    /** The last step before the record. */
    readonly last: Step;
    readonly operation?: Operation;
    readonly facts?: Partial<InboundRequest>;
    readonly options?: () => WorldOptions;
  };

  const ROWS: readonly Row[] = [
    { what: 'nobody', code: 'unauthenticated', last: 'authenticate', facts: { presented: {} } },
    { what: 'a wrong credential', code: 'invalid-credential', last: 'authenticate', facts: as('mallory') },
    {
      what: 'a cursor sealed for another',
      code: 'invalid-state',
      last: 'authenticate',
      facts: { sealedFor: [principalKey('default', 'api-key', 'bob')] },
    },
    { what: 'who is not admitted', code: 'unknown-server', last: 'admit', facts: as('bob') },
    { what: 'a tool that does not exist', code: 'unknown-tool', last: 'admit', operation: callTool('nothing') },
    {
      what: 'too many',
      code: 'quota-exceeded',
      last: 'consume',
      options: () => ({
        limiter: { consume: () => ({ allowed: false, retryAfterMs: 1500, limit: '1/minute', because: 'rate' }) },
      }),
    },
    { what: 'arguments of another shape', code: 'invalid-arguments', last: 'validate', operation: callTool('pay') },
    {
      what: 'Mcp-Param-* headers that differ from the arguments',
      code: 'header-mismatch',
      last: 'consume',
      operation: callTool('read', { path: 'a' }),
      options: () => ({ catalog: constant(catalogWithParamHeader()) }),
    },
    {
      what: 'arguments that policy forbids',
      code: 'forbidden',
      last: 'authorize',
      operation: callTool('pay', { amount: 101 }),
    },
    {
      what: 'an approval that is not there yet',
      code: 'approval-required',
      last: 'authorize',
      options: () => ({
        authorizer: constant(authorizerFor('@approval("group:manager") permit (principal, action, resource);')),
      }),
    },
    {
      what: 'a record that cannot be written',
      code: 'record-unavailable',
      last: 'intend',
      options: () => ({ durable: () => Promise.reject(refuse('record-unavailable')) }),
    },
  ];

  it.each(ROWS)('ends early for $what, and is recorded once as $code', async (row) => {
    const world = worldOf(row.options?.());
    const handled = await world.handle(row.operation ?? callTool('pay', { amount: 1 }), row.facts);
    expect(failureOf(handled)).toMatchObject({ code: row.code, sent: 'no' });
    expect(world.steps.at(-2)).toBe(row.last);
    expect(world.calls).toEqual([]);
    expect(world.steps.filter((step) => step === 'append')).toHaveLength(1);
    expect(world.events).toMatchObject([{ failure: { code: row.code } }]);
    expect(world.refused).toEqual([row.code]);
    expect(world.lines).toHaveLength(1);
  });

  it('asks for the intent, and sends only when it is durable', async () => {
    const disk = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const world = worldOf({
      durable() {
        asked.resolve();
        return disk.promise;
      },
    });
    const handled = world.handle(callTool('read'));
    await asked.promise;
    await new Promise((resolve) => setImmediate(resolve));
    expect(world.calls).toEqual([]);
    disk.resolve();
    await handled;
    expect(world.calls).toHaveLength(1);
    expect(world.events).toMatchObject([{ intentSequence: 7, outcome: 'ok' }]);
  });
});

describe('who is refused', () => {
  it('consumes no quota, whether hidden, unknown or unauthenticated', async () => {
    const world = worldOf({ rules: [ONE_PER_MINUTE] });
    for (const facts of [as('bob'), as('mallory'), { presented: {} }]) {
      for (let count = 0; count < 3; count++) await world.handle(callTool('read'), facts);
    }
    expect(failureOf(await world.handle(callTool('read')))).toBeUndefined();
    expect(failureOf(await world.handle(callTool('read')))).toMatchObject({ code: 'quota-exceeded' });
  });

  it('learns nothing of a schema: whatever the arguments, the answer is one', async () => {
    const authorizer = authorizerFor('permit (principal, action, resource) when { resource.name == "read" };');
    const world = worldOf({ authorizer: constant(authorizer) });
    const argumentsOfAllKinds: readonly JsonObject[] = [{ amount: 1 }, {}, { amount: 'much' }, { amont: 1 }];
    const answers = new Set<string>();
    for (const args of argumentsOfAllKinds) answers.add(JSON.stringify(await world.handle(callTool('pay', args))));
    expect(answers.size).toBe(1);
    expect(world.refused).toEqual(argumentsOfAllKinds.map(() => 'unknown-tool'));
    expect(world.steps).not.toContain('validate');
  });

  it('is told when to come back, in whole seconds and in the words of the limit', async () => {
    const world = worldOf({ rules: [ONE_PER_MINUTE] });
    await world.handle(callTool('read'));
    expect(failureOf(await world.handle(callTool('read')))).toEqual({
      code: 'quota-exceeded',
      sent: 'no',
      retryAfterMs: 60_000,
      message: 'Too many requests: the limit is 1/minute per tool. Try again in 60 s.',
    });
  });

  it('is told who could have approved', async () => {
    const authorizer = authorizerFor('@approval("group:manager") permit (principal, action, resource);');
    const world = worldOf({ authorizer: constant(authorizer) });
    expect(failureOf(await world.handle(callTool('read')))?.message).toContain('an approval by group:manager');
    expect(world.events).toMatchObject([{ decision: { effect: 'allow' }, failure: { code: 'approval-required' } }]);
  });
});

describe('policy', () => {
  it('never sees arguments that the schema has not let pass', async () => {
    const seen: JsonObject[] = [];
    const real = authorizerFor(ALICE_ONLY);
    const world = worldOf({
      authorizer: constant({
        version: real.version,
        admit: (caller, entry) => real.admit(caller, entry),
        admitAll: (caller, entries) => real.admitAll(caller, entries),
        authorize(request) {
          if (request.operation.kind === 'call-tool') seen.push(request.operation.arguments);
          return real.authorize(request);
        },
      }),
    });
    const anyArguments = dictionary(oneof(constantFrom('amount', 'amont'), constantFrom('note')), jsonValue());
    await assert(
      asyncProperty(anyArguments, async (args) => {
        seen.length = 0;
        const parsed: unknown = JSON.parse(JSON.stringify(args));
        if (!isJsonObject(parsed)) return;
        await world.handle(callTool('pay', parsed));
        const { amount } = parsed;
        const fits = typeof amount === 'number' && Number.isInteger(amount) && amount >= 0;
        expect(seen).toEqual(fits ? [parsed] : []);
      }),
      { numRuns: 300 },
    );
  });

  it('speaks of the server and its own names on the aggregate endpoint, and so does the call', async () => {
    const world = worldOf();
    await world.handle(callTool('files_pay', { amount: 5 }), { endpoint: AGGREGATE });
    expect(world.calls).toMatchObject([
      { entry: { name: 'pay', server: { id: 'files' } }, intent: { permit: { operation: { name: 'pay' } } } },
    ]);
  });

  it('decides with the snapshot that the request began with', async () => {
    const old = authorizerFor(ALICE_ONLY);
    let current = old;
    const world = worldOf({
      authorizer: () => current,
      // The swap comes while the arguments are being looked at.
      validator: { validate: () => void (current = authorizerFor('')) },
    });
    expect(failureOf(await world.handle(callTool('pay', { amount: 1 })))).toBeUndefined();
    expect(world.events).toMatchObject([{ decision: { effect: 'allow', grounds: { policyVersion: old.version } } }]);
    expect(failureOf(await world.handle(callTool('pay', { amount: 1 })))).toMatchObject({ code: 'unknown-server' });
  });
});

describe('a place among calls in flight', () => {
  const ONE: WorldOptions = { rules: [{ per: 'principal', concurrent: 1, text: '1 at a time per principal' }] };

  it('is held until the call is over, and told of in words', async () => {
    const answer = Promise.withResolvers<void>();
    const sent = Promise.withResolvers<void>();
    const world = worldOf({
      ...ONE,
      send: async () => {
        sent.resolve();
        await answer.promise;
        return { kind: 'complete', result: { kind: 'value', value: { content: [] } } };
      },
    });
    const first = world.handle(callTool('read'));
    await sent.promise;
    expect(failureOf(await world.handle(callTool('read')))).toMatchObject({
      code: 'quota-exceeded',
      message:
        'Too many calls at the same time: the limit is 1 at a time per principal. Wait for one of them to end, then try again.',
    });
    answer.resolve();
    await first;
    expect(failureOf(await world.handle(callTool('read')))).toBeUndefined();
  });

  it('is given back by whatever ends the call early', async () => {
    const world = worldOf({ ...ONE, send: () => Promise.reject(new Error('broken')) });
    for (let count = 0; count < 3; count++) {
      expect(failureOf(await world.handle(callTool('pay')))).toMatchObject({ code: 'invalid-arguments' });
      expect(failureOf(await world.handle(callTool('read')))).toMatchObject({ code: 'internal' });
    }
  });
});

describe('sealed values', () => {
  const alice = principalKey('default', 'api-key', 'alice');
  const bob = principalKey('default', 'api-key', 'bob');
  const client = { era: 'legacy', revision: '2025-11-25', capabilities: {}, address: '127.0.0.1' } as const;

  it.each([
    ['made for the caller', [alice, alice], undefined, undefined],
    ['one of them made for another', [alice, bob], undefined, 'invalid-state'],
    ['a session of another', [bob], 'digest', 'unknown-session'],
    ['a key that begins like the caller’s', [`${alice}2`], undefined, 'invalid-state'],
    ['made for nobody', [''], undefined, 'invalid-state'],
  ])('%s', async (_, sealedFor, session, code) => {
    const world = worldOf();
    const facts = { sealedFor, client: session === undefined ? client : { ...client, session } };
    expect(failureOf(await world.handle(callTool('read'), facts))?.code).toBe(code);
    expect(world.events).toMatchObject([{ principal: { name: 'alice' } }]);
  });
});

describe('a fault of our own', () => {
  const broken = (): never => {
    throw new Error('the password is hunter2');
  };
  const real = authorizerFor(ALICE_ONLY);

  it.each<[string, () => WorldOptions]>([
    ['the catalog', () => ({ catalog: broken })],
    ['admission', () => ({ authorizer: constant({ ...real, admit: broken }) })],
    ['the limiter', () => ({ limiter: { consume: broken } })],
    ['the validator', () => ({ validator: { validate: broken } })],
    ['the decision', () => ({ authorizer: constant({ ...real, authorize: broken }) })],
    ['the intent', () => ({ durable: broken })],
    ['the upstream', () => ({ send: broken })],
    ['the upstream, later', () => ({ send: () => Promise.reject(new Error('the password is hunter2')) })],
  ])('in %s is internal, recorded once, and told to nobody but the log', async (_, options) => {
    const world = worldOf(options());
    const { outcome } = await world.handle(callTool('read'));
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'internal', sent: 'maybe' } });
    expect(failureOf({ outcome })?.message).toBeUndefined();
    expect(world.events).toMatchObject([{ outcome: 'failed', failure: { code: 'internal' } }]);
    expect(world.events).toHaveLength(1);
    expect(world.lines).toMatchObject([{ level: 'warn', fields: { err: { message: 'the password is hunter2' } } }]);
  });
});
