/** Gates on a whole server, by group, surface and environment: what they close is not seen, not listed and not called. */

import { describe, expect, it } from 'vitest';

import { authorizerFor } from '../authz/authorizer-fixture.ts';
import { catalogOf, item, registered, toolItem } from '../catalog/catalog-fixture.ts';
import { LIST_KINDS } from '../model/operation.ts';
import type { InboundRequest } from '../model/request.ts';
import { AGGREGATE, as, callTool, constant, failureOf, FILES, worldOf, type World } from './pipeline.fixture.ts';

const LISTS = {
  tools: [toolItem('read')],
  prompts: [item({ name: 'summary' })],
  resources: [item({ name: 'a', uri: 'file:///a.txt' })],
  templates: [item({ name: 'any', uriTemplate: 'note:///{id}' })],
};

/** `files` stands in production, `notes` nowhere in particular. */
function gated(policies: string): World {
  const files = registered('files', LISTS, [], { environment: 'production' });
  const notes = registered('notes', { tools: [toolItem('read')] });
  return worldOf({ catalog: constant(catalogOf(files, notes)), authorizer: constant(authorizerFor(policies)) });
}

const from = (name: string): Partial<InboundRequest> => ({
  client: {
    era: 'modern',
    revision: '2026-07-28',
    capabilities: {},
    address: '127.0.0.1',
    info: { name, version: '1' },
  },
});

async function listed(world: World, facts: Partial<InboundRequest>): Promise<readonly string[]> {
  const pages = await Promise.all(
    LIST_KINDS.map(async (of) => {
      const { outcome } = await world.handle({ kind: 'list', of }, { endpoint: AGGREGATE, ...facts });
      if (outcome.kind !== 'listed') throw new Error(`no page of ${of}`);
      return outcome.page.entries.map(({ server, name }) => `${server.id}/${name}`);
    }),
  );
  return pages.flat();
}

const EVERYTHING_ON_FILES = ['files/read', 'files/summary', 'files/file:///a.txt', 'files/note:///{id}'];
const EVERYTHING = 'permit (principal, action, resource);';

const gates: readonly [name: string, policy: string, closed: Partial<InboundRequest>, open: Partial<InboundRequest>][] =
  [
    [
      'by group, on one server',
      `${EVERYTHING} forbid (principal, action, resource in Server::"files") unless { principal in Group::"staff" };`,
      as('bob'),
      as('alice'),
    ],
    [
      'by surface, on an environment',
      `${EVERYTHING} forbid (principal, action, resource)
     when { resource.environment == "production" && context.surface != "console" };`,
      from('ide'),
      from('console'),
    ],
    [
      'by environment and group, through the server',
      `${EVERYTHING} forbid (principal, action, resource)
     when { resource.server.environment == "production" } unless { principal in Group::"staff" };`,
      as('bob'),
      as('alice'),
    ],
    [
      'by a permit that is for one group and surface',
      `permit (principal, action, resource in Server::"notes");
     permit (principal in Group::"staff", action, resource in Server::"files") when { context.surface == "console" };`,
      { ...as('alice'), ...from('ide') },
      { ...as('alice'), ...from('console') },
    ],
  ];

describe.each(gates)('a gate %s', (_, policies, closed, open) => {
  it('hides the server and all that is on it from lists', async () => {
    const world = gated(policies);
    expect((await listed(world, closed)).filter((name) => name.startsWith('files/'))).toEqual([]);
    expect(await listed(world, closed)).toContain('notes/read');
    expect(await listed(world, open)).toEqual(expect.arrayContaining(EVERYTHING_ON_FILES));
  });

  it('makes the server look like none', async () => {
    const world = gated(policies);
    const ping = (facts: Partial<InboundRequest>) => world.handle({ kind: 'ping' }, { endpoint: FILES, ...facts });
    const unknown = await world.handle(
      { kind: 'ping' },
      { endpoint: { kind: 'server', server: 'nowhere' }, ...closed },
    );
    expect(failureOf(await ping(closed))?.code).toBe(failureOf(unknown)?.code);
    expect(failureOf(unknown)?.code).toBeDefined();
    expect(failureOf(await ping(open))).toBeUndefined();
  });

  it('makes its tools look like none when they are called, and lets others through', async () => {
    const world = gated(policies);
    const call = (facts: Partial<InboundRequest>) => world.handle(callTool('read'), { endpoint: FILES, ...facts });
    const nowhere = { ...closed, endpoint: { kind: 'server', server: 'nowhere' } } as const;
    const unknown = await world.handle(callTool('read'), nowhere);
    expect(failureOf(await call(closed))?.code).toBe(failureOf(unknown)?.code);
    expect(failureOf(unknown)?.code).toBeDefined();
    expect(failureOf(await call(open))).toBeUndefined();
    expect(world.calls).toHaveLength(1);
  });
});

describe('a policy that only observes', () => {
  const OBSERVING = `${EVERYTHING}
    @id("try-gate") @mode("observe") forbid (principal, action, resource) when { resource.environment == "production" };`;

  it('hides nothing, stops nothing, and leaves one line and its place in the record', async () => {
    const world = gated(OBSERVING);
    expect(await listed(world, as('alice'))).toEqual(expect.arrayContaining(EVERYTHING_ON_FILES));
    expect(failureOf(await world.handle(callTool('read'), { endpoint: FILES }))).toBeUndefined();
    const observed = { effect: 'deny', policies: ['try-gate'], approvals: [] };
    expect(world.events.at(-1)).toMatchObject({ outcome: 'ok', decision: { effect: 'allow', grounds: { observed } } });
    expect(world.lines.filter(({ message }) => message.includes('observe mode'))).toMatchObject([
      { level: 'info', fields: { decided: 'allow', observed: 'deny', target: 'files/read' } },
    ]);
  });

  it('tells of what it would have opened, too', async () => {
    const world = gated(
      '@id("try-open") @mode("observe") @approval("group:dba") permit (principal, action, resource);',
    );
    expect(failureOf(await world.handle(callTool('read'), { endpoint: FILES }))?.code).toBeDefined();
    const [line] = world.lines.filter(({ message }) => message.includes('observe mode'));
    expect(line?.message).toBe(
      'policies in observe mode would have allowed this, after the approval of group:dba: try-open',
    );
  });
});
