/** Listings and servers for the tests of this folder. */

import type { JsonObject } from '../model/json.ts';
import type { Listing, ListedItem } from '../model/outcome.ts';
import type { Operation } from '../model/operation.ts';
import type { Server } from '../model/target.ts';
import { DEFAULT_DEFINITION_LIMITS } from './definition.ts';
import { createOffering, type CatalogServer, type RegisteredServer } from './offering.ts';
import { createCatalog } from './snapshot.ts';
import type { TraitRule } from './traits.ts';

export const item = (definition: JsonObject): ListedItem => ({ definition, text: JSON.stringify(definition) });

export const toolItem = (name: string, more: JsonObject = {}): ListedItem =>
  item({ name, inputSchema: { type: 'object' }, ...more });

export type Lists = {
  readonly tools?: readonly ListedItem[];
  readonly prompts?: readonly ListedItem[];
  readonly resources?: readonly ListedItem[];
  readonly templates?: readonly ListedItem[];
  readonly ttlMs?: number;
  readonly capabilities?: JsonObject;
};

export const listingOf = (lists: Lists): Listing => ({
  era: 'modern',
  discovery: {
    serverInfo: { name: 'upstream', version: '1' },
    capabilities: lists.capabilities ?? { tools: { listChanged: true } },
    freshness: { ttlMs: lists.ttlMs ?? 0, scope: 'public' },
  },
  lists: {
    tools: lists.tools ?? [],
    prompts: lists.prompts ?? [],
    resources: lists.resources ?? [],
    templates: lists.templates ?? [],
  },
  freshness: { ttlMs: lists.ttlMs ?? 0, scope: 'public' },
});

export const serverOf = (
  id: string,
  traits: readonly TraitRule[] = [],
  marks: Partial<Server> = {},
): CatalogServer => ({
  server: { id, version: '1', sharing: 'shared', ...marks },
  traits,
});

export function registered(
  id: string,
  lists: Lists | undefined,
  traits: readonly TraitRule[] = [],
  marks: Partial<Server> = {},
): RegisteredServer {
  const server = serverOf(id, traits, marks);
  if (lists === undefined) return { ...server, status: { state: 'starting', sinceMs: 0 } };
  const offering = createOffering(server, listingOf(lists), DEFAULT_DEFINITION_LIMITS);
  return { ...server, status: { state: 'healthy', sinceMs: 0, era: 'modern' }, offering };
}

export const GATEWAY = { name: 'Sallyport', version: '0.1.0' };

export const catalogOf = (...servers: readonly RegisteredServer[]) =>
  createCatalog({ servers, disabled: [], gateway: GATEWAY });

export const AGGREGATE = { kind: 'aggregate' } as const;

export const onServer = (server: string) => ({ kind: 'server', server }) as const;

export const callTool = (name: string): Operation => ({ kind: 'call-tool', name, arguments: {} });

export const readResource = (uri: string): Operation => ({ kind: 'read-resource', uri });
