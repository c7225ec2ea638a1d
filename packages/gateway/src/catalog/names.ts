/**
 * Names on the aggregate endpoint: `<server>_<tool>`, at most 64 characters of `[A-Za-z0-9_-]`, because that is what every
 * model provider takes. Pure functions of server and name, so a name never depends on which server answered first.
 */

import { createHash } from 'node:crypto';
import type { ServerId } from '../model/target.ts';

export const MAX_AGGREGATE_NAME = 64;

const HASH_LENGTH = 8;
const LEGAL = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * The name of a server's tool or prompt on the aggregate endpoint. One that is too long or has other characters is cleaned,
 * cut, and ends in `_` and 8 hex digits of a hash over server and original name.
 */
export function aggregateName(server: ServerId, name: string): string {
  const full = `${server}_${name}`;
  if (LEGAL.test(full)) return full;
  const hash = createHash('sha256')
    .update(JSON.stringify([server, name]))
    .digest('hex')
    .slice(0, HASH_LENGTH);
  const cleaned = full.replace(/[^A-Za-z0-9_-]/gu, '-').slice(0, MAX_AGGREGATE_NAME - HASH_LENGTH - 1);
  return `${cleaned}_${hash}`;
}

export type Named = { readonly name: string; readonly aggregateName: string };

export type Collision<Item extends Named> = { readonly refused: Item; readonly keeper: Item };

/**
 * Gives each aggregate name to one item: to the earlier server's, and within a server to the one that bears it unchanged,
 * then to the first by name. So the winner does not depend on the order in which a server happens to list.
 *
 * @param groups One list per server, in the order of registration.
 */
export function resolveCollisions<Item extends Named>(
  groups: readonly (readonly Item[])[],
): { readonly kept: ReadonlyMap<string, Item>; readonly collisions: readonly Collision<Item>[] } {
  const owners = new Map<string, Item>();
  const collisions: Collision<Item>[] = [];
  for (const group of groups) {
    const winners = new Map<string, Item>();
    for (const item of group) {
      const rival = winners.get(item.aggregateName);
      if (rival === undefined || precedes(item, rival)) winners.set(item.aggregateName, item);
    }
    for (const item of group) {
      const keeper = owners.get(item.aggregateName) ?? winners.get(item.aggregateName);
      if (keeper !== undefined && keeper !== item) collisions.push({ refused: item, keeper });
    }
    for (const [name, item] of winners) if (!owners.has(name)) owners.set(name, item);
  }
  return { kept: owners, collisions };
}

function precedes(item: Named, rival: Named): boolean {
  const unchanged = bearsItUnchanged(item);
  if (unchanged !== bearsItUnchanged(rival)) return unchanged;
  return item.name < rival.name;
}

const bearsItUnchanged = ({ name, aggregateName: full }: Named): boolean => full.endsWith(`_${name}`);
