/**
 * Principals and catalog entries as Cedar entities. Only verified facts and the operator's words go in; nothing that a
 * request claims of itself. Ids are injective: no two tenants, issuers or servers can name each other's entities.
 */

import type { CedarValueJson, EntityJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import { DEFAULT_TENANT, type Principal, type TenantId } from '../model/principal.ts';
import type { Entry } from '../model/target.ts';
import { toCedarRecord } from './cedar-values.ts';
import { TYPE_OF_KIND } from './vocabulary.ts';

const API_KEY_ISSUER = 'api-key';

/** One side of a question to the engine: the entity, those above it, and what its scope can match. */
export type Subject = {
  readonly uid: TypeAndId;
  readonly type: string;
  /** `uidText` of the entity itself and of everything it is in. */
  readonly lineage: ReadonlySet<string>;
  readonly entities: readonly EntityJson[];
  /** Why policy must not judge this one. Everything is then denied. */
  readonly problem?: string;
};

/** How scopes and indexes name an entity. */
export const uidText = (uid: TypeAndId): string => `${uid.type}::${JSON.stringify(uid.id)}`;

/** `#` separates the parts of an id, so it cannot stand in one: `%23`, as in a URL. */
const part = (text: string): string => text.replaceAll('%', '%25').replaceAll('#', '%23');

/**
 * `alice` for an API key, `<issuer>#<subject>` for a token, and with `<tenant>#` before it outside the default tenant
 * (then `<tenant>##alice` for an API key). The number of `#` tells the forms apart.
 */
export function principalId(principal: Pick<Principal, 'tenant' | 'issuer' | 'subject'>): string {
  const issuer = principal.issuer === API_KEY_ISSUER ? '' : part(principal.issuer);
  const subject = part(principal.subject);
  if (principal.tenant !== DEFAULT_TENANT) return `${part(principal.tenant)}#${issuer}#${subject}`;
  return issuer === '' ? subject : `${issuer}#${subject}`;
}

/** `engineering`, or `<tenant>#engineering` outside the default tenant: a tenant cannot grant itself another's groups. */
export const groupId = (tenant: TenantId, group: string): string =>
  tenant === DEFAULT_TENANT ? part(group) : `${part(tenant)}#${part(group)}`;

/** @param withClaims Claims differ from token to token, so they are left out unless some policy reads them. */
export function principalSubject(principal: Principal, withClaims: boolean): Subject {
  const type = principal.kind === 'workload' ? 'Workload' : 'User';
  const uid: TypeAndId = { type, id: principalId(principal) };
  const tenant: TypeAndId = { type: 'Tenant', id: principal.tenant };
  const groups = [...new Set(principal.groups)].map((group): TypeAndId => ({
    type: 'Group',
    id: groupId(principal.tenant, group),
  }));
  const attributes: Record<string, CedarValueJson> = {
    name: principal.name,
    subject: principal.subject,
    issuer: principal.issuer,
    tenant: { __entity: tenant },
    scopes: [...principal.scopes],
    credential: principal.credential.kind,
  };
  if (principal.clientId !== undefined) {
    attributes.client = { __entity: { type: 'Client', id: `${part(principal.issuer)}#${part(principal.clientId)}` } };
  }
  const claims = withClaims ? toCedarRecord(principal.claims) : undefined;
  if (claims?.ok === true) attributes.claims = claims.value;
  const problem = principalProblem(principal, claims?.ok === false);
  return {
    uid,
    type,
    lineage: new Set([uid, tenant, ...groups].map(uidText)),
    entities: [
      { uid, attrs: attributes, parents: [tenant, ...groups] },
      ...groups.map((group): EntityJson => ({ uid: group, attrs: {}, parents: [tenant] })),
    ],
    ...(problem === undefined ? {} : { problem }),
  };
}

function principalProblem(principal: Principal, unreadableClaims: boolean): string | undefined {
  if (principal.kind === 'system') return 'The gateway itself is never judged by policy.';
  if (unreadableClaims) return "The caller's claims cannot be read by policy.";
  const texts = [principal.key, principal.name, principal.clientId ?? '', ...principal.groups, ...principal.scopes];
  return texts.every((text) => text.isWellFormed()) ? undefined : "The caller's identity is not valid Unicode.";
}

/** The entry and its server. `Tool::"files/read_text_file"` in `Server::"files"`. */
export function entrySubject(entry: Entry): Subject {
  const { server, traits } = entry;
  const serverUid: TypeAndId = { type: 'Server', id: server.id };
  const type = TYPE_OF_KIND[entry.kind];
  const uid: TypeAndId = entry.kind === 'server' ? serverUid : { type, id: `${server.id}/${entry.name}` };
  const isUri = entry.kind === 'resource' || entry.kind === 'template';
  const attributes: Record<string, CedarValueJson> = {
    name: entry.kind === 'server' ? server.id : entry.name,
    server: { __entity: serverUid },
    owner: server.owner ?? '',
    risk: traits.risk,
    readOnly: traits.readOnly,
    idempotent: traits.idempotent,
    tags: [...traits.tags],
    uri: isUri ? entry.name : '',
    listed: entry.kind !== 'resource' || entry.listed,
    template: entry.kind === 'template',
  };
  const own: EntityJson = { uid, attrs: attributes, parents: entry.kind === 'server' ? [] : [serverUid] };
  const parent: EntityJson = { uid: serverUid, attrs: { name: server.id, owner: server.owner ?? '' }, parents: [] };
  const wellFormed = [server.id, entry.name, server.owner ?? '', ...traits.tags].every((text) => text.isWellFormed());
  return {
    uid,
    type,
    lineage: new Set([uid, serverUid].map(uidText)),
    entities: entry.kind === 'server' ? [own] : [own, parent],
    ...(wellFormed ? {} : { problem: 'The name is not valid Unicode.' }),
  };
}
