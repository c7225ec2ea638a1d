/**
 * All servers as one: the names, lists and introduction of the `/mcp` endpoint. Servers are taken in the order in which the
 * operator registered them, whatever the order in which they answered.
 */

import { createHash } from 'node:crypto';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { ListKind } from '../model/operation.ts';
import type { Discovery, Freshness } from '../model/outcome.ts';
import { servesTasks, TASKS_CAPABILITY } from '../model/task.ts';
import type { Entry, PromptEntry, ResourceEntry, TemplateEntry, ToolEntry } from '../model/target.ts';
import type { Problem } from './catalog.ts';
import { canonicalJson } from '../model/canonical-json.ts';
import { visible } from './definition.ts';
import { resolveCollisions, type Collision } from './names.ts';
import { isAppOnly, type Offering, type RegisteredServer } from './offering.ts';

/** The gateway as it introduces itself on the aggregate endpoint. */
export type Gateway = { readonly name: string; readonly version: string; readonly instructions?: string };

export type Owners<Item> = readonly [Item, ...Item[]];

export type Aggregate = {
  readonly tools: ReadonlyMap<string, ToolEntry>;
  readonly prompts: ReadonlyMap<string, PromptEntry>;
  /** URIs are not renamed, so one may have several owners, in the order of registration: admission picks the caller's. */
  readonly resources: ReadonlyMap<string, Owners<ResourceEntry>>;
  readonly templates: ReadonlyMap<string, Owners<TemplateEntry>>;
  /** Owners of one URI stand in it side by side: each caller is shown the first that is theirs. */
  readonly lists: Readonly<Record<ListKind, readonly Entry[]>>;
  readonly discovery: Discovery;
  readonly freshness: Freshness;
  readonly problems: readonly Problem[];
  readonly digest: string;
};

/** More collisions than this are only counted. */
const MAX_COLLISIONS = 50;

/** @param readOnly A ceiling: only tools marked read-only are there. */
export function aggregateOf(servers: readonly RegisteredServer[], gateway: Gateway, readOnly = false): Aggregate {
  const offerings = servers.map(({ offering }) => offering).filter((offering) => offering !== undefined);
  const merge = <Item extends Entry>(listOf: (offering: Offering) => Iterable<Item>) =>
    resolveCollisions(offerings.map((offering) => [...listOf(offering)]));
  const tools = merge(({ tools: all }) =>
    [...all.values()].filter((tool) => !isAppOnly(tool) && (!readOnly || tool.traits.readOnly)),
  );
  const prompts = merge((offering) => offering.prompts.values());
  const resources = ownersOf(offerings.map((offering) => offering.resources));
  const templates = ownersOf(offerings.map((offering) => offering.templates));
  const freshness = strictest(offerings.map((offering) => offering.freshness));
  const discovery: Discovery = {
    serverInfo: { name: gateway.name, version: gateway.version },
    capabilities: unionOf(offerings.map((offering) => offering.discovery.capabilities)),
    ...(gateway.instructions === undefined ? {} : { instructions: gateway.instructions }),
    freshness: strictest(offerings.map((offering) => offering.discovery.freshness)),
  };
  return {
    tools: tools.kept,
    prompts: prompts.kept,
    resources,
    templates,
    lists: {
      tools: [...tools.kept.values()],
      prompts: [...prompts.kept.values()],
      resources: [...resources.values()].flat(),
      templates: [...templates.values()].flat(),
    },
    discovery,
    freshness,
    problems: collisionProblems([...tools.collisions, ...prompts.collisions]),
    digest: createHash('sha256')
      .update(canonicalJson([discovery.serverInfo, discovery.capabilities, discovery.instructions ?? null]))
      .digest('hex'),
  };
}

function ownersOf<Item>(offered: readonly ReadonlyMap<string, Item>[]): ReadonlyMap<string, Owners<Item>> {
  const owners = new Map<string, Owners<Item>>();
  for (const items of offered) {
    for (const [uri, item] of items) {
      const known = owners.get(uri);
      owners.set(uri, known === undefined ? [item] : [...known, item]);
    }
  }
  return owners;
}

function collisionProblems(collisions: readonly Collision<Entry>[]): readonly Problem[] {
  const problems = collisions.slice(0, MAX_COLLISIONS).map(({ refused, keeper }): Problem => ({
    server: refused.server.id,
    code: 'name-collision',
    message:
      `The ${refused.kind} ${visible(refused.name)} is not on the aggregate endpoint: ${visible(refused.aggregateName)} ` +
      `is ${visible(keeper.name)} of the server "${keeper.server.id}" there. It can be used at /servers/${refused.server.id}/mcp.`,
  }));
  const more = collisions.length - problems.length;
  if (more > 0) problems.push({ code: 'name-collision', message: `${more} more names collide.` });
  return problems;
}

/** What one of several may change, or may tell to one of several callers only, holds for all of them. */
function strictest(all: readonly Freshness[]): Freshness {
  return { ttlMs: all.length === 0 ? 0 : Math.min(...all.map(({ ttlMs }) => ttlMs)), scope: 'private' };
}

/** Capabilities whose meaning survives a merge, beside tasks. Others (extensions, experiments) belong to one server's endpoint. */
const MERGED_CAPABILITIES = ['tools', 'prompts', 'resources', 'completions', 'logging'] as const;

/** `tools` is always offered: a client that came while servers were starting would otherwise never list them. */
function unionOf(all: readonly JsonObject[]): JsonObject {
  const union: Record<string, JsonObject> = { tools: {} };
  for (const capabilities of all) {
    for (const name of MERGED_CAPABILITIES) {
      const offered = capabilities[name];
      if (!isJsonObject(offered)) continue;
      const flags = Object.entries(offered).filter(([, value]) => value === true);
      union[name] = { ...union[name], ...Object.fromEntries(flags) };
    }
  }
  return all.some(servesTasks) ? { ...union, ...TASKS_CAPABILITY } : union;
}
