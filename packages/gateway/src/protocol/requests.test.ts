import {
  constantFrom,
  dictionary,
  jsonValue,
  oneof,
  option,
  record,
  string,
  assert,
  constant,
  property,
} from 'fast-check';
import type { Arbitrary } from 'fast-check';
import { classifyInboundRequest } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';

import type { Json, JsonObject } from '../model/json.ts';
import type { Operation } from '../model/operation.ts';
import { LEGACY_REVISIONS, MODERN_REVISIONS, type Revision } from '../model/revision.ts';
import { classify } from './classify.ts';
import type { Decoded, UpstreamRequest } from './codec.ts';
import { clientCodecFor, legacyHandshake, serverCodecFor } from './codecs.ts';
import { callTool, seals } from './fixtures.ts';
import { readMessage } from './json-rpc.ts';
import { parseJson } from './json-text.ts';
import { readMcpHeaders } from './mcp-headers.ts';

const REVISIONS: readonly Revision[] = [...LEGACY_REVISIONS, ...MODERN_REVISIONS];

const client = { era: 'modern', revision: '2026-07-28', capabilities: {}, address: '::1' } as const;
const request = (operation: Operation, more: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
  id: 1,
  operation,
  meta: { vendor: {} },
  client,
  ...more,
});

/** What one of our upstream sides writes, read by our client side of the same revision. */
function roundTrip(revision: Revision, asked: UpstreamRequest): Decoded {
  const encoded = clientCodecFor(revision).encodeRequest(asked);
  const body = parseJson(encoded.body, { maxDepth: 64 });
  if (!body.ok) throw new Error(body.error.message);
  const headers = readMcpHeaders(Object.entries(encoded.headers).flat());
  const read = readMessage(body.value);
  if (!read.ok) throw new Error(read.error.failure.message);
  if (revision === '2026-07-28') {
    const found = classify({ httpMethod: 'POST', headers, body: body.value }, { maxBatchMessages: 1 });
    expect(found).toMatchObject({ kind: 'modern', revision });
    expect(classifyInboundRequest(asSdkSees(encoded.headers, body.value))).toMatchObject({ kind: 'modern' });
  }
  return serverCodecFor(revision).decode(read.value, { seals, paramHeaders: headers.params });
}

const asSdkSees = (headers: Readonly<Record<string, string>>, body: Json) => ({
  httpMethod: 'POST',
  protocolVersionHeader: headers['mcp-protocol-version'] ?? '',
  mcpMethodHeader: headers['mcp-method'] ?? '',
  ...(headers['mcp-name'] === undefined ? {} : { mcpNameHeader: headers['mcp-name'] }),
  body,
});

const isSafe = (value: unknown): boolean => parseJson(JSON.stringify(value), { maxDepth: 32 }).ok;
const plainKey = string({ minLength: 1, maxLength: 8 }).filter((key) => key !== '__proto__');
// By way of JSON, because -0 is written as 0.
const jsonObject: Arbitrary<JsonObject> = dictionary(plainKey, jsonValue({ maxDepth: 3 }))
  .filter(isSafe)
  .map((value): JsonObject => JSON.parse(JSON.stringify(value)));
const RESERVED = ['name', 'arguments', 'uri', '_meta', 'task', 'inputResponses', 'requestState'];
const extra = jsonObject.filter((value) => Object.keys(value).length > 0 && !RESERVED.some((key) => key in value));

const named = (kind: 'call-tool' | 'get-prompt'): Arbitrary<Operation> =>
  record(
    { kind: constant(kind), name: string({ unit: 'grapheme' }), arguments: jsonObject, extra },
    { requiredKeys: ['kind', 'name', 'arguments'] },
  );
const operations: Arbitrary<Operation> = oneof(
  named('call-tool'),
  named('get-prompt'),
  record({ kind: constant('read-resource' as const), uri: string(), extra }, { requiredKeys: ['kind', 'uri'] }),
  record({ kind: constant('list' as const), of: constantFrom('tools', 'prompts', 'resources', 'templates') }),
  record({
    kind: constant('complete-argument' as const),
    ref: oneof(
      record({ kind: constant('prompt' as const), name: string() }),
      record({ kind: constant('template' as const), uri: string() }),
    ),
    argument: record({ name: string(), value: string() }),
  }),
);
const vendor = jsonObject.filter(
  (value) => !('progressToken' in value) && !Object.keys(value).some((key) => key.startsWith('io.')),
);

describe.each(REVISIONS)('a request in %s', (revision) => {
  it('is decoded to the operation it was encoded from, with its vendor metadata', () => {
    const token = option(oneof(string(), constant(5)), { nil: undefined });
    assert(
      property(operations, vendor, token, (operation, meta, progressToken) => {
        const asked = request(operation, {
          meta: { vendor: meta },
          ...(progressToken === undefined ? {} : { progressToken }),
        });
        const decoded = roundTrip(revision, asked);
        expect(decoded).toMatchObject({ kind: 'request', id: 1, operation, meta: { vendor: meta } });
        expect(decoded.kind === 'request' && decoded.meta.progressToken).toBe(progressToken);
      }),
    );
  });

  it('keeps unknown methods and their parameters, without their _meta', () => {
    const operation: Operation = { kind: 'extension', method: 'com.example/do', params: { deep: [1, { a: null }] } };
    expect(roundTrip(revision, request(operation, { meta: { vendor: { x: 1 } } }))).toMatchObject({ operation });
  });

  it('sends no reserved key that a client wrote, and no answer to a question never asked', () => {
    const message = {
      kind: 'request',
      id: 1,
      method: 'tools/call',
      params: {
        name: 'add',
        inputResponses: { q: {} },
        task: { ttl: 1 },
        _meta: {
          'io.modelcontextprotocol/related-task': 1,
          'io.modelcontextprotocol/protocolVersion': 'x',
          traceparent: '00-1',
        },
      },
    } as const;
    const decoded = serverCodecFor(revision).decode(message, { seals });
    expect(decoded).toMatchObject({ kind: 'request', meta: { vendor: { traceparent: '00-1' } } });
    expect(decoded.kind === 'request' && decoded.operation).toEqual({
      kind: 'call-tool',
      name: 'add',
      arguments: {},
      ...(revision === '2026-07-28' ? {} : { extra: { inputResponses: { q: {} } } }),
    });
  });

  it.each<[string, JsonObject]>([
    ['tools/call', {}],
    ['tools/call', { name: 'a', arguments: [] }],
    ['tools/call', { name: 5 }],
    ['prompts/get', { arguments: {} }],
    ['resources/read', { uri: 1 }],
    ['tools/list', { cursor: 5 }],
    ['completion/complete', { ref: { type: 'ref/other' }, argument: { name: 'a', value: 'b' } }],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'p' }, argument: { name: 'a' } }],
  ])('%s with the parameters %j is refused', (method, params) => {
    const decoded = serverCodecFor(revision).decode({ kind: 'request', id: 3, method, params }, { seals });
    expect(decoded).toMatchObject({ kind: 'refused', id: 3, failure: { code: 'invalid-params' } });
  });

  it('opens cursors, and refuses those that are not ours', () => {
    const list = (cursor: string) => ({ kind: 'request', id: 3, method: 'tools/list', params: { cursor } }) as const;
    expect(serverCodecFor(revision).decode(list('sealed:50:g1'), { seals })).toMatchObject({
      operation: { kind: 'list', of: 'tools', cursor: { offset: 50, generation: 'g1' } },
      sealedFor: ['alice'],
    });
    expect(serverCodecFor(revision).decode(list(''), { seals })).toMatchObject({ failure: { code: 'invalid-cursor' } });
  });

  it.each([
    ...(revision === '2026-07-28' ? ['resources/subscribe', 'resources/unsubscribe'] : ['subscriptions/listen']),
    'tasks/list',
    'tasks/result',
    'sampling/createMessage',
  ])('%s is not offered', (method) => {
    const decoded = serverCodecFor(revision).decode({ kind: 'request', id: 3, method, params: {} }, { seals });
    expect(decoded).toMatchObject({ kind: 'refused', id: 3, failure: { code: 'method-not-found' } });
  });

  it('cannot be made of what is no request to an upstream', () => {
    expect(() => clientCodecFor(revision).encodeRequest(request({ kind: 'end-session' }))).toThrow(
      'The method is not known here.',
    );
  });
});

describe('a request of a modern client', () => {
  const decode = (method: string, params: JsonObject) =>
    serverCodecFor('2026-07-28').decode(
      { kind: 'request', id: 1, method, params },
      { seals, paramHeaders: { region: 'eu' } },
    );

  it('says of itself who its client is, what it can do and which log level it wants', () => {
    const info = { name: 'c', version: '1', title: 'C' };
    const _meta = {
      'io.modelcontextprotocol/clientInfo': info,
      'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
      'io.modelcontextprotocol/logLevel': 'warning',
    };
    expect(decode('tools/call', { name: 'add', _meta })).toMatchObject({
      client: { info, capabilities: { elicitation: {} } },
      meta: { logLevel: 'warning', paramHeaders: { region: 'eu' }, vendor: {} },
    });
  });

  it.each(['initialize', 'ping', 'logging/setLevel'])('%s does not exist', (method) => {
    expect(decode(method, {})).toMatchObject({ kind: 'refused', failure: { code: 'method-not-found' } });
  });

  it('brings the answers to a question of ours, and for whom that was', () => {
    const inputResponses = { 'com.sallyport/approval': { action: 'accept' } };
    const asked = { name: 'add', requestState: 'state:a1', inputResponses };
    expect(decode('tools/call', asked)).toMatchObject({
      operation: { kind: 'call-tool', name: 'add', arguments: {} },
      answers: { continuation: { kind: 'approval', approvalId: 'a1' }, responses: inputResponses },
      sealedFor: ['alice'],
    });
  });

  it.each([
    ['which we never gave', 'tools/call', { name: 'add', requestState: 'x' }, 'the state is forged'],
    ['that is no text', 'tools/call', { name: 'add', requestState: 7 }, 'requestState is no string'],
    ['on a list', 'tools/list', { requestState: 'state:a1' }, 'requestState on a method that never asks'],
    ['on an unknown method', 'vendor/do', { requestState: 'state:a1' }, 'requestState on a method that never asks'],
  ])('with a request state %s says so, for whoever knows who sent it', (_, method, params, fault) => {
    expect(decode(method, params)).toMatchObject({ kind: 'request', answers: { fault, responses: {} } });
  });

  it('with answers and no state answers no question of ours', () => {
    const decoded = decode('tools/call', { name: 'add', inputResponses: { a: { action: 'accept' } } });
    expect(decoded).not.toHaveProperty('answers.continuation');
    expect(decoded).not.toHaveProperty('operation.extra');
  });

  it('for discovery is an operation', () => {
    expect(decode('server/discover', {})).toMatchObject({ operation: { kind: 'discover' } });
  });
});

describe('initialize', () => {
  const initialize = (params: JsonObject) =>
    serverCodecFor('2025-11-25').decode({ kind: 'request', id: 0, method: 'initialize', params }, { seals });

  it.each([
    ['2025-03-26', '2025-03-26'],
    ['2025-06-18', '2025-06-18'],
    ['2025-11-25', '2025-11-25'],
    ['2024-11-05', '2025-11-25'],
    ['2026-07-28', '2025-11-25'],
    ['nonsense', '2025-11-25'],
  ])('that asks for %s gets %s', (protocolVersion, negotiated) => {
    const params = { protocolVersion, capabilities: { roots: {} }, clientInfo: { name: 'c', version: '1' } };
    expect(initialize(params)).toMatchObject({
      operation: { kind: 'discover' },
      negotiated,
      client: { capabilities: { roots: {} }, info: { name: 'c', version: '1' } },
    });
  });

  it('without a version is refused', () => {
    expect(initialize({ capabilities: {} })).toMatchObject({ kind: 'refused', failure: { code: 'invalid-params' } });
  });

  it('as a client offers the newest legacy revision and nothing that we could not serve', () => {
    const sent: JsonObject = JSON.parse(legacyHandshake.initialize(3));
    expect(sent).toEqual({
      jsonrpc: '2.0',
      id: 3,
      method: 'initialize',
      params: {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: expect.objectContaining({ name: 'sallyport' }),
      },
    });
    expect(JSON.parse(legacyHandshake.initialized)).toEqual({ jsonrpc: '2.0', method: 'notifications/initialized' });
  });

  it.each([
    ['2025-06-18', '2025-06-18'],
    ['2024-11-05', '2025-03-26'],
  ])('answered with %s opens a session of %s', (protocolVersion, revision) => {
    const result = {
      protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: 's', version: '2' },
      instructions: 'Hi.',
    };
    expect(legacyHandshake.decodeInitialize(result)).toEqual({
      ok: true,
      value: {
        revision,
        discovery: {
          serverInfo: { name: 's', version: '2' },
          capabilities: { tools: {} },
          instructions: 'Hi.',
          freshness: { ttlMs: 0, scope: 'private' },
        },
      },
    });
  });

  it.each([[{}], [{ protocolVersion: '2026-07-28' }], [{ protocolVersion: 5 }]])(
    'answered with %j is of no use',
    (result) => {
      expect(legacyHandshake.decodeInitialize(result)).toMatchObject({
        ok: false,
        error: { code: 'upstream-invalid' },
      });
    },
  );
});

describe('a request to an upstream', () => {
  it('of 2026-07-28 describes itself, in our name where the client gave none, and mirrors what must be mirrored', () => {
    const inputSchema = { type: 'object', properties: { a: { type: 'integer', 'x-mcp-header': 'A' } } };
    const asked = request(callTool, {
      inputSchema,
      progressToken: 9,
      meta: { vendor: { traceparent: 't' }, paramHeaders: { tenant: 'x' } },
    });
    const { body, headers } = clientCodecFor('2026-07-28').encodeRequest(asked);
    expect(headers).toEqual({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'add',
      'mcp-param-a': '1',
      'mcp-param-tenant': 'x',
    });
    expect(JSON.parse(body)).toEqual({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name: 'add',
        arguments: { a: 1 },
        _meta: {
          traceparent: 't',
          progressToken: 9,
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientInfo': { name: 'sallyport', title: 'Sallyport', version: '0.1.0' },
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    });
  });

  it.each([
    ['2025-03-26', {}],
    ['2025-06-18', { 'mcp-protocol-version': '2025-06-18' }],
    ['2025-11-25', { 'mcp-protocol-version': '2025-11-25' }],
  ] as const)('of %s carries the headers %j and no envelope', (revision, headers) => {
    const encoded = clientCodecFor(revision).encodeRequest(request(callTool));
    expect(encoded.headers).toEqual(headers);
    expect(JSON.parse(encoded.body)).toEqual({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'add', arguments: { a: 1 } },
    });
  });

  it('carries the upstream cursor and never ours', () => {
    const operation: Operation = { kind: 'list', of: 'templates', cursor: { offset: 5, generation: 'g' } };
    const { body, method } = clientCodecFor('2025-11-25').encodeRequest(
      request(operation, { upstreamCursor: 'theirs' }),
    );
    expect(method).toBe('resources/templates/list');
    expect(JSON.parse(body)).toMatchObject({ params: { cursor: 'theirs' } });
  });

  it('leaves the completion context out where it was not known yet', () => {
    const operation: Operation = {
      kind: 'complete-argument',
      ref: { kind: 'prompt', name: 'p' },
      argument: { name: 'a', value: 'b' },
      context: { arguments: { x: 'y' } },
    };
    expect(clientCodecFor('2025-03-26').encodeRequest(request(operation)).body).not.toContain('context');
    expect(roundTrip('2025-06-18', request(operation))).toMatchObject({ operation });
  });
});
