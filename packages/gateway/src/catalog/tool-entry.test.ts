import { describe, expect, it } from 'vitest';

import { parsePlace, type DeclaredArgument } from '../model/argument-kind.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { Operation } from '../model/operation.ts';
import type { ToolEntry } from '../model/target.ts';
import {
  AGGREGATE,
  callTool,
  catalogOf,
  onServer,
  registered,
  serverOf,
  toolItem,
  listingOf,
  GATEWAY,
} from './catalog-fixture.ts';
import { DEFAULT_DEFINITION_LIMITS } from './definition.ts';
import { createOffering, type RegisteredServer } from './offering.ts';
import { createCatalog } from './snapshot.ts';
import type { TraitRule } from './traits.ts';

const FILES = onServer('files');

const SCHEMA = {
  type: 'object',
  properties: { path: { type: 'string', 'x-mcp-header': 'Path' }, mode: { type: 'string' } },
  required: ['path', 'mode'],
  additionalProperties: false,
};

const rule = (pattern: string, more: Omit<TraitRule, 'of' | 'pattern' | 'traits'>): TraitRule => ({
  of: 'tools',
  pattern,
  traits: {},
  ...more,
});

const offeringOf = (schema: JsonObject, ...rules: readonly TraitRule[]) =>
  registered('files', { tools: [toolItem('read', { inputSchema: schema }), toolItem('other')] }, rules);

function toolOf(server: RegisteredServer, name: string): ToolEntry | undefined {
  return server.offering?.tools.get(name);
}

function declared(place: string): DeclaredArgument {
  const steps = parsePlace(place);
  if (!steps.ok) throw new Error(steps.error);
  return { place, steps: steps.value, kind: { kind: 'path' } };
}

describe('a pinned argument', () => {
  const server = offeringOf(SCHEMA, rule('read', { pins: { path: '/srv/data' } }));
  const tool = toolOf(server, 'read');

  it('is gone from everything that a client sees, its header included', () => {
    const shown = { ...SCHEMA, properties: { mode: { type: 'string' } }, required: ['mode'] };
    expect(tool?.definition.inputSchema).toEqual(shown);
    expect(JSON.parse(tool?.text ?? '')).toEqual({ name: 'read', inputSchema: shown });
    expect(tool?.text).not.toContain('path');
    expect(tool?.text).not.toContain('Path');
  });

  it('stays in the schema that holds for the call, and the hash stays that of the server', () => {
    expect(tool?.inputSchema).toEqual(SCHEMA);
    expect(tool?.pins?.arguments).toEqual({ path: '/srv/data' });
    expect(tool?.hash).toBe(toolOf(offeringOf(SCHEMA), 'read')?.hash);
  });

  it('is part of the digest, so that another pin makes another catalog', () => {
    const other = offeringOf(SCHEMA, rule('read', { pins: { path: '/srv/other' } }));
    expect(other.offering?.digest).not.toBe(server.offering?.digest);
  });

  it('and all that clients see of it cannot be changed', () => {
    const shown = tool?.definition.inputSchema;
    expect(Object.isFrozen(tool?.pins?.arguments)).toBe(true);
    expect(isJsonObject(shown) && Object.isFrozen(shown.properties)).toBe(true);
  });

  it('takes the last rule that names it', () => {
    const twice = offeringOf(SCHEMA, rule('*', { pins: { path: '/a' } }), rule('read', { pins: { path: '/b' } }));
    expect(toolOf(twice, 'read')?.pins?.arguments).toEqual({ path: '/b' });
  });

  it.each<[string, JsonObject, JsonObject]>([
    ['that the tool does not declare', SCHEMA, { pth: '/srv/data' }],
    ['that an open schema does not declare', { type: 'object', properties: { mode: {} } }, { path: '/srv/data' }],
    ['that a schema without properties cannot declare', { type: 'object' }, { path: '/srv/data' }],
    ['on which others depend', { ...SCHEMA, dependentRequired: { path: ['mode'] } }, { path: '/srv/data' }],
    [
      'of which others are alternatives',
      { ...SCHEMA, anyOf: [{ required: ['path'] }, { required: ['url'] }] },
      { path: 'x' },
    ],
  ])('%s takes the tool away, and says so', (_, schema, pins) => {
    const broken = offeringOf(schema, rule('read', { pins }));
    expect(toolOf(broken, 'read')).toBeUndefined();
    expect(toolOf(broken, 'other')).toBeDefined();
    const catalog = catalogOf(broken);
    expect(catalog.problems).toEqual([
      { server: 'files', code: 'definition-refused', message: expect.stringMatching(/"read" was left out.*is pinned/) },
    ]);
    expect(catalog.find(FILES, callTool('read'))).toBeUndefined();
  });
});

describe('a declared argument', () => {
  it('stands on the entry', () => {
    const path = declared('path');
    expect(toolOf(offeringOf(SCHEMA, rule('r*', { declared: [path] })), 'read')?.declared).toEqual([path]);
    expect(toolOf(offeringOf(SCHEMA, rule('r*', { declared: [path] })), 'other')?.declared).toBeUndefined();
  });

  it.each<[string, JsonObject, string]>([
    ['', SCHEMA, 'pth'],
    ['', SCHEMA, 'path.inner'],
    ['', { type: 'object', properties: { filter: { type: 'object', properties: { a: {} } } } }, 'filter.path'],
    ['', { type: 'object' }, 'path'],
  ])('that the one tool named plainly does not have takes it away%s: %j, %s', (_, schema, place) => {
    const server = offeringOf(schema, rule('read', { declared: [declared(place)] }));
    expect(toolOf(server, 'read')).toBeUndefined();
    expect(server.offering?.refused).toEqual([expect.stringContaining(`"${place}"`)]);
  });

  it.each<[JsonObject, string]>([
    [SCHEMA, 'path'],
    [{ type: 'object', properties: { filter: { $ref: '#/$defs/f' } } }, 'filter.path'],
    [{ type: 'object', properties: { files: { type: 'array', items: { type: 'string' } } } }, 'files[]'],
    [{ allOf: [{ properties: { path: {} } }] }, 'path'],
    [{}, 'path'],
  ])('may stand where the schema does not say: %j, %s', (schema, place) => {
    const server = offeringOf(schema, rule('read', { declared: [declared(place)] }));
    expect(toolOf(server, 'read')).toBeDefined();
  });

  it('of a pattern over many tools need not be one of each', () => {
    expect(toolOf(offeringOf(SCHEMA, rule('*', { declared: [declared('sql')] })), 'read')).toBeDefined();
  });
});

describe('ceilings and hidden tools', () => {
  const traits: TraitRule[] = [
    { of: 'tools', pattern: 'read*', traits: { readOnly: true } },
    { of: 'tools', pattern: 'read_secret', traits: {}, hidden: true },
  ];
  const tools = ['read_file', 'read_secret', 'write_file'].map((name) => toolItem(name));

  function below(readOnly: boolean, aggregateReadOnly: boolean) {
    const server = { ...serverOf('files', traits), readOnly };
    const offering = createOffering(server, listingOf({ tools }), DEFAULT_DEFINITION_LIMITS);
    const status = { state: 'healthy', sinceMs: 0, era: 'modern' } as const;
    return createCatalog({
      servers: [{ ...server, status, offering }],
      disabled: [],
      gateway: GATEWAY,
      aggregateReadOnly,
    });
  }

  const names = (catalog: ReturnType<typeof below>, endpoint: typeof AGGREGATE | typeof FILES) =>
    catalog.list(endpoint, 'tools').map(({ name }) => name);

  it('without a ceiling only what is hidden is not there', () => {
    const catalog = below(false, false);
    expect(names(catalog, FILES)).toEqual(['read_file', 'write_file']);
    expect(names(catalog, AGGREGATE)).toEqual(['read_file', 'write_file']);
    expect(catalog.find(FILES, callTool('read_secret'))).toBeUndefined();
    expect(catalog.find(AGGREGATE, callTool('files_read_secret'))).toBeUndefined();
    expect(catalog.withheld).toMatchObject([{ tool: { name: 'read_secret' }, why: 'hidden' }]);
  });

  it('a read-only server has only what the operator marked so, everywhere', () => {
    const catalog = below(true, false);
    expect(names(catalog, FILES)).toEqual(['read_file']);
    expect(names(catalog, AGGREGATE)).toEqual(['read_file']);
    expect(catalog.find(FILES, callTool('write_file'))).toBeUndefined();
    expect(catalog.find(AGGREGATE, callTool('files_write_file'))).toBeUndefined();
    expect(catalog.withheld).toContainEqual(expect.objectContaining({ why: 'server-read-only' }));
  });

  it('a read-only server passes nothing on whose effect nobody knows', () => {
    const method = { kind: 'extension', method: 'x/write', params: {} } as const;
    expect(below(true, false).find(FILES, method)).toBeUndefined();
    expect(below(false, false).find(FILES, method)).toBeDefined();
  });

  it('a task is about the tool that it came out of, as long as that is there', () => {
    const taskOf = (tool: string, server = 'files') => {
      const ref = { server, version: 'v1', tool, id: 't', era: 'modern' } as const;
      return { kind: 'task', verb: 'get', taskId: '1', params: {}, ref } as const;
    };
    for (const endpoint of [FILES, AGGREGATE]) {
      const found = (operation: Operation) => below(false, false).find(endpoint, operation)?.entries[0].name;
      expect(found(taskOf('write_file'))).toBe('write_file');
      expect(found(taskOf('delete_file'))).toBeUndefined();
      expect(found(taskOf('write_file', 'mail'))).toBeUndefined();
      expect(found({ kind: 'task', verb: 'get', taskId: 'forged', params: {} })).toBeUndefined();
      expect(below(true, false).find(endpoint, taskOf('write_file'))).toBeUndefined();
    }
  });

  it('a read-only /mcp leaves the endpoint of the server as it is', () => {
    const catalog = below(false, true);
    expect(names(catalog, FILES)).toEqual(['read_file', 'write_file']);
    expect(names(catalog, AGGREGATE)).toEqual(['read_file']);
    expect(catalog.find(AGGREGATE, callTool('files_write_file'))).toBeUndefined();
    expect(catalog.withheld).toContainEqual(expect.objectContaining({ why: 'aggregate-read-only' }));
  });

  it('an upstream cannot mark its own tool read-only', () => {
    const server = { ...serverOf('files'), readOnly: true };
    const annotated = toolItem('write_file', { annotations: { readOnlyHint: true } });
    const offering = createOffering(server, listingOf({ tools: [annotated] }), DEFAULT_DEFINITION_LIMITS);
    expect([...offering.tools.keys()]).toEqual([]);
  });
});
