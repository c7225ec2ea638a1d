/** Two layers of identity: a user, a workload, either or both; and what a workload alone may do. */

import { describe, expect, it } from 'vitest';
import type { Workload } from '../model/principal.ts';
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
import { principalId } from './entities.ts';

const AGENT: Workload = { id: 'spiffe://example.org/agent', trustDomain: 'example.org', credential: 'mtls' };
const OTHER: Workload = { id: 'spiffe://example.org/other', trustDomain: 'example.org', credential: 'mesh' };

const alice = principal('alice', { groups: ['staff'] });
const aliceByAgent = principal('alice', { groups: ['staff'], workload: AGENT });
const aliceByOther = principal('alice', { groups: ['staff'], workload: OTHER });
const agent = principal(AGENT.id, {
  kind: 'workload',
  groups: ['staff'],
  credential: { kind: 'mtls' },
  workload: AGENT,
});
const keyed = principal('robot', { kind: 'workload', groups: ['staff'] });

const harmless = tool('files/read', { risk: 'low', readOnly: true });
const careful = tool('files/write', { risk: 'medium' });

describe('a policy can demand', () => {
  const callers = { alice, aliceByAgent, aliceByOther, agent, keyed };
  const cases: readonly [string, string, readonly (keyof typeof callers)[]][] = [
    ['a user, whatever the workload', 'principal is User', ['alice', 'aliceByAgent', 'aliceByOther']],
    [
      'a user and one workload',
      'principal is User && context has workload && context.workload == Workload::"spiffe://example.org/agent"',
      ['aliceByAgent'],
    ],
    [
      'any workload of a trust domain',
      'context has workload && context.workload.trustDomain == "example.org"',
      ['aliceByAgent', 'aliceByOther', 'agent'],
    ],
    ['a workload, by its name', 'context has workload && context.workload.id like "*/other"', ['aliceByOther']],
    ['no workload', '!(context has workload)', ['alice', 'keyed']],
    ['a workload alone', 'context has workload && context.workload == principal', ['agent']],
    ['a workload of one kind', 'principal is Workload && principal.trustDomain == ""', ['keyed']],
  ];
  it.each(cases)('%s', (_, condition, expected) => {
    const authorizer = authorizerFor(`permit (principal, action, resource) when { ${condition} };`);
    // Twice over, and in turns: what is remembered of one must not answer for another.
    for (let round = 0; round < 2; round++) {
      for (const [name, caller] of Object.entries(callers)) {
        const allowed = authorizer.authorize(callOf(caller, harmless)).effect === 'allow';
        expect({ name, allowed }).toEqual({ name, allowed: expected.some((one) => one === name) });
      }
    }
  });

  it('the same workload in the scope, whether it came by certificate or mesh', () => {
    const authorizer = authorizerFor('permit (principal == Workload::"spiffe://example.org/agent", action, resource);');
    const meshed = { ...agent, credential: { kind: 'mesh' } } as const;
    for (const caller of [agent, meshed]) expect(authorizer.authorize(callOf(caller, careful)).effect).toBe('allow');
    for (const caller of [alice, aliceByAgent, keyed]) {
      expect(authorizer.authorize(callOf(caller, careful)).effect).toBe('deny');
    }
  });

  it('a workload that no key can pretend to be, by its name or from another tenant', () => {
    const ids = [
      principalId(agent),
      principalId(principal(AGENT.id, { kind: 'workload' })),
      principalId({ ...agent, tenant: 'acme' }),
      principalId(principal(AGENT.id, { kind: 'workload', tenant: 'acme' })),
      principalId(principal(AGENT.id, { kind: 'workload', issuer: 'https://idp.example.com' })),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids[0]).toBe(AGENT.id);
  });
});

describe('a workload alone', () => {
  const EVERYTHING = '@id("all") permit (principal, action, resource);';
  const cases: readonly [string, string, boolean][] = [
    ['is not meant by a permit for everyone', EVERYTHING, false],
    ['is not meant by a permit for its group', 'permit (principal in Group::"staff", action, resource);', false],
    ['is meant by a permit for workloads', 'permit (principal is Workload, action, resource);', true],
    [
      'is meant by a permit for workloads of a group',
      'permit (principal is Workload in Group::"staff", action, resource);',
      true,
    ],
    ['is meant by its own name', 'permit (principal == Workload::"robot", action, resource);', true],
    ['is not meant by another’s name', 'permit (principal == Workload::"other", action, resource);', false],
    [
      'is not meant by a condition alone',
      'permit (principal, action, resource) when { principal is Workload };',
      false,
    ],
    [
      'is stopped by any forbid',
      'permit (principal is Workload, action, resource); forbid (principal in Group::"staff", action, resource);',
      false,
    ],
  ];
  it.each(cases)('%s', (_, policies, allowed) => {
    const authorizer = authorizerFor(policies);
    expect(authorizer.authorize(callOf(keyed, careful)).effect).toBe(allowed ? 'allow' : 'deny');
    expect(authorizer.admit({ principal: keyed, client: CLIENT }, careful).admitted).toBe(allowed);
  });

  it('may do what is of low risk and read-only, and connect', () => {
    const authorizer = authorizerFor(EVERYTHING);
    const may = (entry: Parameters<typeof callOf>[1]) =>
      authorizer.admit({ principal: keyed, client: CLIENT }, entry).admitted;
    expect(may(harmless)).toBe(true);
    expect(may(serverEntry('files'))).toBe(true);
    expect(may(tool('files/a', { risk: 'low' }))).toBe(false);
    expect(may(tool('files/b', { readOnly: true }))).toBe(false);
    expect(may(resource('files', 'file:///a'))).toBe(false);
  });

  it('does not reach methods that nobody knows', () => {
    const method = { kind: 'extension', method: 'vendor/x', params: {} } as const;
    const ask = (policies: string) =>
      authorizerFor(policies).authorize(requestFor(keyed, serverEntry('files'), method)).effect;
    expect(ask(EVERYTHING)).toBe('deny');
    expect(ask('permit (principal is Workload, action, resource);')).toBe('allow');
  });

  it('is told why', () => {
    const authorizer = authorizerFor(EVERYTHING);
    const { allowed, grounds } = authorizer.explain({ principal: keyed, client: CLIENT }, careful, {});
    expect({ allowed, grounds }).toMatchObject({ allowed: false, grounds: { policies: [], withheld: ['all'] } });
    expect(authorizer.explain({ principal: alice, client: CLIENT }, careful, {}).grounds).not.toHaveProperty(
      'withheld',
    );
  });
});
