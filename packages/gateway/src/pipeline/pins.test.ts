/** What the operator pinned cannot be seen, sent or overridden, and everyone after the pin sees the call that is made. */

import { describe, expect, it } from 'vitest';

import { authorizerFor } from '../authz/authorizer-fixture.ts';
import { catalogOf, registered, toolItem } from '../catalog/catalog-fixture.ts';
import type { JsonObject } from '../model/json.ts';
import { as, callTool, constant, failureOf, worldOf, type World } from './pipeline.fixture.ts';

const SCHEMA = {
  type: 'object',
  properties: { path: { type: 'string', 'x-mcp-header': 'Path' }, mode: { type: 'string' }, Mode: { type: 'string' } },
  required: ['path', 'mode'],
  additionalProperties: false,
};

const catalog = catalogOf(
  registered('files', { tools: [toolItem('read', { inputSchema: SCHEMA })] }, [
    { of: 'tools', pattern: 'read', traits: {}, pins: { path: '/srv/data', mode: 'r' } },
  ]),
);

const pinned = (policy = 'permit (principal, action, resource);'): World =>
  worldOf({ catalog: constant(catalog), authorizer: constant(authorizerFor(policy)) });

const sentBy = (world: World): unknown => {
  const operation = world.calls[0]?.intent.permit.operation;
  return operation?.kind === 'call-tool' ? operation.arguments : undefined;
};

describe('pinned arguments', () => {
  it('are set on the call, and frozen', async () => {
    const world = pinned();
    expect(failureOf(await world.handle(callTool('read')))).toBeUndefined();
    expect(sentBy(world)).toEqual({ path: '/srv/data', mode: 'r' });
    expect(Object.isFrozen(sentBy(world))).toBe(true);
  });

  it.each<[JsonObject]>([
    [{ path: '/etc' }],
    [{ path: '/srv/data' }],
    [{ path: null }],
    [{ PATH: '/etc' }],
    [{ ｐath: '/etc' }],
    [{ mode: 'w' }],
    [JSON.parse('{"__proto__": {"path": "/etc"}, "path": "/etc"}')],
  ])('cannot be sent: %j', async (args) => {
    const world = pinned();
    const failure = failureOf(await world.handle(callTool('read', args)));
    expect(failure).toMatchObject({ code: 'invalid-arguments', message: expect.stringContaining('unknown property') });
    expect(world.calls).toEqual([]);
  });

  it('leave alone what differs in case and is the tool’s own', async () => {
    const world = pinned();
    await world.handle(callTool('read', { Mode: 'x' }));
    expect(sentBy(world)).toEqual({ path: '/srv/data', mode: 'r', Mode: 'x' });
  });

  it('do not open the schema: what the tool does not know is still refused', async () => {
    expect(failureOf(await pinned().handle(callTool('read', { more: 1 })))?.code).toBe('invalid-arguments');
  });

  it('are what policy sees', async () => {
    const below = 'permit (principal, action, resource) when { context.arguments.path like "/srv/*" };';
    expect(failureOf(await pinned(below).handle(callTool('read')))).toBeUndefined();
    const elsewhere = 'permit (principal, action, resource) when { context.arguments.path like "/home/*" };';
    expect(failureOf(await pinned(elsewhere).handle(callTool('read')))?.code).toBe('forbidden');
  });

  it('are what the record tells, of calls that were made and of those that were refused', async () => {
    const made = pinned();
    await made.handle(callTool('read'));
    const refused = pinned('permit (principal, action, resource) when { context.arguments.path like "/home/*" };');
    await refused.handle(callTool('read'));
    for (const { events } of [made, refused]) {
      expect(events[0]?.request.operation).toMatchObject({ arguments: { path: '/srv/data', mode: 'r' } });
    }
  });

  it('need no header from a client that mirrors arguments, and take none from it', async () => {
    const world = pinned();
    const meta = { vendor: {}, paramHeaders: {} };
    expect(failureOf(await world.handle(callTool('read'), { meta }))).toBeUndefined();
  });

  it('tell nothing to those who may not use the tool', async () => {
    const world = pinned('permit (principal in Group::"staff", action, resource);');
    const failure = failureOf(await world.handle(callTool('read', { path: '/etc' }), as('bob')));
    expect(failure?.code).toBe('unknown-server');
  });
});
