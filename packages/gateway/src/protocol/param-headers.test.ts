import { assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { JsonObject } from '../model/json.ts';
import { decodeHeaderValue, encodeHeaderValue } from './header-value.ts';
import { readMcpHeaders } from './mcp-headers.ts';
import { checkParamHeaders, encodeParamHeaders, scanParamHeaders } from './param-headers.ts';

describe('header values', () => {
  it.each([
    ['us-west1', 'us-west1'],
    ['two words', 'two words'],
    ['Hello, 世界', '=?base64?SGVsbG8sIOS4lueVjA==?='],
    [' padded ', '=?base64?IHBhZGRlZCA=?='],
    ['line1\nline2', '=?base64?bGluZTEKbGluZTI=?='],
    ['=?base64?literal?=', '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?='],
    ['', '=?base64??='],
  ])('carry %j as %j', (plain, encoded) => {
    expect(encodeHeaderValue(plain)).toBe(encoded);
    expect(decodeHeaderValue(encoded)).toBe(plain);
  });

  it('survive the way there and back, and hold visible ASCII only', () => {
    assert(
      property(string({ unit: 'binary' }), (value) => {
        const encoded = encodeHeaderValue(value);
        expect(encoded).toMatch(/^[\x20-\x7e\t]*$/);
        expect(encoded.trim()).toBe(encoded);
        expect(decodeHeaderValue(encoded)).toBe(value);
      }),
    );
  });

  it.each(['=?base64?SGVsbG8?=', '=?base64?SGVs!!!bG8=?=', '=?base64?/w==?=', 'caf\u00e9', 'a\u0000b'])(
    'are refused when they are %j',
    (value) => {
      expect(decodeHeaderValue(value)).toBeUndefined();
    },
  );

  it.each(['SGVsbG8=', '=?base64?SGVsbG8=', '=?BASE64?SGVsbG8=?=', 'SGVsbG8=?='])(
    'are taken literally when the marks are not exact: %j',
    (value) => {
      expect(decodeHeaderValue(value)).toBe(value);
    },
  );
});

const schemaOf = (properties: JsonObject, more: JsonObject = {}): JsonObject => ({
  type: 'object',
  properties,
  ...more,
});
const region = { type: 'string', 'x-mcp-header': 'Region' };

describe('scanParamHeaders', () => {
  it('finds declarations at any depth that properties alone reach', () => {
    const schema = schemaOf({ region, where: schemaOf({ zone: { type: 'integer', 'x-mcp-header': 'Zone' } }) });
    expect(scanParamHeaders(schema)).toEqual({
      ok: true,
      value: [
        { path: ['region'], name: 'Region', type: 'string' },
        { path: ['where', 'zone'], name: 'Zone', type: 'integer' },
      ],
    });
  });

  it.each<[string, JsonObject]>([
    ['an empty name', schemaOf({ a: { type: 'string', 'x-mcp-header': '' } })],
    ['a name with a space', schemaOf({ a: { type: 'string', 'x-mcp-header': 'My Region' } })],
    ['a name with a line break', schemaOf({ a: { type: 'string', 'x-mcp-header': 'A\r\nB' } })],
    ['a name that is no string', schemaOf({ a: { type: 'string', 'x-mcp-header': 5 } })],
    ['two names that differ in case only', schemaOf({ a: region, b: { type: 'string', 'x-mcp-header': 'REGION' } })],
    ['type number', schemaOf({ a: { type: 'number', 'x-mcp-header': 'A' } })],
    ['type object', schemaOf({ a: { type: 'object', 'x-mcp-header': 'A' } })],
    ['no type', schemaOf({ a: { 'x-mcp-header': 'A' } })],
    ['several types', schemaOf({ a: { type: ['string', 'null'], 'x-mcp-header': 'A' } })],
    ['a place at the root', { type: 'string', 'x-mcp-header': 'A' }],
    ['a place under items', schemaOf({ list: { type: 'array', items: region } })],
    ['a place under anyOf', schemaOf({}, { anyOf: [schemaOf({ region })] })],
    ['a place under else', schemaOf({}, { if: {}, else: schemaOf({ region }) })],
    ['a place under $defs', schemaOf({}, { $defs: { r: region } })],
    ['a place under additionalProperties', schemaOf({}, { additionalProperties: region })],
    ['a place under a keyword that nobody knows', schemaOf({}, { 'x-other': { deep: region } })],
  ])('refuses %s', (_what, schema) => {
    expect(scanParamHeaders(schema).ok).toBe(false);
  });

  it('does not take data for declarations', () => {
    const value = { 'x-mcp-header': 'A' };
    expect(
      scanParamHeaders(schemaOf({ a: { const: value, default: value, enum: [value], examples: [value] } })).ok,
    ).toBe(true);
    expect(scanParamHeaders(schemaOf({ 'x-mcp-header': { type: 'string' } })).ok).toBe(true);
  });

  it('refuses a schema that is too deep to be searched, without recursing into it', () => {
    let schema: JsonObject = {};
    for (let depth = 0; depth < 20_000; depth += 1) schema = { properties: { a: schema } };
    expect(scanParamHeaders(schema).ok).toBe(false);
    let list: JsonObject = {};
    for (let depth = 0; depth < 20_000; depth += 1) list = { items: list };
    expect(scanParamHeaders(list).ok).toBe(false);
  });
});

const schema = schemaOf({
  region,
  count: { type: 'integer', 'x-mcp-header': 'Count' },
  dry: { type: 'boolean', 'x-mcp-header': 'Dry' },
  nested: schemaOf({ zone: { type: 'string', 'x-mcp-header': 'Zone' } }),
  free: { type: 'string' },
});

describe('checkParamHeaders', () => {
  it.each<[JsonObject, Record<string, string>]>([
    [{}, {}],
    [{ region: 'eu' }, { region: 'eu' }],
    [{ region: 'Grüße' }, { region: '=?base64?R3LDvMOfZQ==?=' }],
    [{ region: null }, {}],
    [{ count: 42 }, { count: '42' }],
    [{ count: 42 }, { count: '42.0' }],
    [{ dry: false }, { dry: 'false' }],
    [{ nested: { zone: 'a' } }, { zone: 'a' }],
    [{ free: 'x' }, { 'not-declared': 'anything' }],
  ])('accepts %j with %j', (args, headers) => {
    expect(checkParamHeaders(schema, args, headers)).toBeUndefined();
  });

  it.each<[JsonObject, Record<string, string>]>([
    [{ region: 'eu' }, {}],
    [{ region: 'eu' }, { region: 'us' }],
    [{ region: 'eu' }, { region: 'EU' }],
    [{ region: 'eu' }, { region: '=?base64?ZXU?=' }],
    [{}, { region: 'eu' }],
    [{ region: null }, { region: 'null' }],
    [{ count: 42 }, { count: '0x2a' }],
    [{ count: 42 }, { count: '42.5' }],
    [{ dry: true }, { dry: 'True' }],
    [{ nested: {} }, { zone: 'a' }],
  ])('refuses %j with %j', (args, headers) => {
    expect(checkParamHeaders(schema, args, headers)?.code).toBe('header-mismatch');
  });

  it('reads own members only', () => {
    const named = schemaOf({ constructor: { type: 'string', 'x-mcp-header': 'constructor' } });
    expect(checkParamHeaders(named, {}, {})).toBeUndefined();
  });
});

describe('encodeParamHeaders', () => {
  it('writes what checkParamHeaders accepts', () => {
    const args = { region: 'Grüße', count: -7, dry: true, nested: { zone: ' z ' }, free: 'x' };
    const headers = encodeParamHeaders(schema, args, undefined);
    const raw = Object.entries(headers).flat();
    expect(checkParamHeaders(schema, args, readMcpHeaders(raw).params)).toBeUndefined();
    expect(headers).toEqual({
      'mcp-param-region': '=?base64?R3LDvMOfZQ==?=',
      'mcp-param-count': '-7',
      'mcp-param-dry': 'true',
      'mcp-param-zone': '=?base64?IHog?=',
    });
  });

  it('forwards headers that the schema does not declare, and none that the arguments do not bear out', () => {
    expect(encodeParamHeaders(schema, {}, { tenant: 'a', region: 'smuggled' })).toEqual({ 'mcp-param-tenant': 'a' });
    expect(encodeParamHeaders(undefined, {}, { tenant: 'a' })).toEqual({ 'mcp-param-tenant': 'a' });
  });
});

describe('readMcpHeaders', () => {
  it('keeps parameters by lower-case name and notices what comes twice', () => {
    const raw = ['Mcp-Param-Region', ' eu ', 'MCP-PARAM-TENANT', 'a', 'X-Other', '1', 'Mcp-Session-Id', 's'];
    expect(readMcpHeaders(raw)).toEqual({ sessionId: 's', params: { region: 'eu', tenant: 'a' } });
    expect(readMcpHeaders([...raw, 'mcp-param-region', 'us']).repeated).toBe('mcp-param-region');
    expect(readMcpHeaders(['Mcp-Method', 'a', 'mcp-method', 'a']).repeated).toBe('mcp-method');
  });

  it('keeps a parameter named __proto__ as one like any other', () => {
    const { params } = readMcpHeaders(['Mcp-Param-__proto__', 'x']);
    expect(Object.keys(params)).toEqual(['__proto__']);
  });
});
