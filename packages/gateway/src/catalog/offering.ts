/**
 * What one server offers, ready to be found: its listing turned into entries, once for each listing. A snapshot made later
 * from the same listing has the same entry objects, so what others remember about an entry (compiled schemas, entities of
 * policy) lives exactly as long as the entry stays what it is.
 */

import { createHash } from 'node:crypto';
import { isJsonObject } from '../model/json.ts';
import type { ListKind } from '../model/operation.ts';
import type { Discovery, Freshness, Listing } from '../model/outcome.ts';
import {
  serverTraits,
  type Entry,
  type PromptEntry,
  type ResourceEntry,
  type Server,
  type ServerEntry,
  type TemplateEntry,
  type ToolEntry,
} from '../model/target.ts';
import type { ServerStatus, Withheld } from './catalog.ts';
import { canonicalJson } from '../model/canonical-json.ts';
import { readDefinition, visible, type Definition, type DefinitionLimits } from './definition.ts';
import { aggregateName } from './names.ts';
import { templateMatcher, type TemplateMatcher } from './resource-uri.ts';
import { toolEntryOf } from './tool-entry.ts';
import { toolWordsOf, traitsOf, type TraitKind, type TraitRule } from './traits.ts';

/** A server as the operator registered it. */
export type CatalogServer = {
  readonly server: Server;
  /** What the operator says about its tools, prompts and resources, by name. */
  readonly traits: readonly TraitRule[];
  /** A ceiling: only tools marked read-only are there. */
  readonly readOnly?: boolean;
};

export type Offering = {
  readonly entry: ServerEntry;
  readonly discovery: Discovery;
  readonly freshness: Freshness;
  readonly tools: ReadonlyMap<string, ToolEntry>;
  readonly prompts: ReadonlyMap<string, PromptEntry>;
  readonly resources: ReadonlyMap<string, ResourceEntry>;
  readonly templates: ReadonlyMap<string, TemplateEntry>;
  readonly lists: Readonly<Record<ListKind, readonly Entry[]>>;
  /** Templates that can own a URI, in their order. */
  readonly owners: readonly TemplateMatcher[];
  /** Changes when anything that clients can see of the server changes. */
  readonly digest: string;
  /** What was left out, each in words. */
  readonly refused: readonly string[];
  /** Tools that the operator keeps from everyone. */
  readonly withheld: readonly Withheld[];
};

/** A server, how it fares, and what it offers. */
export type RegisteredServer = CatalogServer & {
  readonly status: Omit<ServerStatus, 'server' | 'counts'>;
  /** Absent until the server has told what it offers. The last good one while it is unhealthy. */
  readonly offering?: Offering;
};

/** More refusals than this are only counted. */
const MAX_REFUSALS = 20;

/** @param listing Frozen by this, as far as its definitions go. */
export function createOffering(
  { server, traits, readOnly = false }: CatalogServer,
  listing: Listing,
  limits: DefinitionLimits,
): Offering {
  const refusals: string[] = [];
  const read = <Made extends Entry>(kind: ListKind, make: (base: EntryFields) => Made): ReadonlyMap<string, Made> => {
    const made = new Map<string, Made>();
    const items = listing.lists[kind];
    for (const item of items.slice(0, limits.maxItems)) {
      const definition = readDefinition(kind, item, limits);
      if (!definition.ok) refusals.push(`${kind}: ${definition.error}`);
      else if (made.has(definition.value.name)) {
        refusals.push(`${kind}: ${visible(definition.value.name)} is listed twice; the first is kept`);
      } else made.set(definition.value.name, make(fieldsOf(server, kind, definition.value, traits)));
    }
    if (items.length > limits.maxItems) {
      refusals.push(`${kind}: ${items.length - limits.maxItems} beyond the first ${limits.maxItems} were left out`);
    }
    return made;
  };
  const listed = read('tools', (base): ToolEntry => ({ kind: 'tool', ...base, inputSchema: schemaOf(base) }));
  const { tools, withheld, faults } = asTheOperatorSays(listed, traits, readOnly);
  refusals.push(...faults);
  const prompts = read('prompts', (base): PromptEntry => ({ kind: 'prompt', ...base }));
  const resources = read('resources', (base): ResourceEntry => ({ kind: 'resource', ...base, listed: true }));
  const templates = read('templates', (base): TemplateEntry => ({ kind: 'template', ...base }));
  const lists = {
    tools: [...tools.values()],
    prompts: [...prompts.values()],
    resources: [...resources.values()],
    templates: [...templates.values()],
  };
  const digest = digestOf(server, listing, lists, withheld);
  return {
    entry: serverEntryOf(server, digest, listing.discovery),
    discovery: listing.discovery,
    freshness: listing.freshness,
    tools,
    prompts,
    resources,
    templates,
    lists,
    owners: lists.templates.map(({ name }) => templateMatcher(name)).filter((matcher) => matcher !== undefined),
    digest,
    refused: bounded(refusals),
    withheld,
  };
}

/** What the operator says of resources holds for the templates that name them, too. */
const TRAIT_KIND: Readonly<Record<ListKind, TraitKind>> = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  templates: 'resources',
};
type Sorted = Pick<Offering, 'tools' | 'withheld'> & { readonly faults: readonly string[] };

/** Before policy is asked about anything: what is not in the catalog, nothing else can bring back. */
function asTheOperatorSays(
  listed: ReadonlyMap<string, ToolEntry>,
  rules: readonly TraitRule[],
  readOnly: boolean,
): Sorted {
  const tools = new Map<string, ToolEntry>();
  const withheld: Withheld[] = [];
  const faults: string[] = [];
  for (const [name, tool] of listed) {
    const words = toolWordsOf(name, rules);
    const made = toolEntryOf(tool, words);
    if (words.hidden) withheld.push({ tool, why: 'hidden' });
    else if (readOnly && !tool.traits.readOnly) withheld.push({ tool, why: 'server-read-only' });
    else if (made.ok) tools.set(name, made.value);
    else faults.push(`tools: ${visible(name)} was left out: ${made.error}`);
  }
  return { tools, withheld, faults };
}

type EntryFields = Omit<PromptEntry, 'kind'>;

const schemaOf = ({ definition }: EntryFields): ToolEntry['inputSchema'] =>
  isJsonObject(definition.inputSchema) ? definition.inputSchema : {};

function fieldsOf(
  server: Server,
  kind: ListKind,
  { name, definition, text, hash }: Definition,
  rules: readonly TraitRule[],
): EntryFields {
  const isUri = kind === 'resources' || kind === 'templates';
  return {
    server,
    name,
    aggregateName: isUri ? name : aggregateName(server.id, name),
    definition,
    text,
    hash,
    traits: traitsOf(server, { of: TRAIT_KIND[kind], name }, rules),
  };
}

/** An entry for the server itself: what discovery, pings and unknown methods are about. */
export const serverEntryOf = (server: Server, hash: string, discovery?: Discovery): ServerEntry => ({
  kind: 'server',
  server,
  name: server.id,
  aggregateName: server.id,
  definition: discovery?.serverInfo ?? {},
  text: '',
  hash,
  traits: serverTraits(server),
});

/** A URI that no list names. */
export const unlistedResource = (server: Server, uri: string, rules: readonly TraitRule[]): ResourceEntry => ({
  kind: 'resource',
  server,
  name: uri,
  aggregateName: uri,
  definition: { uri },
  text: JSON.stringify({ uri }),
  hash: '',
  traits: traitsOf(server, { of: 'resources', name: uri }, rules),
  listed: false,
});

/** MCP Apps: a tool that only the application's own view may call is nothing for a model to see. */
export function isAppOnly({ definition }: ToolEntry): boolean {
  const meta = definition['_meta'];
  const ui = isJsonObject(meta) ? meta.ui : undefined;
  const visibility: unknown = isJsonObject(ui) ? ui.visibility : undefined;
  return Array.isArray(visibility) && visibility.length === 1 && visibility[0] === 'app';
}

function digestOf(server: Server, listing: Listing, lists: Offering['lists'], withheld: Offering['withheld']): string {
  const { serverInfo, capabilities, instructions = '', freshness } = listing.discovery;
  const entries = Object.values(lists).map((list) =>
    list.map((entry) => `${entry.name}\n${entry.hash}\n${JSON.stringify([entry.traits, ...operatorsWords(entry)])}`),
  );
  const parts = [
    JSON.stringify([server, listing.era, instructions, freshness, listing.freshness]),
    canonicalJson([serverInfo, capabilities]),
    JSON.stringify([entries, withheld.map(({ tool, why }) => [tool.name, why])]),
  ];
  return createHash('sha256').update(parts.join('\n')).digest('hex');
}

const operatorsWords = (entry: Entry): readonly unknown[] =>
  entry.kind === 'tool' ? [entry.pins?.arguments ?? {}, entry.declared ?? []] : [];

function bounded(refusals: readonly string[]): readonly string[] {
  if (refusals.length <= MAX_REFUSALS) return refusals;
  return [...refusals.slice(0, MAX_REFUSALS), `${refusals.length - MAX_REFUSALS} more definitions were left out`];
}
