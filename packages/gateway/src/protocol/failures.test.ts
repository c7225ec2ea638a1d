import { JSONRPCErrorResponseSchema } from '@modelcontextprotocol/core';
import { describe, expect, it } from 'vitest';

import { failure, FAILURES, type FailureCode } from '../model/failure.ts';
import type { Operation } from '../model/operation.ts';
import { LEGACY_REVISIONS, MODERN_REVISIONS, type Revision } from '../model/revision.ts';
import type { UpstreamError } from './codec.ts';
import { clientCodecFor, serverCodecFor } from './codecs.ts';
import { callTool, jsonOf } from './fixtures.ts';

const REVISIONS: readonly Revision[] = [...LEGACY_REVISIONS, ...MODERN_REVISIONS];
const CODES = Object.keys(FAILURES) as FailureCode[];
const read: Operation = { kind: 'read-resource', uri: 'file:///a' };

const STANDARD = new Set([-32700, -32600, -32601, -32602, -32603]);
const OF_MCP: Record<string, readonly number[]> = {
  legacy: [-32002, -32020, -32022],
  modern: [-32020, -32021, -32022],
};

describe.each(REVISIONS)('a failure for a %s client', (revision) => {
  const codec = serverCodecFor(revision);

  it.each(CODES)('%s is a valid JSON-RPC error with a code that is ours to use', async (code) => {
    const answer = codec.encodeFailure(failure(code), { id: 'x', operation: callTool, requestId: 'req-1' });
    const message = await jsonOf(answer);
    expect(JSONRPCErrorResponseSchema.safeParse(message).error).toBeUndefined();
    expect(message).toMatchObject({
      id: 'x',
      error: { message: FAILURES[code].message, data: { reason: code, requestId: 'req-1' } },
    });
    const { code: number } = message.error as { code: number };
    const isOwn = number > -32_000 && number <= -31_400;
    expect(isOwn || STANDARD.has(number) || OF_MCP[codec.era]?.includes(number)).toBe(true);
    expect(answer.status === 200 || answer.status >= 400).toBe(true);
  });

  it('says when to try again, in whole seconds and exactly', async () => {
    const answer = codec.encodeFailure(failure('quota-exceeded', { retryAfterMs: 1001 }), { id: 1 });
    expect(answer).toMatchObject({ status: 429, headers: { 'retry-after': '2' } });
    expect(await jsonOf(answer)).toMatchObject({
      error: { code: -31429, data: { reason: 'quota-exceeded', retryAfterMs: 1001 } },
    });
    const soon = codec.encodeFailure(failure('overloaded', { retryAfterMs: 0 }), { id: 1 });
    expect(soon.headers).toEqual({ 'retry-after': '1' });
  });

  it('has no request id where the context has none, and a null id where none was read', async () => {
    const message = await jsonOf(codec.encodeFailure(failure('parse-error'), { id: null }));
    expect(message).toEqual({
      jsonrpc: '2.0',
      id: null,
      error: { code: -32700, message: 'The body is not valid JSON.', data: { reason: 'parse-error' } },
    });
  });

  it('keeps the data that the specification demands', async () => {
    const data = { supported: ['2026-07-28'], requested: 'x' };
    const answer = codec.encodeFailure(failure('unsupported-version', { data }), { id: 1 });
    expect(answer.status).toBe(400);
    expect(await jsonOf(answer)).toMatchObject({ error: { code: -32022, data } });
  });

  it('refuses an unknown method and an unknown resource in the words of its era', async () => {
    const modern = revision === '2026-07-28';
    expect(codec.encodeFailure(failure('method-not-found'), { id: 1 }).status).toBe(modern ? 404 : 200);
    const unknown = await jsonOf(codec.encodeFailure(failure('unknown-resource'), { id: 1, operation: read }));
    expect(unknown).toMatchObject({ error: { code: modern ? -32602 : -32002, data: { uri: 'file:///a' } } });
  });
});

describe('an upstream’s error', () => {
  const relayed = async (revision: Revision, error: UpstreamError, operation: Operation = callTool) => {
    const decoded = clientCodecFor('2025-11-25').decodeError(operation, error);
    const answer = serverCodecFor(revision).encodeFailure(decoded, { id: 1, operation, requestId: 'req-1' });
    const { error: wire } = await jsonOf(answer);
    return { status: answer.status, error: wire };
  };

  it.each(REVISIONS)('reaches a %s client as it is', async (revision) => {
    const error = { code: -32050 + 55, message: 'No more tea.', data: { pot: 'empty' } };
    expect(await relayed(revision, error)).toEqual({
      status: 200,
      error: { ...error, data: { requestId: 'req-1', pot: 'empty' } },
    });
    expect(await relayed(revision, { code: 5, message: 'x', data: 'text' })).toEqual({
      status: 200,
      error: { code: 5, message: 'x', data: 'text' },
    });
  });

  it('about a missing resource is translated both ways', async () => {
    const legacy = { code: -32002, message: 'Resource not found' };
    expect(await relayed('2026-07-28', legacy, read)).toMatchObject({
      error: { code: -32602, data: { uri: 'file:///a' } },
    });
    expect(await relayed('2025-11-25', legacy, read)).toMatchObject({ error: { code: -32002 } });
    const modern = { code: -32602, message: 'Resource not found', data: { uri: 'file:///a' } };
    expect(await relayed('2025-11-25', modern, read)).toMatchObject({ error: { code: -32002 } });
    expect(await relayed('2026-07-28', modern, read)).toMatchObject({ error: { code: -32602 } });
    expect(await relayed('2025-11-25', { ...modern, data: { uri: 'other' } }, read)).toMatchObject({
      error: { code: -32602 },
    });
  });

  it.each(REVISIONS)(
    'about our own envelope is never told to a %s client as if it were about its own',
    async (revision) => {
      for (const code of [-32020, -32022]) {
        const found = await relayed(revision, { code, message: 'x', data: { supported: ['2031-01-01'] } });
        expect(found).toMatchObject({ status: 200, error: { code: -31502, data: { reason: 'upstream-invalid' } } });
      }
    },
  );

  it('names the capability that a server misses', async () => {
    const data = { requiredCapabilities: { sampling: {} } };
    const found = await relayed('2026-07-28', { code: -32021, message: 'x', data });
    expect(found).toMatchObject({
      status: 400,
      error: { code: -32021, message: expect.stringContaining('sampling'), data },
    });
  });

  it('of a code that modern servers may not emit gets one of ours', async () => {
    for (const code of [-32042, -32099, -32023]) {
      expect(await relayed('2026-07-28', { code, message: 'x' })).toMatchObject({ error: { code: -31502 } });
      expect(await relayed('2025-11-25', { code, message: 'x' })).toMatchObject({ error: { code } });
    }
  });

  it('about an unknown method is 404 for modern clients', async () => {
    expect(await relayed('2026-07-28', { code: -32601, message: 'x' })).toMatchObject({
      status: 404,
      error: { code: -32601 },
    });
    expect(await relayed('2025-11-25', { code: -32601, message: 'x' })).toMatchObject({
      status: 200,
      error: { code: -32601 },
    });
  });

  it('without a whole number for its code is an internal error', async () => {
    expect(await relayed('2025-11-25', { code: 1.5, message: 'x' })).toMatchObject({ error: { code: -32603 } });
  });
});
