import { describe, expect, it } from 'vitest';
import type { Send, SendOptions } from '../model/call.ts';
import { failure, Refusal } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { Operation } from '../model/operation.ts';
import type { Outcome } from '../model/outcome.ts';
import { DEFAULT_LISTING_LIMITS, fetchListing } from './listing.ts';
import type { ListingSource } from './listing.ts';
import { testCall } from './testing/test-kit.ts';

const complete = (value: JsonObject): Outcome => ({ kind: 'complete', result: { kind: 'value', value } });
const NO_METHOD: Outcome = {
  kind: 'failed',
  failure: failure('upstream-error', { sent: 'yes', upstream: { code: -32601, message: 'Method not found' } }),
};

type Answers = (operation: Operation, options: SendOptions) => Outcome;

function sourceOf(capabilities: JsonObject, answers: Answers, over: Partial<ListingSource> = {}): ListingSource {
  const send: Send = (call, options) => {
    const { operation } = call.intent.permit;
    if (operation.kind !== 'discover') return Promise.resolve(answers(operation, options));
    const freshness = { ttlMs: 9000, scope: 'public' } as const;
    return Promise.resolve({ kind: 'discovered', discovery: { serverInfo: { name: 's' }, capabilities, freshness } });
  };
  return {
    send,
    callFor: (operation) => testCall(operation),
    spokenTo: () => ({ era: 'modern', revision: '2026-07-28', transport: 'http' }),
    limits: DEFAULT_LISTING_LIMITS,
    signal: new AbortController().signal,
    ...over,
  };
}

const refusalOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'nothing was refused',
    (error: unknown) => (error instanceof Refusal ? error.failure : error),
  );

describe('fetching a listing', () => {
  it('asks for what the capabilities announce, page by page', async () => {
    const asked: string[] = [];
    const { listing } = await fetchListing(
      sourceOf({ tools: {}, resources: {} }, (operation, { upstreamCursor }) => {
        const of = operation.kind === 'list' ? operation.of : '';
        asked.push(`${of} ${upstreamCursor ?? 'start'}`);
        if (of === 'tools' && upstreamCursor === undefined) {
          return complete({ tools: [{ name: 'a' }], nextCursor: 'p2', ttlMs: 5000, cacheScope: 'public' });
        }
        if (of === 'tools') return complete({ tools: [{ name: 'b' }], ttlMs: 4000, cacheScope: 'public' });
        if (of === 'resources') return complete({ resources: [{ uri: 'x:1' }], ttlMs: 6000, cacheScope: 'private' });
        return NO_METHOD;
      }),
    );
    expect(asked.toSorted()).toEqual(['resources start', 'templates start', 'tools p2', 'tools start']);
    expect(listing).toMatchObject({ era: 'modern', freshness: { ttlMs: 4000, scope: 'private' } });
    expect(listing.lists.tools.map(({ text }) => text)).toEqual(['{"name":"a"}', '{"name":"b"}']);
    expect(listing.lists).toMatchObject({ prompts: [], templates: [], resources: [{ text: '{"uri":"x:1"}' }] });
  });

  it('is as fresh as the discovery when there is nothing to list', async () => {
    const { listing } = await fetchListing(sourceOf({}, () => NO_METHOD));
    expect(listing.freshness).toEqual({ ttlMs: 9000, scope: 'public' });
  });

  const BAD_TOOL = {
    name: 'bad',
    inputSchema: { type: 'object', properties: { n: { type: 'number', 'x-mcp-header': 'N' } } },
  };

  it('leaves out tools whose headers break the rules, and says so', async () => {
    const { listing, refused } = await fetchListing(
      sourceOf({ tools: {} }, () => complete({ tools: [{ name: 'good', inputSchema: { type: 'object' } }, BAD_TOOL] })),
    );
    expect(listing.lists.tools.map(({ definition }) => definition['name'])).toEqual(['good']);
    expect(refused).toEqual([{ of: 'tools', name: 'bad', reason: expect.stringContaining('x-mcp-header') }]);
  });

  it('keeps such tools where no headers are sent', async () => {
    const { listing } = await fetchListing(
      sourceOf({ tools: {} }, () => complete({ tools: [BAD_TOOL] }), {
        spokenTo: () => ({ era: 'modern', revision: '2026-07-28', transport: 'stdio' }),
      }),
    );
    expect(listing.lists.tools).toHaveLength(1);
  });

  it('tells of entries that are no definitions', async () => {
    const { refused } = await fetchListing(sourceOf({ tools: {} }, () => complete({ tools: [1, { name: 'a' }] })));
    expect(refused).toEqual([{ of: 'tools', name: '', reason: expect.stringContaining('1 entry is no definition') }]);
  });

  const FAILING: readonly (readonly [string, Answers, Partial<typeof DEFAULT_LISTING_LIMITS>, JsonObject])[] = [
    [
      'a server that is down',
      () => ({ kind: 'failed', failure: failure('server-unavailable') }),
      {},
      { code: 'server-unavailable' },
    ],
    [
      'a list that never ends',
      (_operation, { upstreamCursor }) => complete({ tools: [], nextCursor: `${upstreamCursor ?? ''}x` }),
      { maxPages: 5 },
      { code: 'result-too-large', message: "The server's list of tools has more than 5 pages, which is the bound." },
    ],
    [
      'a cursor that repeats',
      () => complete({ tools: [], nextCursor: 'same' }),
      {},
      {
        code: 'upstream-invalid',
        message: "The server's list of tools is not valid: it repeats a cursor, so it would never end.",
      },
    ],
    [
      'too many entries',
      () => complete({ tools: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] }),
      { maxItems: 2 },
      { code: 'result-too-large' },
    ],
    [
      'too many bytes',
      () => complete({ tools: [{ name: 'a'.repeat(500) }] }),
      { maxBytes: 100 },
      { code: 'result-too-large' },
    ],
    ['something that is no list', () => complete({ content: [] }), {}, { code: 'upstream-invalid' }],
  ];
  it.each(FAILING)('refuses %s as a whole', async (_what, answers, limits, expected) => {
    const source = sourceOf({ tools: {} }, answers, { limits: { ...DEFAULT_LISTING_LIMITS, ...limits } });
    expect(await refusalOf(fetchListing(source))).toMatchObject(expected);
  });
});
