import { describe, expect, it } from 'vitest';

import type { Json, JsonObject } from '../model/json.ts';
import type { LegacyRevision } from '../model/revision.ts';
import { checkSessionRequest, classify, eraOfHeaders, type Classified } from './classify.ts';
import { readMcpHeaders } from './mcp-headers.ts';

const limits = { maxBatchMessages: 3 };

const envelope = (version: Json = '2026-07-28', more: JsonObject = {}): JsonObject => ({
  'io.modelcontextprotocol/protocolVersion': version,
  'io.modelcontextprotocol/clientInfo': { name: 'client', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
  ...more,
});

const request = (method: string, params?: JsonObject): JsonObject => ({
  jsonrpc: '2.0',
  id: 7,
  method,
  ...(params === undefined ? {} : { params }),
});

const call = (meta: JsonObject | undefined = envelope()): JsonObject =>
  request('tools/call', { name: 'add', arguments: {}, ...(meta === undefined ? {} : { _meta: meta }) });

const modernHeaders = ['MCP-Protocol-Version', '2026-07-28', 'Mcp-Method', 'tools/call', 'Mcp-Name', 'add'];

const post = (body: Json | undefined, rawHeaders: readonly string[] = []): Classified =>
  classify({ httpMethod: 'POST', headers: readMcpHeaders(rawHeaders), body }, limits);

const without = (name: string): string[] => {
  const index = modernHeaders.indexOf(name);
  return modernHeaders.filter((_, position) => position !== index && position !== index + 1);
};
const replaced = (name: string, value: string): string[] => [...without(name), name, value];

const refusal = (found: Classified) =>
  found.kind === 'refused' ? { era: found.era, id: found.id, code: found.failure.code } : found.kind;

describe('classify decides the era by the body', () => {
  it('takes a request with a modern envelope for modern, whatever session id comes with it', () => {
    const found = post(call(), [...modernHeaders, 'Mcp-Session-Id', 'abc']);
    expect(found).toMatchObject({ kind: 'modern', revision: '2026-07-28', message: { kind: 'request', id: 7 } });
  });

  it('takes initialize for the opening of a legacy session', () => {
    const found = post(request('initialize', { protocolVersion: '2025-06-18' }));
    expect(found).toMatchObject({ kind: 'initialize', message: { method: 'initialize' } });
  });

  it('takes initialize in a modern envelope for a modern request', () => {
    const headers = ['MCP-Protocol-Version', '2026-07-28', 'Mcp-Method', 'initialize'];
    expect(post(request('initialize', { _meta: envelope() }), headers).kind).toBe('modern');
  });

  it('takes a session id without an envelope for legacy, and hands on the version header', () => {
    const found = post(request('tools/list'), ['mcp-session-id', 's1', 'mcp-protocol-version', '2025-06-18']);
    expect(found).toMatchObject({
      kind: 'session-message',
      sessionId: 's1',
      versionHeader: '2025-06-18',
      batch: false,
    });
  });

  it('takes an envelope that names a legacy revision for legacy', () => {
    expect(post(call(envelope('2025-11-25')), ['Mcp-Session-Id', 's1']).kind).toBe('session-message');
  });

  it('accepts notifications without headers of their own in both eras', () => {
    const notification = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } };
    expect(post(notification, ['Mcp-Session-Id', 's1']).kind).toBe('session-message');
    expect(post(notification, ['MCP-Protocol-Version', '2026-07-28']).kind).toBe('modern');
    expect(post({ ...notification, params: { _meta: envelope() } }).kind).toBe('modern');
  });

  it('takes an answer within a session for a session message', () => {
    const found = post({ jsonrpc: '2.0', id: 'q1', result: {} }, ['Mcp-Session-Id', 's1']);
    expect(found).toMatchObject({ kind: 'session-message', messages: [{ kind: 'response', id: 'q1' }] });
  });

  it.each([
    ['GET', 'session-stream'],
    ['DELETE', 'session-end'],
  ])('takes %s with a session id for %s', (httpMethod, kind) => {
    const headers = readMcpHeaders(['Mcp-Session-Id', 's1', 'MCP-Protocol-Version', '2025-11-25']);
    expect(classify({ httpMethod, headers }, limits)).toEqual({ kind, sessionId: 's1', versionHeader: '2025-11-25' });
  });

  it.each([
    ['GET', []],
    ['DELETE', []],
    ['GET', ['Mcp-Session-Id', 's1', 'MCP-Protocol-Version', '2026-07-28']],
    ['PUT', ['Mcp-Session-Id', 's1']],
  ])('refuses %s with %j, which has nothing to stream or to end', (httpMethod, raw) => {
    expect(refusal(classify({ httpMethod, headers: readMcpHeaders(raw) }, limits))).toMatchObject({
      code: 'method-not-allowed',
    });
  });
});

describe('classify refuses', () => {
  const unknownVersion = envelope('v999.0.0');
  const noCapabilities = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
  it.each<[string, Json | undefined, readonly string[], [string, string, number | null]]>([
    [
      'a modern header without any envelope',
      request('server/discover', {}),
      modernHeaders,
      ['invalid-envelope', 'modern', 7],
    ],
    [
      'an Mcp-Method header without any envelope',
      request('tools/list'),
      ['Mcp-Method', 'tools/list'],
      ['invalid-envelope', 'modern', 7],
    ],
    ['server/discover without any envelope', request('server/discover'), [], ['invalid-envelope', 'modern', 7]],
    [
      'an envelope without a version',
      call({ 'io.modelcontextprotocol/clientCapabilities': {} }),
      modernHeaders,
      ['invalid-envelope', 'modern', 7],
    ],
    ['an envelope without capabilities', call(noCapabilities), modernHeaders, ['invalid-envelope', 'modern', 7]],
    ['a version that is no string', call(envelope(5)), modernHeaders, ['invalid-envelope', 'modern', 7]],
    [
      'capabilities that are no object',
      call(envelope('2026-07-28', { 'io.modelcontextprotocol/clientCapabilities': [] })),
      modernHeaders,
      ['invalid-envelope', 'modern', 7],
    ],
    [
      'client info without a version',
      call(envelope('2026-07-28', { 'io.modelcontextprotocol/clientInfo': { name: 'x' } })),
      modernHeaders,
      ['invalid-envelope', 'modern', 7],
    ],
    [
      'a version that nobody speaks',
      call(unknownVersion),
      replaced('MCP-Protocol-Version', 'v999.0.0'),
      ['unsupported-version', 'modern', 7],
    ],
    [
      'an unspoken version in the header alone',
      request('tools/list'),
      ['MCP-Protocol-Version', '2027-01-01'],
      ['unsupported-version', 'modern', 7],
    ],
    [
      'a version header that differs from the envelope',
      call(unknownVersion),
      modernHeaders,
      ['header-mismatch', 'modern', 7],
    ],
    [
      'a modern version header over a legacy envelope',
      call(envelope('2025-11-25')),
      modernHeaders,
      ['header-mismatch', 'modern', 7],
    ],
    ['a missing version header', call(), without('MCP-Protocol-Version'), ['header-mismatch', 'modern', 7]],
    ['a missing Mcp-Method', call(), without('Mcp-Method'), ['header-mismatch', 'modern', 7]],
    ['another Mcp-Method', call(), replaced('Mcp-Method', 'tools/list'), ['header-mismatch', 'modern', 7]],
    ['Mcp-Method in another case', call(), replaced('Mcp-Method', 'TOOLS/CALL'), ['header-mismatch', 'modern', 7]],
    ['a missing Mcp-Name', call(), without('Mcp-Name'), ['header-mismatch', 'modern', 7]],
    ['another Mcp-Name', call(), replaced('Mcp-Name', 'sub'), ['header-mismatch', 'modern', 7]],
    ['Mcp-Name in broken base64', call(), replaced('Mcp-Name', '=?base64?YWR!?='), ['header-mismatch', 'modern', 7]],
    ['a header sent twice', call(), [...modernHeaders, 'mcp-name', 'add'], ['header-mismatch', 'modern', 7]],
    [
      'initialize under a modern header',
      request('initialize', { protocolVersion: '2025-11-25' }),
      ['MCP-Protocol-Version', '2026-07-28'],
      ['header-mismatch', 'modern', 7],
    ],
    [
      'a legacy request without a session',
      request('tools/list'),
      ['MCP-Protocol-Version', '2025-11-25'],
      ['session-required', 'legacy', 7],
    ],
    ['a legacy request without anything', request('tools/list'), [], ['session-required', 'legacy', 7]],
    [
      'a version older than all of ours, without a session',
      request('tools/list'),
      ['MCP-Protocol-Version', '2024-11-05'],
      ['unsupported-version', 'legacy', 7],
    ],
    [
      'a response from a modern client',
      { jsonrpc: '2.0', id: 1, result: {} },
      modernHeaders,
      ['invalid-request', 'modern', null],
    ],
    [
      'a modern notification with another Mcp-Method',
      { jsonrpc: '2.0', method: 'notifications/x' },
      modernHeaders,
      ['header-mismatch', 'modern', null],
    ],
    [
      'a modern notification of an unspoken version',
      { jsonrpc: '2.0', method: 'notifications/x', params: { _meta: unknownVersion } },
      [],
      ['unsupported-version', 'modern', null],
    ],
    ['a batch without a session', [request('tools/list')], [], ['batch-refused', 'legacy', null]],
    [
      'a batch under a modern header',
      [call()],
      [...modernHeaders, 'Mcp-Session-Id', 's1'],
      ['batch-refused', 'modern', null],
    ],
    ['an empty batch', [], ['Mcp-Session-Id', 's1'], ['invalid-request', 'legacy', null]],
    [
      'a batch with initialize in it',
      [request('initialize')],
      ['Mcp-Session-Id', 's1'],
      ['invalid-request', 'legacy', null],
    ],
    [
      'a batch with something else in it',
      [request('ping'), 5],
      ['Mcp-Session-Id', 's1'],
      ['invalid-request', 'legacy', null],
    ],
    ['a batch beyond the bound', [1, 2, 3, 4], ['Mcp-Session-Id', 's1'], ['batch-refused', 'legacy', null]],
    ['no body', undefined, [], ['invalid-request', 'legacy', null]],
    ['a body that is no object', 'text', [], ['invalid-request', 'legacy', null]],
    ['another JSON-RPC', { jsonrpc: '1.0', id: 7, method: 'ping' }, [], ['invalid-request', 'legacy', 7]],
    ['a null id', { jsonrpc: '2.0', id: null, method: 'ping' }, [], ['invalid-request', 'legacy', null]],
    ['a fractional id', { jsonrpc: '2.0', id: 1.5, method: 'ping' }, [], ['invalid-request', 'legacy', null]],
    ['params in an array', { jsonrpc: '2.0', id: 7, method: 'ping', params: [] }, [], ['invalid-request', 'legacy', 7]],
    ['a message without a method', { jsonrpc: '2.0', id: 7 }, [], ['invalid-request', 'legacy', 7]],
    [
      'a method together with a result',
      { jsonrpc: '2.0', id: 7, method: 'ping', result: {} },
      [],
      ['invalid-request', 'legacy', 7],
    ],
  ])('%s', (_what, body, headers, [code, era, id]) => {
    expect(refusal(post(body, headers))).toEqual({ era, id, code });
  });

  it('names what it supports, in the era of what was asked for', () => {
    const modern = post(call(unknownVersion), replaced('MCP-Protocol-Version', 'v999.0.0'));
    expect(modern).toMatchObject({ failure: { data: { supported: ['2026-07-28'], requested: 'v999.0.0' } } });
    const legacy = post(request('tools/list'), ['MCP-Protocol-Version', '2024-11-05']);
    expect(legacy).toMatchObject({ failure: { data: { supported: ['2025-11-25', '2025-06-18', '2025-03-26'] } } });
  });
});

describe('classify accepts what the specification lets clients vary', () => {
  it.each<[string, readonly string[]]>([
    [
      'blanks around values',
      ['MCP-Protocol-Version', ' 2026-07-28\t', 'Mcp-Method', 'tools/call ', 'Mcp-Name', '  add '],
    ],
    ['header names in any case', ['mcp-protocol-version', '2026-07-28', 'MCP-METHOD', 'tools/call', 'mcp-name', 'add']],
    ['a name in base64', replaced('Mcp-Name', '=?base64?YWRk?=')],
  ])('%s', (_what, headers) => {
    expect(post(call(), headers).kind).toBe('modern');
  });

  it('a name outside of ASCII, in base64', () => {
    const body = request('resources/read', { uri: 'file:///ä', _meta: envelope() });
    const headers = [
      'MCP-Protocol-Version',
      '2026-07-28',
      'Mcp-Method',
      'resources/read',
      'Mcp-Name',
      '=?base64?ZmlsZTovLy/DpA==?=',
    ];
    expect(post(body, headers).kind).toBe('modern');
  });

  it('an envelope without client info', () => {
    const { 'io.modelcontextprotocol/clientInfo': _omitted, ...meta } = envelope();
    expect(post(call(meta), modernHeaders).kind).toBe('modern');
  });

  it('a method that needs no Mcp-Name without one', () => {
    const headers = ['MCP-Protocol-Version', '2026-07-28', 'Mcp-Method', 'tools/list'];
    expect(post(request('tools/list', { _meta: envelope() }), headers).kind).toBe('modern');
  });
});

describe('checkSessionRequest', () => {
  const message = { kind: 'session-message', sessionId: 's1', messages: [], batch: false } as const;
  it.each<[LegacyRevision, string | undefined, string | undefined]>([
    ['2025-03-26', undefined, undefined],
    ['2025-03-26', 'nonsense', undefined],
    ['2025-06-18', undefined, undefined],
    ['2025-06-18', '2025-06-18', undefined],
    ['2025-06-18', '2025-11-25', undefined],
    ['2025-06-18', 'nonsense', 'unsupported-version'],
    ['2025-11-25', '2024-11-05', 'unsupported-version'],
    ['2025-11-25', '2026-07-28', 'unsupported-version'],
  ])('in a session of %s, a version header of %s gives %s', (revision, versionHeader, code) => {
    const asked = versionHeader === undefined ? message : { ...message, versionHeader };
    expect(checkSessionRequest(asked, revision)?.code).toBe(code);
  });

  it('allows batches in sessions of 2025-03-26 only', () => {
    const batch = { ...message, batch: true };
    expect(checkSessionRequest(batch, '2025-03-26')).toBeUndefined();
    expect(checkSessionRequest(batch, '2025-06-18')?.code).toBe('batch-refused');
    expect(checkSessionRequest(batch, '2025-11-25')?.code).toBe('batch-refused');
  });
});

describe('eraOfHeaders', () => {
  it.each<[readonly string[], string]>([
    [[], 'legacy'],
    [['MCP-Protocol-Version', '2025-11-25'], 'legacy'],
    [['MCP-Protocol-Version', '2026-07-28'], 'modern'],
    [['MCP-Protocol-Version', '2027-01-01'], 'modern'],
    [['Mcp-Method', 'tools/list'], 'modern'],
    [['MCP-Protocol-Version', '2025-11-25', 'Mcp-Method', 'tools/list'], 'legacy'],
  ])('of %j is %s', (raw, era) => {
    expect(eraOfHeaders(readMcpHeaders(raw))).toBe(era);
  });
});
