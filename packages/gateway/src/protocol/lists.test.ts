import {
  DiscoverResultSchema,
  InitializeResultSchema,
  JSONRPCResultResponseSchema,
  ListPromptsResultSchema,
  ListResourcesResultSchema,
  ListToolsResultSchema,
} from '@modelcontextprotocol/core';
import { ListToolsResultSchema as ListToolsResultV1 } from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, it } from 'vitest';

import type { JsonObject } from '../model/json.ts';
import type { Operation } from '../model/operation.ts';
import type { Discovery, ListPage, Outcome } from '../model/outcome.ts';
import { LEGACY_REVISIONS, MODERN_REVISIONS, type Revision } from '../model/revision.ts';
import { clientCodecFor, serverCodecFor } from './codecs.ts';
import type { EncodeContext } from './codec.ts';
import { callTool, contextOf, jsonOf, promptEntry, resourceEntry, textOf, toolEntry } from './fixtures.ts';

const REVISIONS: readonly Revision[] = [...LEGACY_REVISIONS, ...MODERN_REVISIONS];
const LEGACY: readonly Revision[] = LEGACY_REVISIONS;

const ours = { 'io.modelcontextprotocol/serverInfo': { name: 'sallyport', title: 'Sallyport', version: '0.1.0' } };

const encoded = (revision: Revision, outcome: Outcome, context: EncodeContext = contextOf(callTool)) =>
  serverCodecFor(revision).encode(outcome, context);
const resultOf = async (revision: Revision, outcome: Outcome, context?: EncodeContext) => {
  const message = await jsonOf(encoded(revision, outcome, context));
  expect(JSONRPCResultResponseSchema.safeParse(message).error).toBeUndefined();
  return message.result as JsonObject;
};

const strange = { type: 'object', properties: { a: { type: 'string' } } };
const page = (entries: ListPage['entries'], of: ListPage['of'] = 'tools'): Outcome => ({
  kind: 'listed',
  page: { of, entries, next: { offset: 2, generation: 'g' }, freshness: { ttlMs: 250, scope: 'private' }, missing: [] },
});

describe.each(REVISIONS)('a list for a %s client', (revision) => {
  const list: Operation = { kind: 'list', of: 'tools' };
  const definition = { name: 'add', vendor: { x: [1] }, inputSchema: strange };

  it('joins the definitions as their servers wrote them', async () => {
    const entry = {
      ...toolEntry(definition),
      text: '{ "name":"add",\n"inputSchema": {"type":"object","big":12345678901234567890} }',
    };
    const written = await textOf((await encoded(revision, page([entry, toolEntry(definition)]), contextOf(list))).body);
    expect(written).toContain(`[${entry.text},${JSON.stringify(definition)}]`);
    expect(ListToolsResultSchema.safeParse(JSON.parse(written).result).error).toBeUndefined();
    expect(JSON.parse(written).result.nextCursor).toBe('sealed:2:g');
  });

  it('uses the names of the aggregate endpoint there', async () => {
    const context = contextOf(list, { aggregate: true });
    expect(await resultOf(revision, page([toolEntry(definition)]), context)).toMatchObject({
      tools: [{ ...definition, name: 'files_add' }],
    });
    const prompts = await resultOf(revision, page([promptEntry({ name: 'ask' })], 'prompts'), context);
    expect(prompts).toMatchObject({ prompts: [{ name: 'files_ask' }] });
    expect(ListPromptsResultSchema.safeParse(prompts).error).toBeUndefined();
    const resources = await resultOf(
      revision,
      page([resourceEntry({ uri: 'file:///a', name: 'a' })], 'resources'),
      context,
    );
    expect(resources).toMatchObject({ resources: [{ uri: 'file:///a', name: 'a' }] });
    expect(ListResourcesResultSchema.safeParse(resources).error).toBeUndefined();
    expect(await resultOf(revision, page([], 'templates'), context)).toMatchObject({ resourceTemplates: [] });
  });

  it('has the members of its revision, and no others', async () => {
    const result = await resultOf(revision, page([]), contextOf(list));
    const modern = { resultType: 'complete', ttlMs: 250, cacheScope: 'private', _meta: ours };
    expect(result).toEqual({ tools: [], nextCursor: 'sealed:2:g', ...(revision === '2026-07-28' ? modern : {}) });
  });

  it('drops output schemas that clients of the revision cannot read', async () => {
    const entries = [{ type: 'array' }, { type: 'object' }].map((outputSchema) =>
      toolEntry({ ...definition, title: 'T', outputSchema }),
    );
    const result = await resultOf(revision, page(entries), contextOf(list));
    const kept = (result.tools as JsonObject[]).map((tool) => [
      tool.outputSchema !== undefined,
      tool.title !== undefined,
    ]);
    const expected = {
      '2025-03-26': [
        [false, false],
        [false, false],
      ],
      '2026-07-28': [
        [true, true],
        [true, true],
      ],
    } as Record<string, unknown>;
    expect(kept).toEqual(
      expected[revision] ?? [
        [false, true],
        [true, true],
      ],
    );
    if (revision !== '2026-07-28') expect(ListToolsResultV1.safeParse(result).error).toBeUndefined();
  });
});

it('A list for a modern client knows nothing of taskSupport', async () => {
  const definition = { name: 'add', inputSchema: strange };
  const entries = [
    toolEntry({ ...definition, execution: { taskSupport: 'optional' } }),
    toolEntry({ ...definition, execution: { taskSupport: 'optional', vendor: 1 } }),
  ];
  const result = await resultOf('2026-07-28', page(entries), contextOf({ kind: 'list', of: 'tools' }));
  expect(result.tools).toEqual([definition, { ...definition, execution: { vendor: 1 } }]);
});

describe('discovery', () => {
  const discovery: Discovery = {
    serverInfo: { name: 's', version: '1', icons: [] },
    capabilities: {
      tools: { listChanged: true },
      resources: { subscribe: true },
      completions: {},
      logging: {},
      tasks: {},
      extensions: { x: {} },
    },
    instructions: 'Be kind.',
    freshness: { ttlMs: 0, scope: 'private' },
  };
  /** Of its lists the gateway tells itself; of resources where the server does. */
  const offered = {
    tools: { listChanged: true },
    resources: { subscribe: true, listChanged: true },
    completions: {},
    logging: {},
  };
  const context = contextOf({ kind: 'discover' });

  it.each(LEGACY)('opens a session of %s and offers what we carry', async (revision) => {
    const result = await resultOf(revision, { kind: 'discovered', discovery }, context);
    expect(result).toEqual({
      protocolVersion: revision,
      capabilities: offered,
      serverInfo: discovery.serverInfo,
      instructions: 'Be kind.',
    });
    expect(InitializeResultSchema.safeParse(result).error).toBeUndefined();
  });

  it('tells a modern client the same in its words', async () => {
    const result = await resultOf('2026-07-28', { kind: 'discovered', discovery }, context);
    expect(result).toEqual({
      resultType: 'complete',
      supportedVersions: ['2026-07-28'],
      capabilities: offered,
      instructions: 'Be kind.',
      ttlMs: 0,
      cacheScope: 'private',
      _meta: { 'io.modelcontextprotocol/serverInfo': discovery.serverInfo },
    });
    expect(DiscoverResultSchema.safeParse(result).error).toBeUndefined();
    expect(clientCodecFor('2026-07-28').decodeDiscovery(result)).toEqual({ ...discovery, capabilities: offered });
  });

  it.each(REVISIONS)('is in our own name for %s where the server has none', async (revision) => {
    const result = await resultOf(
      revision,
      { kind: 'discovered', discovery: { ...discovery, serverInfo: { name: 5 } } },
      context,
    );
    expect(JSON.stringify(result)).toContain('"sallyport"');
  });

  it.each(REVISIONS)('of an upstream of %s is read whatever it lacks', (revision) => {
    const empty = { serverInfo: {}, capabilities: {}, freshness: { ttlMs: 0, scope: 'private' } };
    expect(clientCodecFor(revision).decodeDiscovery({ capabilities: [], ttlMs: -1, _meta: 5 })).toEqual(empty);
  });
});
