import {
  CallToolResultSchema,
  JSONRPCResultResponseSchema,
  ReadResourceResultSchema,
} from '@modelcontextprotocol/core';
import { CallToolResultSchema as CallToolResultV1 } from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, it } from 'vitest';

import { failure } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { Operation } from '../model/operation.ts';
import type { Outcome, UpstreamMessage } from '../model/outcome.ts';
import { LEGACY_REVISIONS, MODERN_REVISIONS, type Revision } from '../model/revision.ts';
import { clientCodecFor, serverCodecFor } from './codecs.ts';
import type { EncodeContext } from './codec.ts';
import { callTool, contextOf, jsonOf, responseText, textOf, toolEntry, upstreamMessage } from './fixtures.ts';

const REVISIONS: readonly Revision[] = [...LEGACY_REVISIONS, ...MODERN_REVISIONS];
const LEGACY: readonly Revision[] = LEGACY_REVISIONS;

const ours = { 'io.modelcontextprotocol/serverInfo': { name: 'sallyport', title: 'Sallyport', version: '0.1.0' } };
const content = [{ type: 'text', text: 'grüße "x"' }];
const read: Operation = { kind: 'read-resource', uri: 'file:///a' };
const contents = [{ uri: 'file:///a', text: 'a' }];

const complete = (message: UpstreamMessage): Outcome => ({ kind: 'complete', result: { kind: 'message', message } });
const encoded = (revision: Revision, outcome: Outcome, context: EncodeContext = contextOf(callTool)) =>
  serverCodecFor(revision).encode(outcome, context);
const resultOf = async (revision: Revision, outcome: Outcome, context?: EncodeContext) => {
  const message = await jsonOf(encoded(revision, outcome, context));
  expect(JSONRPCResultResponseSchema.safeParse(message).error).toBeUndefined();
  return message.result as JsonObject;
};

describe.each(REVISIONS)('a result for a %s client', (revision) => {
  it('keeps every byte of its server but the id', async () => {
    const text =
      '{ "id" : 4711, "jsonrpc":"2.0",\n "result" : {"resultType":"complete","content":[], "big":12345678901234567890, "x":{"vendor":1.0}}}';
    const written = await textOf((await encoded(revision, complete(upstreamMessage(text, 'modern')))).body);
    expect(written).toBe(text.replace('4711', '7'));
  });

  it('is written under string ids, and with the id behind the result', async () => {
    const text = '{"jsonrpc":"2.0","result":{"resultType":"complete","content":[]},"id":"up-1"}';
    const context = contextOf(callTool, { id: 'client "1"' });
    const written = await textOf((await encoded(revision, complete(upstreamMessage(text, 'modern')), context)).body);
    expect(JSON.parse(written)).toEqual({
      jsonrpc: '2.0',
      id: 'client "1"',
      result: { resultType: 'complete', content: [] },
    });
  });

  it.each([60, 75, 90, 130])('streams while it is still arriving, its first %d bytes known', async (headBytes) => {
    const text = responseText({ resultType: 'complete', content, isError: false, vendor: { more: ['x'.repeat(50)] } });
    const message = upstreamMessage(text, 'modern', headBytes);
    const answer = encoded(revision, complete(message));
    expect(answer).not.toBeInstanceOf(Promise);
    expect(await jsonOf(answer)).toMatchObject({
      id: 7,
      result: { content, isError: false, vendor: { more: [expect.any(String)] } },
    });
  });

  it('that we made ourselves is valid', async () => {
    const result = await resultOf(revision, { kind: 'complete', result: { kind: 'value', value: { content } } });
    expect(CallToolResultSchema.safeParse(result).error).toBeUndefined();
    expect(result.resultType).toBe(revision === '2026-07-28' ? 'complete' : undefined);
  });

  it.each<[string, Outcome]>([
    ['a question to the person', { kind: 'input-required', requests: {} }],
    ['a task', { kind: 'task', task: {} }],
  ])('is an honest error where it would be %s', async (_what, outcome) => {
    expect(await jsonOf(encoded(revision, outcome))).toMatchObject({
      error: { code: -31502, data: { reason: 'upstream-invalid' } },
    });
  });
});

describe('a legacy result for a modern client', () => {
  const fromLegacy = (result: JsonObject, operation: Operation = callTool, headBytes?: number) =>
    resultOf('2026-07-28', complete(upstreamMessage(responseText(result), 'legacy', headBytes)), contextOf(operation));

  it('says what it is and who wrote it', async () => {
    expect(await fromLegacy({ content })).toEqual({ resultType: 'complete', _meta: ours, content });
    expect(await fromLegacy({ content, _meta: { vendor: 1 } })).toEqual({
      resultType: 'complete',
      content,
      _meta: { vendor: 1 },
    });
  });

  it('may be empty', async () => {
    expect(await fromLegacy({})).toEqual({ resultType: 'complete', _meta: ours });
  });

  it('cannot pass for a question', async () => {
    const forged = { resultType: 'input_required', requestState: 'x', content };
    expect(await fromLegacy(forged)).toMatchObject({ resultType: 'complete' });
  });

  it('says that a read is stale at once and for nobody else', async () => {
    const result = await fromLegacy({ contents }, read);
    expect(result).toEqual({ resultType: 'complete', ttlMs: 0, cacheScope: 'private', _meta: ours, contents });
    expect(ReadResourceResultSchema.safeParse(result).error).toBeUndefined();
    expect(await fromLegacy({ contents, ttlMs: 'x', cacheScope: 'public' }, read)).toMatchObject({
      ttlMs: 0,
      cacheScope: 'private',
    });
  });

  it('is completed at the front while the rest is still arriving', async () => {
    const result = { contents: [{ uri: 'file:///a', text: 'x'.repeat(100) }] };
    expect(await fromLegacy(result, read, 60)).toEqual({
      resultType: 'complete',
      ttlMs: 0,
      cacheScope: 'private',
      ...result,
    });
  });

  it('whose head breaks off at its brace is refused rather than guessed at', async () => {
    const text = responseText({ content });
    const message = upstreamMessage(text, 'legacy', text.indexOf('"content"'));
    expect(await jsonOf(encoded('2026-07-28', complete(message)))).toMatchObject({ error: { code: -31502 } });
  });
});

describe('a modern read for a modern client', () => {
  const fromModern = (result: JsonObject, headBytes?: number) =>
    resultOf(
      '2026-07-28',
      complete(upstreamMessage(responseText({ resultType: 'complete', ...result }), 'modern', headBytes)),
      contextOf(read),
    );

  it('keeps its life time, and is private: it was read with one caller’s rights', async () => {
    expect(await fromModern({ ttlMs: 5000, cacheScope: 'public', contents })).toMatchObject({
      ttlMs: 5000,
      cacheScope: 'private',
      contents,
    });
  });

  it('gets what it should have said', async () => {
    expect(await fromModern({ contents })).toMatchObject({ ttlMs: 0, cacheScope: 'private' });
  });

  it('is not told twice what may yet follow', async () => {
    const result = { contents: [{ uri: 'file:///a', text: 'x'.repeat(100) }], ttlMs: 9, cacheScope: 'private' };
    expect(await fromModern(result, 90)).toEqual({ resultType: 'complete', ...result });
  });
});

describe('structured output for older clients', () => {
  const link = { type: 'resource_link', uri: 'file:///a', name: 'a', title: 'The A', description: 'All of it' };
  const tool = (outputSchema: JsonObject) => toolEntry({ name: 'add', inputSchema: { type: 'object' }, outputSchema });
  const fromModern = (result: JsonObject, headBytes?: number) =>
    complete(upstreamMessage(responseText({ resultType: 'complete', ...result }), 'modern', headBytes));

  it.each(LEGACY)('is left out for %s when it is not an object', async (revision) => {
    const result = await resultOf(revision, fromModern({ content, structuredContent: [1, 2] }));
    expect(result).toEqual({ resultType: 'complete', content });
    expect(CallToolResultV1.safeParse(result).error).toBeUndefined();
  });

  it.each(['2025-06-18', '2025-11-25'] as const)('stays for %s when it is an object', async (revision) => {
    const result = await resultOf(revision, fromModern({ content, structuredContent: { a: 1 } }));
    expect(result).toMatchObject({ structuredContent: { a: 1 } });
  });

  it('is left out of a result that is still arriving when the tool announced another root', async () => {
    const entry = tool({ type: 'array' });
    const outcome = () => fromModern({ content, structuredContent: [1, 2] }, 60);
    const context = contextOf(callTool, { entry });
    expect(await resultOf('2025-11-25', outcome(), context)).toEqual({ resultType: 'complete', content });
    const small = contextOf(callTool, { entry, maxProjectedBytes: 70 });
    expect(await jsonOf(encoded('2025-11-25', outcome(), small))).toMatchObject({
      error: { data: { reason: 'result-too-large' } },
    });
  });

  it('that ends too early is an error', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array([0x20]);
      throw new Error('reset');
    }
    const message = upstreamMessage(
      responseText({ resultType: 'complete', content, structuredContent: [] }),
      'modern',
      60,
    );
    const context = contextOf(callTool, { entry: tool({ type: 'array' }) });
    expect(await jsonOf(encoded('2025-11-25', complete({ ...message, rest: broken() }), context))).toMatchObject({
      error: { data: { reason: 'upstream-closed' } },
    });
  });

  it('that is left out is said in words where its server did not', async () => {
    const result = await resultOf('2025-11-25', fromModern({ content: [], structuredContent: [1, 2] }));
    expect(result).toMatchObject({ content: [{ type: 'text', text: '[1,2]' }] });
    expect(await resultOf('2025-06-18', fromModern({ structuredContent: null }))).toMatchObject({
      content: [{ type: 'text', text: 'null' }],
    });
  });

  it('is unknown before 2025-06-18, and so are links', async () => {
    const result = await resultOf(
      '2025-03-26',
      fromModern({ content: [link, ...content], structuredContent: { a: 1 } }),
    );
    expect(result).toEqual({
      resultType: 'complete',
      content: [{ type: 'text', text: 'The A: file:///a\nAll of it' }, ...content],
    });
    const prompt: Operation = { kind: 'get-prompt', name: 'p', arguments: {} };
    const messages = [{ role: 'user', content: link }];
    expect(await resultOf('2025-03-26', fromModern({ messages }), contextOf(prompt))).toMatchObject({
      messages: [{ role: 'user', content: { type: 'text' } }],
    });
  });
});

describe('a result from an upstream', () => {
  const decode = (revision: Revision, text: string, headBytes?: number) =>
    clientCodecFor(revision).decodeResult(
      callTool,
      upstreamMessage(text, revision === '2026-07-28' ? 'modern' : 'legacy', headBytes),
    );

  it.each(LEGACY)('of %s is complete, whatever it says', (revision) => {
    expect(decode(revision, responseText({ resultType: 'input_required' })).kind).toBe('complete');
  });

  it.each<[JsonObject, Outcome['kind']]>([
    [{ resultType: 'complete' }, 'complete'],
    [{ content: [] }, 'complete'],
    [
      {
        resultType: 'input_required',
        inputRequests: { q: { method: 'elicitation/create', params: { message: 'x' } } },
      },
      'input-required',
    ],
    [{ resultType: 'input_required', requestState: 's' }, 'input-required'],
    [{ resultType: 'task', taskId: 't' }, 'task'],
    [{ resultType: 'complete ' }, 'failed'],
    [{ resultType: 'other' }, 'failed'],
    [{ resultType: 5 }, 'failed'],
    [{ resultType: 'input_required', inputRequests: { q: 'x' } }, 'failed'],
    [{ resultType: 'input_required', inputRequests: [] }, 'failed'],
  ])('of 2026-07-28 that is %j is %s', (result, kind) => {
    expect(decode('2026-07-28', responseText(result)).kind).toBe(kind);
  });

  it('of 2026-07-28 hands on the questions as they are', () => {
    const inputRequests = { q: { method: 'elicitation/create', params: { message: 'x' } } };
    expect(decode('2026-07-28', responseText({ resultType: 'input_required', inputRequests }))).toEqual({
      kind: 'input-required',
      requests: inputRequests,
    });
  });
});

describe('a question of ours', () => {
  const requests = { 'com.sallyport/approval': { method: 'elicitation/create', params: { message: 'Really?' } } };
  const continuation = { kind: 'approval', approvalId: 'a1' } as const;

  it('is a result that asks, with the state that its answers come back with', async () => {
    const result = await resultOf('2026-07-28', { kind: 'input-required', requests, continuation });
    expect(result).toEqual({
      resultType: 'input_required',
      inputRequests: requests,
      requestState: 'state:a1',
      _meta: { 'io.modelcontextprotocol/serverInfo': expect.anything() },
    });
  });

  it('that only waits has a state and nothing to answer', async () => {
    const result = await resultOf('2026-07-28', { kind: 'input-required', requests: {}, continuation });
    expect(result).toMatchObject({ resultType: 'input_required', requestState: 'state:a1' });
    expect(result).not.toHaveProperty('inputRequests');
  });

  it('is not what a server asks, whatever keys it uses', async () => {
    expect(await jsonOf(encoded('2026-07-28', { kind: 'input-required', requests }))).toMatchObject({
      error: { data: { reason: 'upstream-invalid' } },
    });
  });
});

describe('what a person has to do about an approval, or did', () => {
  it.each(REVISIONS)('is a result of the tool for %s, which the model can read', async (revision) => {
    for (const code of ['approval-required', 'approval-refused'] as const) {
      const result = await resultOf(revision, {
        kind: 'failed',
        failure: failure(code, { message: 'Open the link.' }),
      });
      expect(result).toMatchObject({ isError: true, content: [{ type: 'text', text: 'Open the link.' }] });
    }
  });

  it.each(REVISIONS)('is a JSON-RPC error where there is no such result (%s)', async (revision) => {
    const context = contextOf({ kind: 'read-resource', uri: 'file:///a' });
    const outcome: Outcome = { kind: 'failed', failure: failure('approval-required') };
    expect(await jsonOf(encoded(revision, outcome, context))).toMatchObject({
      error: { code: -31_403, data: { reason: 'approval-required' } },
    });
  });
});

describe('arguments that break the schema', () => {
  const broken: Outcome = { kind: 'failed', failure: failure('invalid-arguments', { message: 'a must be a number.' }) };

  it.each(['2025-11-25', '2026-07-28'] as const)(
    'are the tool’s own error for %s, which the model can read',
    async (revision) => {
      const result = await resultOf(revision, broken);
      expect(result).toMatchObject({ isError: true, content: [{ type: 'text', text: 'a must be a number.' }] });
      expect(CallToolResultSchema.safeParse(result).error).toBeUndefined();
    },
  );

  it.each(['2025-03-26', '2025-06-18'] as const)('are a JSON-RPC error for %s', async (revision) => {
    expect(await jsonOf(encoded(revision, broken))).toMatchObject({
      error: { code: -32602, message: 'a must be a number.' },
    });
  });

  it.each(REVISIONS)('of a prompt are a JSON-RPC error for %s', async (revision) => {
    const context = contextOf({ kind: 'get-prompt', name: 'p', arguments: {} });
    expect(await jsonOf(encoded(revision, broken, context))).toMatchObject({ error: { code: -32602 } });
  });
});
