import {
  array,
  assert,
  asyncProperty,
  constantFrom,
  dictionary,
  integer,
  jsonValue,
  record,
  string,
  uniqueArray,
} from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { JsonObject } from '../model/json.ts';
import type { Operation, OperationKind } from '../model/operation.ts';
import type { UpstreamMessage } from '../model/outcome.ts';
import type { Era } from '../model/revision.ts';
import { serverCodecFor } from './codecs.ts';
import { contextOf, jsonOf, upstreamMessage } from './fixtures.ts';

const ours = { 'io.modelcontextprotocol/serverInfo': expect.objectContaining({ name: 'sallyport' }) };

type Layout = { readonly members: readonly string[]; readonly space: readonly string[] };

/** The members in the given order, with white space between all tokens at the top. */
function write({ members, space }: Layout, result: JsonObject): string {
  const texts: Record<string, string> = {
    jsonrpc: '"jsonrpc":"2.0"',
    id: `"id"${space[0]}:${space[1]}"up\\u0031"`,
    result: `"result"${space[2]}:${JSON.stringify(result, undefined, space[3])}`,
  };
  return `{${space[4]}${members.map((name) => texts[name]).join(`${space[5]},${space[0]}`)}}`;
}

/** The message with its head cut at `cut`, where so little says what it is; else whole. */
function cutAt(text: string, era: Era, cut: number): UpstreamMessage {
  try {
    return upstreamMessage(text, era, Math.min(cut, text.length - 1));
  } catch {
    return upstreamMessage(text, era);
  }
}

const operations: Partial<Record<OperationKind, Operation>> = {
  'call-tool': { kind: 'call-tool', name: 'a', arguments: {} },
  'read-resource': { kind: 'read-resource', uri: 'x:a' },
};

const results = dictionary(
  string({ minLength: 1 }).filter(
    (key) => !['__proto__', 'structuredContent', 'resultType', '_meta', 'ttlMs', 'cacheScope'].includes(key),
  ),
  jsonValue({ maxDepth: 3 }),
).map((value): JsonObject => JSON.parse(JSON.stringify(value)));

describe('A spliced result', () => {
  const layouts = record({
    members: uniqueArray(constantFrom('jsonrpc', 'id', 'result'), { minLength: 3, maxLength: 3 }),
    space: array(constantFrom('', ' ', '\n\t'), { minLength: 6, maxLength: 6 }),
  });
  const kinds = constantFrom<OperationKind>('call-tool', 'read-resource');

  it('of a legacy server holds, for a modern client, what it held and what it lacked', async () => {
    await assert(
      asyncProperty(layouts, results, kinds, integer({ min: 1, max: 120 }), async (layout, result, kind, cut) => {
        const message = cutAt(write(layout, result), 'legacy', cut);
        const context = contextOf(operations[kind] ?? { kind: 'ping' });
        const outcome = { kind: 'complete', result: { kind: 'message', message } } as const;
        const answer = await serverCodecFor('2026-07-28').encode(outcome, context);
        if (message.resultEnd === undefined && answer.body.rest === undefined) return;
        const freshness = kind === 'read-resource' ? { ttlMs: 0, cacheScope: 'private' } : {};
        const meta = message.resultEnd === undefined ? {} : { _meta: ours };
        expect(await jsonOf(answer)).toEqual({
          jsonrpc: '2.0',
          id: 7,
          result: { ...result, resultType: 'complete', ...freshness, ...meta },
        });
      }),
    );
  });

  it('of any server reaches a legacy client unchanged', async () => {
    await assert(
      asyncProperty(layouts, results, integer({ min: 1, max: 160 }), async (layout, result, cut) => {
        const modern = { resultType: 'complete', ...result };
        const message = cutAt(write(layout, modern), 'modern', cut);
        const outcome = { kind: 'complete', result: { kind: 'message', message } } as const;
        const answer = serverCodecFor('2025-11-25').encode(
          outcome,
          contextOf({ kind: 'call-tool', name: 'a', arguments: {} }),
        );
        expect(await jsonOf(answer)).toEqual({ jsonrpc: '2.0', id: 7, result: modern });
      }),
    );
  });
});
