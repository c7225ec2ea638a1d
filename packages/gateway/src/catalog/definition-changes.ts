/**
 * What a new snapshot of the catalog means for who trusted the old one. A server that changes the description of a tool after
 * people looked at it can make agents do what nobody agreed to, so each such change is told: which tool, and both hashes.
 */

import { hash } from 'node:crypto';

import type { ChangeEvent } from '../model/event.ts';
import type { JsonObject } from '../model/json.ts';
import type { ListKind } from '../model/operation.ts';
import type { Entry, ServerId } from '../model/target.ts';
import type { Catalog } from './catalog.ts';

const KINDS: readonly ListKind[] = ['tools', 'prompts', 'resources', 'templates'];

/** In one event: a record stays small, and none is left out. */
const AT_ONCE = 50;

/** One event for a server that is listed for the first time; later one for each so many entries that differ. */
export function definitionChanges(current: Catalog, previous: Catalog): readonly ChangeEvent[] {
  return current.servers.flatMap(({ server: { id, version } }) => {
    const [before, after] = [entriesOf(previous, id), entriesOf(current, id)];
    if (before.size === 0 && after.size > 0) return [listed({ id, version, entries: after })];
    const changes = differences(before, after);
    return Array.from({ length: Math.ceil(changes.length / AT_ONCE) }, (_, at) =>
      changed({ id, before, after, changes: changes.slice(at * AT_ONCE, (at + 1) * AT_ONCE) }),
    );
  });
}

type Entries = ReadonlyMap<string, Entry>;

function entriesOf(catalog: Catalog, server: ServerId): Entries {
  const endpoint = { kind: 'server', server } as const;
  return new Map(KINDS.flatMap((kind) => catalog.list(endpoint, kind).map((entry) => [keyOf(entry), entry] as const)));
}

const keyOf = ({ kind, name }: Entry): string => `${kind} ${name}`;

type Listed = { readonly id: ServerId; readonly version: string; readonly entries: Entries };

function listed({ id, version, entries }: Listed): ChangeEvent {
  return {
    kind: 'change',
    operation: 'definitions/listed',
    activity: 'create',
    entity: { type: 'definition', name: id, after: digestOf(entries) },
    by: 'server',
    facts: { server: id, server_version: version, entries: entries.size },
  };
}

type Difference = { readonly what: 'changed' | 'added' | 'removed'; readonly entry: Entry; readonly old?: Entry };

function differences(before: Entries, after: Entries): readonly Difference[] {
  const found: Difference[] = [];
  for (const [key, entry] of after) {
    const old = before.get(key);
    // The same object where the server said nothing new: nearly always.
    if (old === entry || old?.hash === entry.hash) continue;
    found.push(old === undefined ? { what: 'added', entry } : { what: 'changed', entry, old });
  }
  for (const [key, entry] of before) if (!after.has(key)) found.push({ what: 'removed', entry });
  return found;
}

type Changed = {
  readonly id: ServerId;
  readonly before: Entries;
  readonly after: Entries;
  readonly changes: readonly Difference[];
};

function changed({ id, before, after, changes }: Changed): ChangeEvent {
  const [only] = changes;
  return {
    kind: 'change',
    operation: 'definitions/changed',
    activity: 'update',
    entity: {
      type: 'definition',
      name: changes.length === 1 && only !== undefined ? `${id}/${only.entry.name}` : id,
      before: digestOf(before),
      after: digestOf(after),
    },
    by: 'server',
    alarming: changes.some(({ what }) => what === 'changed'),
    facts: { server: id, entries: changes.map(told) },
  };
}

const MAX_NAME_LENGTH = 300;

function told({ what, entry, old }: Difference): JsonObject {
  return {
    what,
    kind: entry.kind,
    name: entry.name.slice(0, MAX_NAME_LENGTH),
    ...(what === 'added' ? {} : { old_hash: `sha256:${(old ?? entry).hash}` }),
    ...(what === 'removed' ? {} : { new_hash: `sha256:${entry.hash}` }),
  };
}

/** Over all definitions of a server, whatever their order: it says at a start whether anything changed since the last one. */
const digestOf = (entries: Entries): string =>
  `sha256:${hash(
    'sha256',
    [...entries]
      .map(([key, entry]) => `${key} ${entry.hash}`)
      .toSorted()
      .join('\n'),
  )}`;
