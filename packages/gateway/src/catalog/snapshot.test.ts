import { describe, expect, it } from 'vitest';
import type { Operation } from '../model/operation.ts';
import {
  AGGREGATE,
  callTool,
  catalogOf,
  GATEWAY,
  item,
  onServer,
  readResource,
  registered,
  toolItem,
} from './catalog-fixture.ts';
import { aggregateName } from './names.ts';
import { GATEWAY_ID } from '../model/target.ts';
import { createCatalog } from './snapshot.ts';

const files = registered(
  'files',
  {
    tools: [
      toolItem('read_file'),
      toolItem('write_file'),
      toolItem('view', { _meta: { ui: { visibility: ['app'] } } }),
    ],
    prompts: [item({ name: 'summary' })],
    resources: [item({ uri: 'file:///a', name: 'a' }), item({ uri: 'shared://x', name: 'x' })],
    templates: [item({ uriTemplate: 'file:///{name}', name: 't' })],
    ttlMs: 5_000,
    capabilities: { tools: { listChanged: true }, resources: { subscribe: true }, extensions: { x: {} } },
  },
  [{ of: 'tools', pattern: 'read_*', traits: { readOnly: true, risk: 'low' } }],
);
const notes = registered('notes', {
  tools: [toolItem('read_file')],
  resources: [item({ uri: 'shared://x', name: 'y' })],
  templates: [item({ uriTemplate: 'file:///{name}', name: 't' }), item({ uriTemplate: 'note://{id}', name: 'n' })],
  ttlMs: 1_000,
  capabilities: { prompts: {} },
});
const catalog = catalogOf(files, notes);
const found = (endpoint: Parameters<typeof catalog.find>[0], operation: Operation) => {
  const entry = catalog.find(endpoint, operation)?.entries[0];
  return (
    entry &&
    `${entry.kind} ${entry.server.id} ${entry.name}${entry.kind === 'resource' && !entry.listed ? ' unlisted' : ''}`
  );
};

describe('find', () => {
  const prompt = (name: string): Operation => ({ kind: 'get-prompt', name, arguments: {} });
  const complete = (uri: string): Operation => ({
    kind: 'complete-argument',
    ref: { kind: 'template', uri },
    argument: {},
  });
  const cases: readonly [string, Parameters<typeof catalog.find>[0], Operation, string | undefined][] = [
    ['a tool by its own name', onServer('files'), callTool('read_file'), 'tool files read_file'],
    ['an app-only tool on its server', onServer('files'), callTool('view'), 'tool files view'],
    ['no tool by its aggregate name on a server', onServer('files'), callTool('files_read_file'), undefined],
    ['no tool of another server', onServer('notes'), callTool('write_file'), undefined],
    ['a tool by its aggregate name', AGGREGATE, callTool('notes_read_file'), 'tool notes read_file'],
    ['no tool by its own name on the aggregate', AGGREGATE, callTool('read_file'), undefined],
    ['no app-only tool on the aggregate', AGGREGATE, callTool('files_view'), undefined],
    ['no tool by a name of objects', AGGREGATE, callTool('constructor'), undefined],
    ['a prompt by its aggregate name', AGGREGATE, prompt('files_summary'), 'prompt files summary'],
    ['a listed resource', onServer('files'), readResource('file:///a'), 'resource files file:///a'],
    [
      'an unlisted resource on a server',
      onServer('files'),
      readResource('other://b'),
      'resource files other://b unlisted',
    ],
    ['no resource that climbs', onServer('files'), readResource('file:///x/../b'), undefined],
    [
      'a resource of two on the aggregate, the earlier',
      AGGREGATE,
      readResource('shared://x'),
      'resource files shared://x',
    ],
    [
      'a resource by template on the aggregate, the earlier',
      AGGREGATE,
      readResource('file:///b'),
      'resource files file:///b unlisted',
    ],
    ['a resource by a later template', AGGREGATE, readResource('note://7'), 'resource notes note://7 unlisted'],
    ['no resource that nobody owns on the aggregate', AGGREGATE, readResource('other://b'), undefined],
    ['a template for completion', AGGREGATE, complete('note://{id}'), 'template notes note://{id}'],
    ['the server for a ping', onServer('files'), { kind: 'ping' }, 'server files files'],
    [
      'the server for a method we do not know',
      onServer('files'),
      { kind: 'extension', method: 'x/y', params: {} },
      'server files files',
    ],
    [
      'nobody for such a method on the aggregate',
      AGGREGATE,
      { kind: 'extension', method: 'x/y', params: {} },
      undefined,
    ],
    [
      'the gateway for discovery of the aggregate',
      AGGREGATE,
      { kind: 'discover' },
      `server ${GATEWAY_ID} ${GATEWAY_ID}`,
    ],
    ['nothing on an unknown server', onServer('nope'), { kind: 'ping' }, undefined],
  ];
  it.each(cases)('finds %s', (_, endpoint, operation, expected) => expect(found(endpoint, operation)).toBe(expected));

  it('answers for the aggregate without any server', () => {
    expect(catalogOf().find(AGGREGATE, { kind: 'list', of: 'tools' })).toBeDefined();
    expect(catalogOf().discovery(AGGREGATE).capabilities).toEqual({ tools: {} });
  });

  it('gives the operator’s traits, never the server’s', () => {
    const entries = catalog.list(onServer('files'), 'tools');
    expect(entries.map(({ name, traits }) => [name, traits.readOnly, traits.risk])).toEqual([
      ['read_file', true, 'low'],
      ['write_file', false, 'medium'],
      ['view', false, 'medium'],
    ]);
  });

  it('keeps one entry per unlisted URI, up to its bound', () => {
    const small = createCatalog({ servers: [files], disabled: [], gateway: GATEWAY, maxUnlisted: 2 });
    const entryOf = (uri: string) => small.find(onServer('files'), readResource(uri))?.entries[0];
    const first = entryOf('x://1');
    expect(entryOf('x://1')).toBe(first);
    entryOf('x://2');
    entryOf('x://3');
    expect(entryOf('x://1')).not.toBe(first);
  });
});

describe('lists and discovery', () => {
  it('lists a server’s entries under their own order, the aggregate’s by registration', () => {
    expect(catalog.list(AGGREGATE, 'tools').map((entry) => entry.aggregateName)).toEqual([
      'files_read_file',
      'files_write_file',
      'notes_read_file',
    ]);
    expect(catalog.list(AGGREGATE, 'resources').map(({ server, name }) => `${server.id} ${name}`)).toEqual([
      'files file:///a',
      'files shared://x',
      'notes shared://x',
    ]);
    expect(catalog.list(onServer('notes'), 'templates').map(({ name }) => name)).toEqual([
      'file:///{name}',
      'note://{id}',
    ]);
    expect(catalog.list(onServer('nope'), 'tools')).toEqual([]);
  });

  it('introduces a server in its own words and the aggregate in ours', () => {
    expect(catalog.discovery(onServer('files'))).toBe(files.offering?.discovery);
    expect(catalog.discovery(AGGREGATE)).toEqual({
      serverInfo: GATEWAY,
      capabilities: { tools: { listChanged: true }, resources: { subscribe: true }, prompts: {} },
      freshness: { ttlMs: 1_000, scope: 'private' },
    });
    expect(catalog.freshness(onServer('files'), 'tools')).toEqual({ ttlMs: 5_000, scope: 'public' });
    expect(catalog.freshness(AGGREGATE, 'tools')).toEqual({ ttlMs: 1_000, scope: 'private' });
  });
});

describe('problems, states and version', () => {
  it('shows what collides, what was refused and what is down', () => {
    const long = 'x'.repeat(70);
    const twice = registered('files', {
      tools: [toolItem('a'), toolItem('a', { title: 'again' }), item({ name: 'b' }), toolItem(long)],
    });
    const down = {
      ...registered('down', undefined),
      status: { state: 'unhealthy', sinceMs: 7, reason: 'It is away.' } as const,
    };
    const shown = createCatalog({
      servers: [twice, down, notes, files].slice(0, 3),
      disabled: [{ id: 'broken', reason: 'The secret file is missing.', sinceMs: 1 }],
      gateway: GATEWAY,
    });
    expect(shown.problems).toEqual([
      { server: 'broken', code: 'server-disabled', message: 'The secret file is missing.' },
      { server: 'files', code: 'definition-refused', message: 'tools: "a" is listed twice; the first is kept.' },
      {
        server: 'files',
        code: 'definition-refused',
        message: 'tools: "b" was left out: its inputSchema is not an object.',
      },
      { server: 'down', code: 'listing-failed', message: 'It is away.' },
    ]);
    expect(shown.servers.map(({ server, state, counts }) => [server.id, state, counts.tools])).toEqual([
      ['files', 'healthy', 2],
      ['down', 'unhealthy', 0],
      ['notes', 'healthy', 1],
      ['broken', 'disabled', 0],
    ]);
    expect(shown.server('down')).toMatchObject({ kind: 'server', name: 'down' });
    expect(shown.server('broken')).toBeUndefined();
  });

  it('tells which name of two was refused, and where it can still be used', () => {
    const hashed = aggregateName('notes', 'read file');
    const rival = hashed.slice('notes_'.length);
    const shown = catalogOf(registered('notes', { tools: [toolItem('read file'), toolItem(rival)] }));
    expect(shown.list(AGGREGATE, 'tools').map(({ name }) => name)).toEqual([rival]);
    expect(shown.problems).toContainEqual({
      server: 'notes',
      code: 'name-collision',
      message:
        `The tool "read file" is not on the aggregate endpoint: "${hashed}" is "${rival}" of the server "notes" there. ` +
        'It can be used at /servers/notes/mcp.',
    });
  });

  it('keeps every owner of a URI, because a caller may see only the later one', () => {
    const target = catalog.find(AGGREGATE, { kind: 'read-resource', uri: 'shared://x' });
    expect(target?.entries.map(({ server }) => server.id)).toEqual(['files', 'notes']);
    expect(catalog.problems).toEqual([]);
  });

  it('has a version that follows content, not states', () => {
    const again = registered('notes', { tools: [toolItem('read_file')] });
    expect(catalogOf(again).version).toBe(catalogOf(registered('notes', { tools: [toolItem('read_file')] })).version);
    expect(catalogOf({ ...again, status: { state: 'unhealthy', sinceMs: 1 } }).version).toBe(catalogOf(again).version);
    expect(catalogOf(registered('notes', { tools: [toolItem('read_file', { title: 'x' })] })).version).not.toBe(
      catalogOf(again).version,
    );
    expect(
      catalogOf(
        registered('notes', { tools: [toolItem('read_file')] }, [
          { of: 'tools', pattern: '*', traits: { readOnly: true } },
        ]),
      ).version,
    ).not.toBe(catalogOf(again).version);
  });
});
