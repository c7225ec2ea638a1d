import { describe, expect, it } from 'vitest';

import { principal } from '../authz/authorizer-fixture.ts';
import { catalogOf, registered, toolItem } from '../catalog/catalog-fixture.ts';
import { Refusal } from '../model/failure.ts';
import type { ResolvedRequest } from '../model/request.ts';
import type { Entry, Server, Target } from '../model/target.ts';
import { createScopeCheck, type ScopeRules } from './check-scopes.ts';
import { callTool, FILES, worldOf } from './pipeline.fixture.ts';

const NOTHING: ScopeRules = { required: [], implies: {} };

function targetWith(scopes: readonly string[], ofServer?: readonly string[]): Target {
  const catalog = catalogOf(
    registered('files', { tools: [toolItem('read')] }, [{ of: 'tools', pattern: '*', traits: { scopes } }]),
  );
  const found = catalog.find(FILES, callTool('read'));
  if (found === undefined) throw new Error('the fixture has lost its tool');
  const server: Server = { ...found.entries[0].server, ...(ofServer === undefined ? {} : { scopes: ofServer }) };
  const entry: Entry = { ...found.entries[0], server };
  return { ...found, entries: [entry] };
}

type Asked = {
  readonly scopes: readonly string[];
  readonly credential?: 'jwt' | 'api-key' | 'mtls';
  readonly target: Target;
};

/** The scopes that are asked for, or undefined when it passes. */
function missing(rules: ScopeRules, { scopes, credential = 'jwt', target }: Asked): unknown {
  const caller = principal('alice', { scopes, credential: { kind: credential } });
  const request: ResolvedRequest = {
    id: 'request-1',
    receivedAtMs: 0,
    startedMs: 0,
    endpoint: FILES,
    principal: caller,
    client: { era: 'modern', revision: '2026-07-28', capabilities: {}, address: '127.0.0.1' },
    operation: callTool('read'),
    meta: { vendor: {} },
    sealedFor: [],
    target,
  };
  try {
    createScopeCheck(rules)(request);
    return undefined;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    expect(error.failure).toMatchObject({ code: 'insufficient-scope', sent: 'no' });
    return error.failure.data?.['scopes'];
  }
}

describe('the scopes of an operation', () => {
  it('are those of the gateway, the server and the tool, each once', () => {
    const rules = { ...NOTHING, required: ['mcp'] };
    const target = targetWith(['read', 'mcp'], ['files']);
    expect(missing(rules, { scopes: ['read'], target })).toEqual(['mcp', 'files', 'read']);
    expect(missing(rules, { scopes: ['read', 'files', 'mcp', 'other'], target })).toBeUndefined();
  });

  it('may come from a scope that includes them, through any number of others', () => {
    const rules = { ...NOTHING, implies: { root: ['admin'], admin: ['write'], write: ['read'] } };
    expect(missing(rules, { scopes: ['root'], target: targetWith(['read']) })).toBeUndefined();
    expect(missing(rules, { scopes: ['read'], target: targetWith(['admin']) })).toEqual(['admin']);
    expect(missing(rules, { scopes: [], target: targetWith(['read', 'write']) })).toEqual(['write']);
  });

  it('are all asked for where two include each other', () => {
    const rules = { ...NOTHING, implies: { one: ['two'], two: ['one'] } };
    expect(missing(rules, { scopes: [], target: targetWith(['one', 'two']) })).toEqual(['one', 'two']);
    expect(missing(rules, { scopes: ['one'], target: targetWith(['one', 'two']) })).toBeUndefined();
  });

  it('are not found in what every object inherits', () => {
    const target = targetWith(['constructor']);
    expect(missing(NOTHING, { scopes: ['toString', '__proto__'], target })).toEqual(['constructor']);
  });

  it.each(['api-key', 'mtls'] as const)('do not bind the credential %s', (credential) => {
    expect(
      missing({ ...NOTHING, required: ['mcp'] }, { scopes: [], credential, target: targetWith([]) }),
    ).toBeUndefined();
  });
});

describe('the step', () => {
  it('comes after what is hidden and before anything is counted', async () => {
    const world = worldOf({
      scopes: { required: ['mcp'], implies: {} },
      caller: { credential: { kind: 'jwt' } },
    });
    const { outcome } = await world.handle(callTool('read'));
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'insufficient-scope' } });
    expect(world.steps).toEqual(['authenticate', 'admit', 'append']);
    const unknown = await world.handle(callTool('nothing'));
    expect(unknown.outcome).toMatchObject({ failure: { code: 'unknown-tool' } });
  });
});
