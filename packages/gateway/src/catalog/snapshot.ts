/**
 * The catalog at one moment: every name in a map, built once, never changed. Making a new one from mostly unchanged
 * offerings costs the maps of the aggregate and no more.
 */

import { createHash } from 'node:crypto';
import type { Operation } from '../model/operation.ts';
import type { Discovery, Freshness } from '../model/outcome.ts';
import {
  GATEWAY_ID,
  type Endpoint,
  type Entry,
  type ResourceEntry,
  type ServerEntry,
  type ServerId,
  type Target,
} from '../model/target.ts';
import { aggregateOf, type Aggregate, type Gateway, type Owners } from './aggregate.ts';
import type { Catalog, Problem, ServerStatus, Withheld } from './catalog.ts';
import { serverEntryOf, unlistedResource, type RegisteredServer } from './offering.ts';
import { isAskableUri } from './resource-uri.ts';

export type CatalogOptions = {
  /** In the order of registration: of two names that collide the earlier server's wins. */
  readonly servers: readonly RegisteredServer[];
  /** Servers that cannot be used at all. They are shown, and found by nobody. */
  readonly disabled: readonly { readonly id: ServerId; readonly reason: string; readonly sinceMs: number }[];
  readonly gateway: Gateway;
  /** A ceiling of `/mcp`: only tools marked read-only are there. */
  readonly aggregateReadOnly?: boolean;
  /** Entries kept for URIs that callers asked for and no list names. */
  readonly maxUnlisted?: number;
};

const EMPTY: readonly Entry[] = Object.freeze([]);
const STALE: Freshness = Object.freeze({ ttlMs: 0, scope: 'private' });
const NO_COUNTS: ServerStatus['counts'] = Object.freeze({ tools: 0, prompts: 0, resources: 0, templates: 0 });

export function createCatalog(options: CatalogOptions): Catalog {
  const { servers, gateway, aggregateReadOnly = false } = options;
  const byId = new Map(servers.map((registered) => [registered.server.id, { registered, entry: entryOf(registered) }]));
  const aggregate = aggregateOf(servers, gateway, aggregateReadOnly);
  const gatewayEntry = serverEntryOf(
    { id: GATEWAY_ID, version: gateway.version, title: gateway.name, sharing: 'shared' },
    aggregate.digest,
  );
  const unlisted = unlistedEntries(options.maxUnlisted ?? 1_000);
  const resources: ResourceFinder = {
    onServer: (registered, uri) => {
      const listed = registered.offering?.resources.get(uri);
      return listed ?? (isAskableUri(uri) ? unlisted(registered, uri) : undefined);
    },
    onAggregate: (uri) => {
      const listed = aggregate.resources.get(uri);
      if (listed !== undefined || !isAskableUri(uri)) return listed;
      const owners = servers.filter(({ offering }) => offering?.owners.some((matches) => matches(uri)));
      const [first, ...others] = owners.map((owner) => unlisted(owner, uri));
      return first === undefined ? undefined : [first, ...others];
    },
  };
  return {
    version: versionOf(servers, aggregate),
    servers: statusesOf(options),
    problems: problemsOf(options, aggregate),
    withheld: servers.flatMap((server) => withheldOf(server, aggregateReadOnly)),
    server: (id) => byId.get(id)?.entry,
    find(endpoint, operation) {
      if (endpoint.kind === 'aggregate') {
        return targetOf(endpoint, findOnAggregate(operation, aggregate, resources, gatewayEntry));
      }
      const known = byId.get(endpoint.server);
      return targetOf(endpoint, only(known && findOnServer(operation, known.registered, resources, known.entry)));
    },
    list(endpoint, kind) {
      if (endpoint.kind === 'aggregate') return aggregate.lists[kind];
      return byId.get(endpoint.server)?.registered.offering?.lists[kind] ?? EMPTY;
    },
    freshness(endpoint) {
      if (endpoint.kind === 'aggregate') return aggregate.freshness;
      return byId.get(endpoint.server)?.registered.offering?.freshness ?? STALE;
    },
    discovery(endpoint) {
      if (endpoint.kind === 'aggregate') return aggregate.discovery;
      return byId.get(endpoint.server)?.registered.offering?.discovery ?? silentDiscovery(endpoint.server);
    },
  };
}

type ResourceFinder = {
  onServer(registered: RegisteredServer, uri: string): ResourceEntry | undefined;
  onAggregate(uri: string): Owners<ResourceEntry> | undefined;
};

const targetOf = (endpoint: Endpoint, entries: Owners<Entry> | undefined): Target | undefined =>
  entries === undefined ? undefined : { endpoint, entries };

const only = <Item>(item: Item | undefined): Owners<Item> | undefined => (item === undefined ? undefined : [item]);

function findOnServer(
  operation: Operation,
  registered: RegisteredServer,
  resources: ResourceFinder,
  self: ServerEntry,
): Entry | undefined {
  const { offering } = registered;
  switch (operation.kind) {
    case 'call-tool':
      return offering?.tools.get(operation.name);
    case 'get-prompt':
      return offering?.prompts.get(operation.name);
    case 'read-resource':
    case 'subscribe':
      return resources.onServer(registered, operation.uri);
    case 'complete-argument':
      return operation.ref.kind === 'prompt'
        ? offering?.prompts.get(operation.ref.name)
        : offering?.templates.get(operation.ref.uri);
    case 'task':
      return operation.ref?.server === registered.server.id ? offering?.tools.get(operation.ref.tool) : undefined;
    default:
      // Below a read-only ceiling nothing is passed on whose effect nobody knows.
      return registered.readOnly === true && operation.kind === 'extension' ? undefined : self;
  }
}

function withheldOf({ offering }: RegisteredServer, aggregateReadOnly: boolean): readonly Withheld[] {
  if (offering === undefined) return [];
  const below = aggregateReadOnly ? [...offering.tools.values()].filter(({ traits }) => !traits.readOnly) : [];
  return [...offering.withheld, ...below.map((tool): Withheld => ({ tool, why: 'aggregate-read-only' }))];
}

/** Names are the aggregate's. A method that we do not know could be any server's: it is nobody's. */
function findOnAggregate(
  operation: Operation,
  aggregate: Aggregate,
  resources: ResourceFinder,
  self: ServerEntry,
): Owners<Entry> | undefined {
  switch (operation.kind) {
    case 'call-tool':
      return only(aggregate.tools.get(operation.name));
    case 'get-prompt':
      return only(aggregate.prompts.get(operation.name));
    case 'read-resource':
    case 'subscribe':
      return resources.onAggregate(operation.uri);
    case 'complete-argument':
      return operation.ref.kind === 'prompt'
        ? only(aggregate.prompts.get(operation.ref.name))
        : aggregate.templates.get(operation.ref.uri);
    case 'task':
      return only(toolOfTask(operation, aggregate));
    case 'extension':
      return undefined;
    default:
      return [self];
  }
}

/** The tool that a task came out of, as long as it is still there. */
function toolOfTask({ ref }: Extract<Operation, { kind: 'task' }>, { lists }: Aggregate): Entry | undefined {
  return ref === undefined
    ? undefined
    : lists.tools.find(({ server, name }) => server.id === ref.server && name === ref.tool);
}

/** The same entry for the same URI, so that a verdict about it can be remembered. The oldest is forgotten at the bound. */
function unlistedEntries(maxEntries: number): (registered: RegisteredServer, uri: string) => ResourceEntry {
  const entries = new Map<string, ResourceEntry>();
  return ({ server, traits }, uri) => {
    const key = `${server.id}\n${uri}`;
    const known = entries.get(key);
    if (known !== undefined) return known;
    const [oldest] = entries.keys();
    if (oldest !== undefined && entries.size >= maxEntries) entries.delete(oldest);
    const entry = unlistedResource(server, uri, traits);
    entries.set(key, entry);
    return entry;
  };
}

const entryOf = ({ server, offering }: RegisteredServer): ServerEntry => offering?.entry ?? serverEntryOf(server, '');

/** For a server that has not told anything yet: its name is the operator's, its capabilities are none. */
const silentDiscovery = (server: ServerId): Discovery => ({
  serverInfo: { name: server, version: '' },
  capabilities: {},
  freshness: STALE,
});

function statusesOf({ servers, disabled }: CatalogOptions): readonly ServerStatus[] {
  const registered = servers.map(({ server, status, offering }): ServerStatus => {
    if (offering === undefined) return { ...status, server, counts: NO_COUNTS };
    const { tools, prompts, resources, templates } = offering.lists;
    const counts = {
      tools: tools.length,
      prompts: prompts.length,
      resources: resources.length,
      templates: templates.length,
    };
    return { ...status, server, counts };
  });
  const unusable = disabled.map(({ id, reason, sinceMs }): ServerStatus => ({
    server: { id, version: '', sharing: 'shared' },
    state: 'disabled',
    sinceMs,
    reason,
    counts: NO_COUNTS,
  }));
  return [...registered, ...unusable];
}

function problemsOf({ servers, disabled }: CatalogOptions, aggregate: Aggregate): readonly Problem[] {
  const problems: Problem[] = disabled.map(({ id, reason }) => ({
    server: id,
    code: 'server-disabled',
    message: reason,
  }));
  for (const { server, status, offering } of servers) {
    if (status.state === 'unhealthy') {
      problems.push({ server: server.id, code: 'listing-failed', message: status.reason ?? 'It cannot be listed.' });
    }
    for (const message of offering?.refused ?? []) {
      problems.push({ server: server.id, code: 'definition-refused', message: `${message}.` });
    }
  }
  return [...problems, ...aggregate.problems];
}

/** Of what clients can see, and of the operator's traits; not of states, which come and go. */
function versionOf(servers: readonly RegisteredServer[], aggregate: Aggregate): string {
  const parts = servers.map(({ server, offering }) => [server.id, server.version, offering?.digest ?? '']);
  return createHash('sha256')
    .update(JSON.stringify([aggregate.digest, parts]))
    .digest('hex')
    .slice(0, 16);
}
