import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../model/json.ts';
import type { Operation } from '../model/operation.ts';
import {
  authorizerFor,
  callOf,
  CLIENT,
  principal,
  requestFor,
  resource,
  serverEntry,
  tool,
} from './authorizer-fixture.ts';
import { DEFAULT_AUTHORIZER_LIMITS } from './cedar-authorizer.ts';

const alice = principal('alice', { groups: ['engineering'] });
const bob = principal('bob', { groups: ['sales'] });
const readFile = tool('files/read_text_file', { readOnly: true, risk: 'low' });
const writeFile = tool('files/write_file', { risk: 'high' });

describe('authorize', () => {
  const cases: readonly [name: string, policies: string, allowed: boolean, args?: JsonObject][] = [
    ['denies when there is no policy', '', false],
    ['allows what a permit covers', 'permit (principal in Group::"engineering", action, resource);', true],
    ['denies what a permit of someone else covers', 'permit (principal in Group::"sales", action, resource);', false],
    [
      'lets a forbid win',
      'permit (principal, action, resource); forbid (principal, action, resource in Server::"files");',
      false,
    ],
    [
      'reads the traits of the tool',
      'permit (principal, action, resource) when { resource.readOnly && resource.risk == "low" };',
      true,
    ],
    [
      'reads the owner of the server',
      'permit (principal, action, resource) when { resource.server.owner == "platform" };',
      true,
    ],
    [
      'denies when a forbid errors',
      'permit (principal, action, resource); forbid (principal, action, resource) when { context.arguments.amount > 100 };',
      false,
      {},
    ],
    [
      'denies when a permit beside another errors',
      'permit (principal, action, resource); permit (principal, action, resource) when { context.arguments.amount > 100 };',
      false,
      {},
    ],
    [
      'denies when an argument has another type',
      'permit (principal, action, resource); forbid (principal, action, resource) when { context.arguments.amount > 100 };',
      false,
      { amount: '5' },
    ],
    [
      'allows what the forbid leaves',
      'permit (principal, action, resource); forbid (principal, action, resource) when { context.arguments.amount > 100 };',
      true,
      { amount: 100 },
    ],
    [
      'denies what the forbid names',
      'permit (principal, action, resource); forbid (principal, action, resource) when { context.arguments.amount > 100 };',
      false,
      { amount: 101 },
    ],
    [
      'reads decimals',
      'permit (principal, action, resource) when { context.arguments.amount.lessThan(decimal("2.0")) };',
      true,
      { amount: 1.25 },
    ],
    [
      'reads nested records and lists',
      'permit (principal, action, resource) when { context.arguments.to.tags.contains("a") };',
      true,
      { to: { tags: ['a', 1, { x: [] }] } },
    ],
    [
      'sees that null was sent',
      'permit (principal, action, resource); forbid (principal, action, resource) when { context.arguments has force };',
      false,
      { force: null },
    ],
    [
      'denies an order on null',
      'permit (principal, action, resource) when { context.arguments.n < 5 };',
      false,
      { n: null },
    ],
    [
      'denies an order on a float without an exact decimal',
      'permit (principal, action, resource); forbid (principal, action, resource) when { context.arguments.n.greaterThan(decimal("1.0")) };',
      false,
      { n: 0.123456 },
    ],
    [
      'names undeclared keys',
      'permit (principal, action, resource) unless { context.undeclared.contains("extra") };',
      false,
      { extra: 1 },
    ],
    [
      'knows the time',
      'permit (principal, action, resource) when { context.now == datetime("2026-11-20T12:00:00Z") };',
      true,
    ],
    ['knows the credential', 'permit (principal, action, resource) when { principal.credential == "api-key" };', true],
    [
      'denies where a claim is missing',
      'permit (principal, action, resource) when { principal.claims.team == "x" };',
      false,
    ],
  ];

  it.each(cases)('%s', (_, policies, allowed, args = {}) => {
    const decision = authorizerFor(policies).authorize(callOf(alice, readFile, args));
    expect(decision.effect).toBe(allowed ? 'allow' : 'deny');
  });

  it('names the determining policies and the version of the set', () => {
    const authorizer = authorizerFor(
      '@id("all") permit (principal, action, resource); @id("no") forbid (principal, action, resource) when { resource.risk == "high" };',
    );
    expect(authorizer.authorize(callOf(alice, readFile)).grounds).toEqual({
      policies: ['all'],
      policyVersion: authorizer.version,
      errors: [],
    });
    expect(authorizer.authorize(callOf(alice, writeFile)).grounds.policies).toEqual(['no']);
  });

  it('tells evaluation errors without the values that policy saw', () => {
    const authorizer = authorizerFor(
      '@id("fits") permit (principal, action, resource) when { decimal(context.arguments.secret) == decimal("1.0") };',
    );
    const { grounds } = authorizer.authorize(callOf(alice, readFile, { secret: 'hunter2`hunter3' }));
    expect(grounds.errors).toHaveLength(1);
    expect(grounds.errors[0]).toContain('fits: ');
    expect(grounds.errors[0]).not.toContain('hunter');
  });

  it('mints a permit for exactly the operation and target, with the approvals that its permits demand', () => {
    const request = callOf(alice, readFile, { a: 1 });
    const authorizer = authorizerFor(
      'permit (principal, action, resource); @approval("caller") permit (principal, action, resource) when { context.arguments.a == 1 };',
    );
    const decision = authorizer.authorize(request);
    expect(decision).toMatchObject({
      effect: 'allow',
      permit: {
        principal: alice,
        operation: request.operation,
        target: request.target,
        obligations: [{ kind: 'approval', by: { kind: 'caller' }, policy: 'test[1]' }],
      },
    });
  });

  it('refuses arguments that would forge an entity', () => {
    const authorizer = authorizerFor(
      'permit (principal, action, resource) when { context.arguments.owner == principal };',
    );
    const forged = { owner: { __entity: { type: 'User', id: 'alice' } } };
    const { effect, grounds } = authorizer.authorize(callOf(alice, readFile, forged));
    expect(effect).toBe('deny');
    expect(grounds.errors).toEqual(['An object in the arguments has the reserved key "__entity".']);
  });

  it('survives arguments nested beyond what Cedar can read', () => {
    const authorizer = authorizerFor('permit (principal, action, resource) when { context.arguments has d };');
    let deep: JsonObject = {};
    for (let level = 0; level < 5_000; level++) deep = { d: deep };
    expect(authorizer.authorize(callOf(alice, readFile, deep)).effect).toBe('deny');
    expect(authorizer.authorize(callOf(alice, readFile, { d: 1 })).effect).toBe('allow');
  });

  it('never lets what one caller may do answer for another', () => {
    const authorizer = authorizerFor('permit (principal in Group::"engineering", action, resource);');
    for (let round = 0; round < 3; round++) {
      expect(authorizer.authorize(callOf(alice, readFile)).effect).toBe('allow');
      expect(authorizer.authorize(callOf(bob, readFile)).effect).toBe('deny');
      expect(authorizer.authorize(callOf(principal('alice'), readFile)).effect).toBe('deny');
      expect(
        authorizer.authorize(callOf(principal('alice', { groups: ['engineering'], tenant: 'acme' }), readFile)).effect,
      ).toBe('deny');
    }
  });

  it('tells apart same names of different issuers and tenants', () => {
    const authorizer = authorizerFor('permit (principal == User::"alice", action, resource);');
    const others = [
      principal('alice', { issuer: 'https://idp.example.com' }),
      principal('alice', { tenant: 'acme' }),
      principal('alice', { kind: 'workload' }),
      principal('mallory', { name: 'alice' }),
    ];
    expect(authorizer.authorize(callOf(alice, readFile)).effect).toBe('allow');
    for (const other of others) expect(authorizer.authorize(callOf(other, readFile)).effect).toBe('deny');
  });

  it('remembers no verdict that depends on the time', () => {
    let now = Date.UTC(2026, 0, 1);
    const authorizer = authorizerFor({
      policies: [
        { id: 'until', text: 'permit (principal, action, resource) when { context.now < datetime("2026-06-01") };' },
      ],
      clock: () => now,
    });
    expect(authorizer.authorize(callOf(alice, readFile)).effect).toBe('allow');
    expect(authorizer.admit({ principal: alice, client: CLIENT }, readFile).admitted).toBe(true);
    now = Date.UTC(2026, 6, 1);
    expect(authorizer.authorize(callOf(alice, readFile)).effect).toBe('deny');
    expect(authorizer.admit({ principal: alice, client: CLIENT }, readFile).admitted).toBe(false);
  });

  it('keeps verdicts of different surfaces apart, however many there are', () => {
    const authorizer = authorizerFor('permit (principal, action, resource) when { context.surface == "ide-7" };');
    for (let round = 0; round < 2; round++) {
      for (let index = 0; index < 40; index++) {
        const client = { ...CLIENT, info: { name: `ide-${index}`, version: '1' } };
        const { effect } = authorizer.authorize(
          requestFor(alice, readFile, { kind: 'call-tool', name: 'x', arguments: {} }, client),
        );
        expect(effect).toBe(index === 7 ? 'allow' : 'deny');
      }
    }
  });

  it('denies the gateway itself: its permits are minted, not decided', () => {
    const authorizer = authorizerFor('permit (principal, action, resource);');
    expect(authorizer.authorize(callOf(principal('gateway', { kind: 'system' }), readFile)).effect).toBe('deny');
  });

  const misfits: readonly [string, Operation][] = [
    ['a tool call on a server', { kind: 'call-tool', name: 'x', arguments: {} }],
    ['a read on a server', { kind: 'read-resource', uri: 'x' }],
  ];
  it.each(misfits)('gives no permit for %s', (_, operation) => {
    const authorizer = authorizerFor('permit (principal, action, resource);');
    expect(authorizer.authorize(requestFor(alice, serverEntry('files'), operation)).effect).toBe('deny');
  });

  it('gives no permit for several entries at once', () => {
    const authorizer = authorizerFor('permit (principal, action, resource);');
    const request = callOf(alice, readFile);
    const target = { ...request.target, entries: [readFile, writeFile] as const };
    expect(authorizer.authorize({ ...request, target }).effect).toBe('deny');
  });

  it('judges unknown methods and tasks by callMethod, not by connect', () => {
    const connect = authorizerFor('permit (principal, action == Action::"connect", resource);');
    const method = authorizerFor(
      'permit (principal, action == Action::"callMethod", resource) when { context.method == "vendor/x" };',
    );
    const ask = (authorizer: typeof connect, operation: Operation) =>
      authorizer.authorize(requestFor(alice, serverEntry('files'), operation)).effect;
    expect(ask(connect, { kind: 'discover' })).toBe('allow');
    expect(ask(connect, { kind: 'extension', method: 'vendor/x', params: {} })).toBe('deny');
    expect(ask(connect, { kind: 'task', verb: 'cancel', taskId: '1', params: {} })).toBe('deny');
    expect(ask(method, { kind: 'extension', method: 'vendor/x', params: {} })).toBe('allow');
    expect(ask(method, { kind: 'extension', method: 'vendor/y', params: {} })).toBe('deny');
  });
});

describe('admit', () => {
  const caller = { principal: alice, client: CLIENT };
  const cases: readonly [name: string, policies: string, admitted: boolean][] = [
    ['denies by default', '', false],
    [
      'admits when arguments may satisfy the permit',
      'permit (principal, action, resource) when { context.arguments.n < 5 };',
      true,
    ],
    [
      'admits when arguments may escape the forbid',
      'permit (principal, action, resource); forbid (principal, action, resource) when { context.arguments.n > 5 };',
      true,
    ],
    [
      'denies when what does not depend on arguments fails',
      'permit (principal, action, resource) when { context.arguments.n < 5 && resource.risk == "high" };',
      false,
    ],
    [
      'denies when an unless that does not depend on arguments holds',
      'permit (principal, action, resource) unless { context.arguments.n < 5 || resource.readOnly };',
      false,
    ],
    [
      'denies when a forbid holds whatever the arguments',
      'permit (principal, action, resource) when { context.arguments.n < 5 }; forbid (principal, action, resource) when { resource.readOnly };',
      false,
    ],
    [
      'denies when a policy errors whatever the arguments',
      'permit (principal, action, resource); permit (principal, action, resource) when { principal.claims.team == "x" };',
      false,
    ],
    [
      'does not count a permit whose known part errors',
      'permit (principal, action, resource) when { principal.claims.team == "x" && context.arguments.n < 5 };',
      false,
    ],
    [
      'does not let a part that errors spoil another permit',
      'permit (principal, action, resource) when { context.arguments.n < 5 }; permit (principal, action, resource) when { context.arguments has a && principal.claims.team == "x" };',
      true,
    ],
    [
      'takes a policy that reads the whole context as open',
      'permit (principal, action, resource) when { context == { x: 1 } };',
      true,
    ],
  ];
  it.each(cases)('%s', (_, policies, admitted) => {
    expect(authorizerFor(policies).admit(caller, readFile).admitted).toBe(admitted);
  });

  it('judges resources and servers by their own actions', () => {
    const authorizer = authorizerFor(
      'permit (principal, action == Action::"readResource", resource in Server::"files") when { resource.uri like "file:///docs/*" };',
    );
    expect(authorizer.admit(caller, resource('files', 'file:///docs/a')).admitted).toBe(true);
    expect(authorizer.admit(caller, resource('files', 'file:///etc/passwd')).admitted).toBe(false);
    expect(authorizer.admit(caller, serverEntry('files')).admitted).toBe(false);
  });

  it('answers many in their order, giving way while the list is long', async () => {
    let yields = 0;
    const authorizer = authorizerFor({
      policies: [
        {
          id: 'even',
          text: 'permit (principal, action, resource) when { resource.name like "*0" && context.now > datetime("2020-01-01") };',
        },
      ],
      yieldNow: () => {
        yields += 1;
        return Promise.resolve();
      },
      monotonic: (() => {
        let reading = 0;
        return () => (reading += 0.5);
      })(),
      limits: { ...DEFAULT_AUTHORIZER_LIMITS, maxSliceMs: 4 },
    });
    const entries = Array.from({ length: 50 }, (_, index) => tool(`files/tool_${index}`));
    const admitted = await authorizer.admitAll(caller, entries);
    expect(admitted).toEqual(entries.map((_, index) => index % 10 === 0));
    expect(yields).toBeGreaterThan(5);
  });

  it('answers at once when it remembers everything', async () => {
    // A clock that stands: however slow the machine is, no slice is ever over.
    const policies = [{ id: 'all', text: 'permit (principal, action, resource);' }];
    const authorizer = authorizerFor({ policies, monotonic: () => 0 });
    const entries = Array.from({ length: 100 }, (_, index) => tool(`files/tool_${index}`));
    await authorizer.admitAll(caller, entries);
    expect(authorizer.admitAll(caller, entries)).toEqual(entries.map(() => true));
  });
});

describe('explain', () => {
  it('names the policies that took part, decided or not', () => {
    const authorizer = authorizerFor(
      '@id("low") permit (principal, action, resource) when { resource.risk == "low" };\n@id("small") forbid (principal, action, resource) when { context.arguments.n > 5 };\npermit (principal, action, resource == Tool::"other/x");',
    );
    const explained = authorizer.explain({ principal: alice, client: CLIENT }, readFile, { n: 9 });
    expect(explained).toMatchObject({ allowed: false, grounds: { policies: ['small'] } });
    expect(explained.applicable).toMatchObject([
      { id: 'low', effect: 'permit', mode: 'enforce', source: 'test.cedar', line: 1 },
      { id: 'small', effect: 'forbid', mode: 'enforce', source: 'test.cedar', line: 2 },
    ]);
    expect(authorizer.explain({ principal: alice, client: CLIENT }, readFile).allowed).toBe(true);
  });
});
