/** Clients of 2024-11-05 are answered in the words of their own revision. */

import { describe, expect, it } from 'vitest';

import type { JsonObject } from '../model/json.ts';
import type { Outcome } from '../model/outcome.ts';
import { oldestServerCodec } from './codecs.ts';
import { callTool, contextOf, jsonOf, responseText, toolEntry, upstreamMessage } from './fixtures.ts';

const complete = (result: JsonObject): Outcome => ({
  kind: 'complete',
  result: { kind: 'message', message: upstreamMessage(responseText(result), 'legacy') },
});

const resultOf = async (outcome: Outcome): Promise<unknown> =>
  (await jsonOf(oldestServerCodec.encode(outcome, contextOf(callTool)))).result;

describe('a client of 2024-11-05', () => {
  it('is told that it speaks 2024-11-05, and served like one of 2025-03-26', async () => {
    const discovery = { serverInfo: {}, capabilities: {}, freshness: { ttlMs: 0, scope: 'private' } } as const;
    expect(await resultOf({ kind: 'discovered', discovery })).toMatchObject({ protocolVersion: '2024-11-05' });
    expect(oldestServerCodec).toMatchObject({ era: 'legacy', revision: '2025-03-26' });
  });

  it.each<[string, JsonObject, JsonObject]>([
    ['a sound', { type: 'audio', data: 'AAAA', mimeType: 'audio/wav' }, { text: expect.stringContaining('sound') }],
    ['a link', { type: 'resource_link', uri: 'file:///a', name: 'a' }, { text: 'a: file:///a' }],
    ['a picture', { type: 'image', data: 'AAAA', mimeType: 'image/png' }, { type: 'image' }],
    ['a text', { type: 'text', text: '"audio"' }, { type: 'text', text: '"audio"' }],
  ])('gets %s in a way that it knows', async (_name, block, seen) => {
    expect(await resultOf(complete({ content: [block] }))).toMatchObject({ content: [seen] });
  });

  it('sees no titles and no output schemas in lists', async () => {
    const entry = toolEntry({
      name: 'add',
      title: 'Add',
      inputSchema: { type: 'object' },
      outputSchema: { type: 'object' },
    });
    const listed = { kind: 'listed', page: { of: 'tools', entries: [entry] } } as unknown as Outcome;
    expect(await resultOf(listed)).toEqual({ tools: [{ name: 'add', inputSchema: { type: 'object' } }] });
  });
});
