/** Tools, prompts and resources as policies see them, without their servers: the configuration's word on a name. */

import { DEFAULT_DEFINITION_LIMITS } from '../catalog/definition.ts';
import { createOffering, serverEntryOf, type Offering } from '../catalog/offering.ts';
import { catalogServer } from '../composition/upstreams.ts';
import type { Config } from '../config/config.ts';
import type { JsonObject } from '../model/json.ts';
import { nearestName } from '../model/nearest-name.ts';
import type { Listing } from '../model/outcome.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Entry } from '../model/target.ts';

export type SubjectKind = 'tool' | 'prompt' | 'resource' | 'server';

/** `address` is `server/name`; of a server, its id. */
export type Subject = { readonly kind: SubjectKind; readonly address: string };

/** Finds entries by their address. The error is a sentence with the nearest name. */
export type EntryFinder = (subject: Subject) => Result<Entry, string>;

const FRESHNESS = { ttlMs: 0, scope: 'private' } as const;

/** @param schemas Input schemas by the tool's address: which tools there are. */
export function entryFinder(config: Config, schemas: ReadonlyMap<string, JsonObject>): EntryFinder {
  const servers = new Map(config.servers.map((server) => [server.id, server]));
  const known = new Map<string, Offering>();

  function offeringOf(id: string, subject: Subject | undefined): Offering | undefined {
    const server = servers.get(id);
    if (server === undefined) return undefined;
    const key = `${id}\n${subject?.kind ?? ''}\n${subject?.address ?? ''}`;
    const existing = known.get(key);
    if (existing !== undefined) return existing;
    const tools = [...schemas].flatMap(([address, inputSchema]) => {
      const [of, name] = splitAddress(address);
      return of === id ? [{ name, inputSchema }] : [];
    });
    const listing = listingOf(tools, subject);
    const offering = createOffering(catalogServer(server), listing, DEFAULT_DEFINITION_LIMITS);
    known.set(key, offering);
    return offering;
  }

  return (subject) => {
    const { kind, address } = subject;
    const [id, name] = kind === 'server' ? [address, ''] : splitAddress(address);
    // One offering has all tools of a server; prompts and resources are taken at the word of whoever asks.
    const offering = offeringOf(id, kind === 'tool' || kind === 'server' ? undefined : subject);
    if (offering === undefined) {
      return err(`There is no server ${JSON.stringify(id)}.${hint(nearestName(id, [...servers.keys()]))}`);
    }
    if (kind === 'server') return ok(serverEntryOf(offering.entry.server, offering.digest));
    const entry = { tool: offering.tools, prompt: offering.prompts, resource: offering.resources }[kind].get(name);
    if (entry !== undefined) return ok(entry);
    const refused = offering.refused[0];
    if (refused !== undefined) return err(`The ${kind} ${address} cannot be used: ${refused}.`);
    return err(`There is no ${kind} ${JSON.stringify(address)}.${hint(nearestName(address, [...schemas.keys()]))}`);
  };
}

const hint = (nearest: string | undefined): string => (nearest === undefined ? '' : ` Did you mean ${nearest}?`);

/** At the first slash: server ids have none, URIs have many. */
function splitAddress(address: string): readonly [server: string, name: string] {
  const slash = address.indexOf('/');
  return slash === -1 ? [address, ''] : [address.slice(0, slash), address.slice(slash + 1)];
}

function listingOf(tools: readonly JsonObject[], subject: Subject | undefined): Listing {
  const item = (definition: JsonObject) => ({ definition, text: JSON.stringify(definition) });
  const name = subject === undefined ? '' : splitAddress(subject.address)[1];
  return {
    era: 'modern',
    discovery: { serverInfo: {}, capabilities: {}, freshness: FRESHNESS },
    lists: {
      tools: tools.map(item),
      prompts: subject?.kind === 'prompt' ? [item({ name })] : [],
      resources: subject?.kind === 'resource' ? [item({ uri: name, name })] : [],
      templates: [],
    },
    freshness: FRESHNESS,
  };
}
