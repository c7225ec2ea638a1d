/** Which grants somebody means who names a person as people do: by the subject, or by the whole key where that is not enough. */

import { parsePrincipalKey } from '../model/principal.ts';
import type { GrantFilter, GrantKey } from './grant.ts';
import type { GrantNote, GrantRows } from './grant-rows.ts';

export type WantedGrants = { readonly user?: string; readonly server?: string; readonly tenant?: string };

export type FoundGrants = {
  /** What to revoke: also what comes between the look and the deed. Undefined when several people go by the name. */
  readonly filter: GrantFilter | undefined;
  readonly keys: readonly GrantKey[];
  /** Whose they are. Several where a name is no person's alone. */
  readonly people: readonly string[];
};

const PAGE = 500;

export async function whichGrants(
  store: Pick<GrantRows, 'list'>,
  { user, server, tenant }: WantedGrants,
): Promise<FoundGrants> {
  const filter: GrantFilter = {
    ...(server === undefined ? {} : { server }),
    ...(tenant === undefined ? {} : { tenant }),
  };
  const keys: GrantKey[] = [];
  for await (const { key } of allNotes(store, filter)) {
    if (user === undefined || key.principal === user || subjectOf(key.principal) === user) keys.push(key);
  }
  const people = [...new Set(keys.map(({ principal }) => principal))];
  if (user === undefined) return { filter, keys, people };
  const [first, second] = people;
  const owner = first === undefined ? undefined : keys.find(({ principal }) => principal === first);
  if (owner === undefined) return { filter: { ...filter, principal: user }, keys, people };
  if (second !== undefined) return { filter: undefined, keys, people };
  return { filter: { ...filter, tenant: owner.tenant, principal: owner.principal }, keys, people };
}

/** Page by page: what is written meanwhile may be missed, or be there already. */
export async function* allNotes(store: Pick<GrantRows, 'list'>, filter: GrantFilter): AsyncGenerator<GrantNote> {
  let after: string | undefined;
  do {
    const page = await store.list(filter, { ...(after === undefined ? {} : { after }), limit: PAGE });
    yield* page.notes;
    after = page.next;
  } while (after !== undefined);
}

export const subjectOf = (principal: string): string => parsePrincipalKey(principal)?.subject ?? principal;
