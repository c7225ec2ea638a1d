/**
 * Between admission and quota: does the token carry the scopes that this needs? After `admit`, so that what is hidden stays
 * hidden: only for what policy lets the caller use is it said that a wider token would help. Scopes bind OAuth tokens; API
 * keys and workloads carry none, and policy alone governs those.
 */

import { refuse } from '../model/failure.ts';
import type { Principal } from '../model/principal.ts';
import type { ResolvedRequest } from '../model/request.ts';
import type { Entry } from '../model/target.ts';

export type ScopeRules = {
  /** What every token needs, whatever it is used for. */
  readonly required: readonly string[];
  /** A scope, and those that it includes. */
  readonly implies: Readonly<Record<string, readonly string[]>>;
};

/** @throws Refusal `insufficient-scope`, with every scope that the operation needs in `data.scopes`. */
export type ScopeCheck = (request: ResolvedRequest) => void;

export function createScopeCheck({ required, implies }: ScopeRules): ScopeCheck {
  const included = closureOf(implies);
  // Entries live as long as their catalog snapshot, principals as long as their token is remembered.
  const neededBy = new WeakMap<Entry, readonly string[]>();
  const heldBy = new WeakMap<Principal, ReadonlySet<string>>();

  const needed = (entry: Entry): readonly string[] => {
    let scopes = neededBy.get(entry);
    if (scopes === undefined) {
      const all = new Set([...required, ...(entry.server.scopes ?? []), ...entry.traits.scopes]);
      // What another one of them includes need not be asked for (MCP 2026-07-28, authorization, scope challenges).
      scopes = [...all].filter((scope) => ![...all].some((other) => includes(included, other, scope)));
      neededBy.set(entry, scopes);
    }
    return scopes;
  };

  const held = (principal: Principal): ReadonlySet<string> => {
    let scopes = heldBy.get(principal);
    if (scopes === undefined) {
      scopes = new Set(principal.scopes.flatMap((scope) => [scope, ...(included.get(scope) ?? [])]));
      heldBy.set(principal, scopes);
    }
    return scopes;
  };

  return ({ principal, target }) => {
    const [entry] = target.entries;
    if (required.length === 0 && entry.server.scopes === undefined && entry.traits.scopes.length === 0) return;
    if (principal.credential.kind !== 'jwt') return;
    const granted = held(principal);
    const scopes = needed(entry);
    if (scopes.every((scope) => granted.has(scope))) return;
    throw refuse('insufficient-scope', {
      data: { scopes },
      message: `The token lacks a scope that this needs. Obtain one with: ${scopes.join(' ')}.`,
    });
  };
}

/** Two scopes that include each other are both kept, or neither would be asked for. */
const includes = (included: Closure, broad: string, narrow: string): boolean =>
  broad !== narrow && included.get(broad)?.has(narrow) === true && included.get(narrow)?.has(broad) !== true;

type Closure = ReadonlyMap<string, ReadonlySet<string>>;

/** What each scope includes, directly or through others. Circles are harmless. */
function closureOf(implies: ScopeRules['implies']): Closure {
  return new Map(
    Object.keys(implies).map((scope) => {
      const reached = new Set<string>();
      const open = [scope];
      for (let at = open.pop(); at !== undefined; at = open.pop()) {
        for (const next of Object.hasOwn(implies, at) ? (implies[at] ?? []) : []) {
          if (!reached.has(next)) open.push(next);
          reached.add(next);
        }
      }
      return [scope, reached];
    }),
  );
}
