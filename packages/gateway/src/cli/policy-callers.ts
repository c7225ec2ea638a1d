/** Callers as policies see them, made of words instead of credentials: by the code that makes them of real ones. */

import { apiKeyPrincipal } from '../authn/api-key-verifier.ts';
import { principalFromClaims } from '../authn/claims.ts';
import type { Caller } from '../authz/authorizer.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { JsonObject } from '../model/json.ts';
import { nearestName } from '../model/nearest-name.ts';
import { principalKey, type Principal, type Workload } from '../model/principal.ts';
import { NEWEST_MODERN } from '../model/revision.ts';
import { findKeyOwner } from './key-store.ts';

/** Who asks. Without an issuer it is the owner of an API key, or, with a workload and no subject, that workload alone. */
export type CallerWords = {
  readonly name: string;
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
  readonly groups: readonly string[];
  readonly scopes: readonly string[];
  readonly tenant: string;
  readonly client?: string | undefined;
  readonly claims: JsonObject;
  readonly workload?: string | undefined;
  readonly surface?: string | undefined;
};

export const NOBODY_IN_PARTICULAR: Omit<CallerWords, 'name'> = {
  groups: [],
  scopes: [],
  tenant: 'default',
  claims: {},
};

/** A caller as the command line names one. */
export type SpokenCaller = {
  readonly as: string;
  readonly group: readonly string[];
  readonly surface?: string | undefined;
  readonly workload?: string | undefined;
};

/**
 * The owner of an API key, `<issuer>#<subject>`, or, with a group or a workload, somebody made up on the spot. Notes are for a
 * person.
 *
 * @throws CommandError when the keys' storage cannot be used.
 */
export async function spokenCaller(
  { as, group, surface, workload }: SpokenCaller,
  loaded: LoadedConfig,
): Promise<{ readonly words: CallerWords; readonly notes: readonly string[] }> {
  const said = { ...NOBODY_IN_PARTICULAR, name: as, surface, workload, groups: group };
  const hash = as.lastIndexOf('#');
  if (hash !== -1) {
    const issuer = as.slice(0, hash);
    const known = loaded.config.identity.issuers.find((one) => one.issuer === issuer);
    const words = { ...said, issuer, subject: as.slice(hash + 1), tenant: known?.tenant ?? said.tenant };
    return { words, notes: known === undefined ? [`${issuer} is no issuer of the configuration.`] : [] };
  }
  if (as === workload) return { words: said, notes: [] };
  const { owner, names } = await findKeyOwner(loaded, as);
  if (owner !== undefined) {
    return { words: { ...said, groups: [...new Set([...owner.groups, ...group])], tenant: owner.tenant }, notes: [] };
  }
  const near = nearestName(as, names);
  const hint = near === undefined ? '' : ` Did you mean ${near}?`;
  return { words: said, notes: [`${as} has no API key, and is judged as a user of that name.${hint}`] };
}

/** A token of its own has an end; policies do not see it. */
const FAR_AWAY_SECONDS = 4_000_000_000;

export function callerOf(words: CallerWords): Caller {
  const workload = words.workload === undefined ? undefined : workloadOf(words.workload);
  const alone = workload !== undefined && words.issuer === undefined && words.subject === undefined;
  const principal = alone && isUnspoken(words) ? workloadPrincipal(workload, words.tenant) : principalOf(words);
  return {
    principal: workload === undefined ? principal : { ...principal, workload },
    client: {
      era: 'modern',
      revision: NEWEST_MODERN,
      capabilities: {},
      address: '127.0.0.1',
      ...(words.surface === undefined ? {} : { info: { name: words.surface, version: '' } }),
    },
  };
}

/** Groups, scopes and claims come with a credential of the user's: whoever has some is not a workload alone. */
const isUnspoken = ({ groups, scopes, claims }: CallerWords): boolean =>
  groups.length === 0 && scopes.length === 0 && Object.keys(claims).length === 0;

function principalOf({ name, issuer, subject = name, groups, scopes, tenant, client, claims }: CallerWords): Principal {
  if (issuer === undefined) {
    return { ...apiKeyPrincipal({ name: subject, hash: '', groups, tenant }), scopes: [...scopes], claims };
  }
  const token: JsonObject = {
    sub: subject,
    exp: FAR_AWAY_SECONDS,
    groups: [...groups],
    scope: scopes.join(' '),
    ...(client === undefined ? {} : { client_id: client }),
    ...claims,
  };
  const made = principalFromClaims(token, { issuer, groupsClaim: 'groups', tenant });
  if (!made.ok) throw new Error(made.error);
  return made.value;
}

function workloadOf(id: string): Workload {
  return { id, trustDomain: id.split('/')[2] ?? '', credential: 'mtls' };
}

function workloadPrincipal(workload: Workload, tenant: string): Principal {
  const issuer = `spiffe://${workload.trustDomain}`;
  return {
    key: principalKey(tenant, issuer, workload.id),
    tenant,
    kind: 'workload',
    issuer,
    subject: workload.id,
    name: workload.id,
    groups: [],
    scopes: [],
    credential: { kind: workload.credential },
    claims: {},
    workload,
  };
}
