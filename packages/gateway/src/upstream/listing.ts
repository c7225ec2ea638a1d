/**
 * Fetches what one server offers, whole: what it says of itself, and its tools, prompts, resources and templates page by
 * page, within bounds. Through the same `Send` as every call, with a permit that the composition root hands in.
 */

import type { Call, Send, SendOptions } from '../model/call.ts';
import { failure, Refusal } from '../model/failure.ts';
import type { Failure } from '../model/failure.ts';
import { isJsonObject } from '../model/json.ts';
import type { ListKind, Operation } from '../model/operation.ts';
import { LIST_KINDS } from '../model/operation.ts';
import type { ClientChannel, Discovery, Freshness, ListedItem, Listing, Outcome, Raw } from '../model/outcome.ts';
import { scanParamHeaders } from '../protocol/param-headers.ts';
import { readListPage } from './list-page.ts';
import type { SpokenTo } from './connector.ts';

export type ListingLimits = {
  /** For one page. */
  readonly pageTimeoutMs: number;
  readonly maxPages: number;
  /** Of one kind, over all its pages. */
  readonly maxItems: number;
  readonly maxBytes: number;
};

export const DEFAULT_LISTING_LIMITS: ListingLimits = {
  pageTimeoutMs: 60_000,
  maxPages: 100,
  maxItems: 10_000,
  maxBytes: 16 * 1024 * 1024,
};

export type ListingSource = {
  readonly send: Send;
  /** A call of the gateway itself about the server, with its permit and intent. */
  callFor(operation: Operation): Call;
  /** How the server is spoken to, once it was reached. */
  spokenTo(): SpokenTo | undefined;
  readonly limits: ListingLimits;
  readonly signal: AbortSignal;
};

/** A definition that is left out, with the reason: an operator should hear of it. */
export type RefusedDefinition = { readonly of: ListKind; readonly name: string; readonly reason: string };

export type FetchedListing = { readonly listing: Listing; readonly refused: readonly RefusedDefinition[] };

/** The capability that announces a list. */
const CAPABILITIES = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  templates: 'resources',
} as const satisfies Record<ListKind, string>;

const METHOD_NOT_FOUND = -32601;

const SILENT: ClientChannel = { wantsProgress: false, notify: () => undefined };

/** All or nothing: a listing that lacks what it failed to fetch would withdraw it. @throws Refusal */
export async function fetchListing(source: ListingSource): Promise<FetchedListing> {
  const discovery = await discover(source);
  const refused: RefusedDefinition[] = [];
  const announced = LIST_KINDS.filter((kind) => isJsonObject(discovery.capabilities[CAPABILITIES[kind]]));
  const fetched = await Promise.all(announced.map((kind) => fetchList(source, kind, refused)));
  const lists: Record<ListKind, readonly ListedItem[]> = { tools: [], prompts: [], resources: [], templates: [] };
  let freshness: Freshness | undefined;
  for (const [index, kind] of announced.entries()) {
    const list = fetched[index];
    if (list === undefined) continue;
    lists[kind] = list.items;
    freshness = strictest(freshness, list.freshness);
  }
  const spokenTo = source.spokenTo();
  if (spokenTo === undefined) throw new Refusal(failure('internal', { message: 'The server was never reached.' }));
  return {
    listing: { era: spokenTo.era, discovery, lists, freshness: freshness ?? discovery.freshness },
    refused,
  };
}

async function discover(source: ListingSource): Promise<Discovery> {
  const outcome = await ask(source, { kind: 'discover' });
  if (outcome.kind === 'discovered') return outcome.discovery;
  throw new Refusal(outcome.kind === 'failed' ? outcome.failure : invalid('discovery', 'is no DiscoverResult'));
}

type FetchedList = { readonly items: readonly ListedItem[]; readonly freshness: Freshness };

async function fetchList(
  source: ListingSource,
  of: ListKind,
  refused: RefusedDefinition[],
): Promise<FetchedList | undefined> {
  const { limits } = source;
  const items: ListedItem[] = [];
  const seenCursors = new Set<string>();
  let freshness: Freshness | undefined;
  let budget = limits.maxBytes;
  let cursor: string | undefined;
  for (let pages = 0; ; pages += 1) {
    if (pages === limits.maxPages) throw tooMuch(of, `${limits.maxPages} pages`);
    const outcome = await ask(source, { kind: 'list', of }, cursor);
    if (outcome.kind === 'failed') {
      // Announced but not offered: the templates of a server that has only resources, for one.
      if (outcome.failure.upstream?.code === METHOD_NOT_FOUND && pages === 0) return undefined;
      throw new Refusal(outcome.failure);
    }
    if (outcome.kind !== 'complete') throw new Refusal(invalid(of, 'asks for input'));
    const bytes = await bytesOf(outcome.result, budget);
    if (bytes === undefined) throw tooMuch(of, `${limits.maxBytes} bytes`);
    budget -= bytes.length;
    const page = readListPage(of, bytes);
    if (!page.ok) throw new Refusal(invalid(of, page.error));
    freshness = strictest(freshness, page.value.freshness);
    if (page.value.malformed > 0) refused.push(malformed(of, page.value.malformed));
    for (const item of page.value.items) keep(source, { of, item, items, refused });
    if (items.length > limits.maxItems) throw tooMuch(of, `${limits.maxItems} entries`);
    cursor = page.value.nextCursor;
    if (cursor === undefined) return { items, freshness };
    if (seenCursors.has(cursor)) throw new Refusal(invalid(of, 'repeats a cursor, so it would never end'));
    seenCursors.add(cursor);
  }
}

type Kept = {
  readonly of: ListKind;
  readonly item: ListedItem;
  readonly items: ListedItem[];
  readonly refused: RefusedDefinition[];
};

function keep(source: ListingSource, { of, item, items, refused }: Kept): void {
  const spokenTo = source.spokenTo();
  const mirrorsHeaders = of === 'tools' && spokenTo?.era === 'modern' && spokenTo.transport === 'http';
  const reason = mirrorsHeaders ? headerFault(item) : undefined;
  if (reason === undefined) items.push(item);
  else refused.push({ of, name: nameOf(item), reason });
}

/**
 * Why a tool cannot be called over modern HTTP, if so: an `x-mcp-header` declaration that breaks the rules. Clients must
 * leave such tools out (MCP 2026-07-28, basic/transports/streamable-http).
 */
function headerFault({ definition }: ListedItem): string | undefined {
  const { inputSchema } = definition;
  const scanned = isJsonObject(inputSchema) ? scanParamHeaders(inputSchema) : undefined;
  return scanned === undefined || scanned.ok ? undefined : scanned.error;
}

function nameOf({ definition }: ListedItem): string {
  return typeof definition['name'] === 'string' ? definition['name'] : '';
}

function ask(source: ListingSource, operation: Operation, upstreamCursor?: string): Promise<Outcome> {
  const options: SendOptions = {
    channel: SILENT,
    signal: source.signal,
    timeoutMs: source.limits.pageTimeoutMs,
    ...(upstreamCursor === undefined ? {} : { upstreamCursor }),
  };
  return source.send(source.callFor(operation), options);
}

/** The result object alone; undefined when it has more than `maxBytes`. */
async function bytesOf(result: Raw, maxBytes: number): Promise<Uint8Array | undefined> {
  if (result.kind === 'value') {
    const whole = Buffer.from(JSON.stringify(result.value));
    return whole.length > maxBytes ? undefined : whole;
  }
  const { head, rest, resultStart, resultEnd } = result.message;
  const first = head.subarray(resultStart, resultEnd);
  if (first.length > maxBytes) return undefined;
  if (resultEnd !== undefined || rest === undefined) return first;
  const chunks = [first];
  let size = first.length;
  for await (const chunk of rest) {
    size += chunk.length;
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

function strictest(one: Freshness | undefined, other: Freshness): Freshness {
  if (one === undefined) return other;
  const scope = one.scope === 'public' && other.scope === 'public' ? 'public' : 'private';
  return { ttlMs: Math.min(one.ttlMs, other.ttlMs), scope };
}

const invalid = (what: string, reason: string): Failure =>
  failure('upstream-invalid', { sent: 'yes', message: `The server's list of ${what} is not valid: it ${reason}.` });

const tooMuch = (of: ListKind, bound: string): Refusal =>
  new Refusal(
    failure('result-too-large', {
      sent: 'yes',
      message: `The server's list of ${of} has more than ${bound}, which is the bound.`,
    }),
  );

const malformed = (of: ListKind, count: number): RefusedDefinition => ({
  of,
  name: '',
  reason: `${count} ${count === 1 ? 'entry is' : 'entries are'} no definition: no object, or without a name.`,
});
