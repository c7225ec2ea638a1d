/**
 * Principals and catalog entries as Cedar entities. Only verified facts and the operator's words go in; nothing that a
 * request claims of itself. Ids are injective: no two tenants, issuers or servers can name each other's entities.
 */

import type { CedarValueJson, EntityJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import { DEFAULT_TENANT, type Principal, type TenantId, type Workload } from '../model/principal.ts';
import { GATEWAY_ID, serverTraits, type Entry } from '../model/target.ts';
import { toCedarRecord } from './cedar-values.ts';
import { TYPE_OF_KIND, type PrincipalAttribute, type ResourceAttribute, type WorkloadAttribute } from './vocabulary.ts';

const API_KEY_ISSUER = 'api-key';
const SPIFFE = 'spiffe://';

/** One side of a question to the engine: the entity, those above it, and what its scope can match. */
export type Subject = {
  readonly uid: TypeAndId;
  readonly type: string;
  /** `uidText` of the entity itself and of everything it is in. */
  readonly lineage: ReadonlySet<string>;
  /** Its own first. */
  readonly entities: readonly EntityJson[];
  /** `context.workload`. */
  readonly workload?: TypeAndId;
  /** Of an entry: of low risk and read-only by the operator's word, so that a workload alone may reach it. */
  readonly harmless: boolean;
  /** Why policy must not judge this one. Everything is then denied. */
  readonly problem?: string;
};

/** What some policy reads; what none does would only multiply the identities to remember. */
export type PrincipalDetail = { readonly claims: boolean; readonly workload: boolean };

/** How scopes and indexes name an entity. */
export const uidText = (uid: TypeAndId): string => `${uid.type}::${JSON.stringify(uid.id)}`;

/** `#` separates the parts of an id, so it cannot stand in one: `%23`, as in a URL. */
const part = (text: string): string => text.replaceAll('%', '%25').replaceAll('#', '%23');

/** `name` in the default tenant, `<tenant>#name` in another: a tenant cannot grant itself what is another's. */
const inTenant = (tenant: TenantId, name: string): string =>
  tenant === DEFAULT_TENANT ? name : `${part(tenant)}#${name}`;

/**
 * `alice` for an API key, `<issuer>#<subject>` for a token, `spiffe://…` for a certificate, and with `<tenant>#` before it
 * outside the default tenant (then `<tenant>##alice` for an API key). The number of `#` tells the forms apart.
 */
export function principalId({ tenant, issuer, subject, credential }: PrincipalNames): string {
  if (credential?.kind === 'mtls' || credential?.kind === 'mesh') return workloadId(tenant, subject);
  // A key that is named like a certificate is not one.
  const issuerPart = issuer !== API_KEY_ISSUER ? part(issuer) : subject.startsWith(SPIFFE) ? API_KEY_ISSUER : '';
  return compound(tenant, issuerPart, part(subject));
}

type PrincipalNames = Pick<Principal, 'tenant' | 'issuer' | 'subject'> & Partial<Pick<Principal, 'credential'>>;

const workloadId = (tenant: TenantId, id: string): string => compound(tenant, '', part(id));

function compound(tenant: TenantId, issuer: string, subject: string): string {
  if (tenant !== DEFAULT_TENANT) return `${part(tenant)}#${issuer}#${subject}`;
  return issuer === '' ? subject : `${issuer}#${subject}`;
}

/** `engineering`, or `<tenant>#engineering` outside the default tenant. */
export const groupId = (tenant: TenantId, group: string): string => inTenant(tenant, part(group));

/** `<issuer>#<client_id>`, or `<tenant>#<issuer>#<client_id>` outside the default tenant. */
const clientId = (tenant: TenantId, issuer: string, client: string): string =>
  inTenant(tenant, `${part(issuer)}#${part(client)}`);

export function principalSubject(principal: Principal, detail: PrincipalDetail): Subject {
  const { tenant } = principal;
  const type = principal.kind === 'workload' ? 'Workload' : 'User';
  const uid: TypeAndId = { type, id: principalId(principal) };
  const tenantUid: TypeAndId = { type: 'Tenant', id: tenant };
  const client: TypeAndId | undefined =
    principal.clientId === undefined
      ? undefined
      : { type: 'Client', id: clientId(tenant, principal.issuer, principal.clientId) };
  const groups = [...new Set(principal.groups)].map((group): TypeAndId => ({
    type: 'Group',
    id: groupId(tenant, group),
  }));
  const above = client === undefined ? groups : [...groups, client];
  const claims = detail.claims ? toCedarRecord(principal.claims) : undefined;
  const attrs: Attributes<Exclude<PrincipalAttribute, 'client' | 'claims'>> = {
    name: principal.name,
    subject: principal.subject,
    issuer: principal.issuer,
    tenant: { __entity: tenantUid },
    scopes: [...principal.scopes],
    credential: principal.credential.kind,
    ...(type === 'Workload' ? ownWorkloadAttributes(principal) : {}),
    ...(client === undefined ? {} : { client: { __entity: client } }),
    ...(claims?.ok === true ? { claims: claims.value } : {}),
  };
  const workload = detail.workload ? workloadEntity(principal) : undefined;
  const problem = principalProblem(principal, claims?.ok === false);
  return {
    uid,
    type,
    lineage: new Set([uid, tenantUid, ...above].map(uidText)),
    entities: [
      { uid, attrs, parents: [tenantUid, ...above] },
      ...above.map((one): EntityJson => ({ uid: one, attrs: {}, parents: [tenantUid] })),
      // A workload alone is both: the engine takes no entity twice.
      ...(workload === undefined || uidText(workload.uid) === uidText(uid) ? [] : [workload]),
    ],
    ...(workload === undefined ? {} : { workload: workload.uid }),
    harmless: false,
    ...(problem === undefined ? {} : { problem }),
  };
}

type Attributes<Name extends string> = Readonly<Record<Name, CedarValueJson>> & Record<string, CedarValueJson>;

const ownWorkloadAttributes = ({ workload, subject, credential }: Principal): Attributes<WorkloadAttribute> =>
  credential.kind === 'mtls' || credential.kind === 'mesh'
    ? { id: subject, trustDomain: workload?.trustDomain ?? '' }
    : { id: subject, trustDomain: '' };

/** The second layer: of the same shape as a principal, so that one type in a policy means one thing. */
function workloadEntity({ tenant, workload }: Principal): (EntityJson & { uid: TypeAndId }) | undefined {
  if (workload === undefined) return undefined;
  const tenantUid: TypeAndId = { type: 'Tenant', id: tenant };
  return {
    uid: { type: 'Workload', id: workloadId(tenant, workload.id) },
    attrs: workloadAttributes(workload, tenantUid),
    parents: [tenantUid],
  };
}

function workloadAttributes(
  { id, trustDomain, credential }: Workload,
  tenant: TypeAndId,
): Attributes<WorkloadAttribute | Exclude<PrincipalAttribute, 'client'>> {
  return {
    id,
    trustDomain,
    name: id,
    subject: id,
    issuer: `${SPIFFE}${trustDomain}`,
    tenant: { __entity: tenant },
    scopes: [],
    credential,
    claims: {},
  };
}

function principalProblem(principal: Principal, unreadableClaims: boolean): string | undefined {
  const { key, name, clientId: client = '', workload, groups, scopes } = principal;
  if (principal.kind === 'system') return 'The gateway itself is never judged by policy.';
  if (unreadableClaims) return "The caller's claims cannot be read by policy.";
  const texts = [key, name, client, workload?.id ?? '', workload?.trustDomain ?? '', ...groups, ...scopes];
  return texts.every((text) => text.isWellFormed()) ? undefined : "The caller's identity is not valid Unicode.";
}

/** The gateway itself, which administrative acts are about. */
const GATEWAY_UID: TypeAndId = { type: 'Gateway', id: 'sallyport' };

/** The entry and its server. `Tool::"files/read_text_file"` in `Server::"files"`; the gateway is `Gateway::"sallyport"`. */
export function entrySubject(entry: Entry): Subject {
  const { server, traits } = entry;
  const serverUid: TypeAndId = server.id === GATEWAY_ID ? GATEWAY_UID : { type: 'Server', id: server.id };
  const isServer = entry.kind === 'server';
  const type = isServer ? serverUid.type : TYPE_OF_KIND[entry.kind];
  const uid: TypeAndId = isServer ? serverUid : { type, id: `${server.id}/${entry.name}` };
  const isUri = entry.kind === 'resource' || entry.kind === 'template';
  const own: EntityJson = {
    uid,
    attrs: {
      ...entryAttributes(entry, traits),
      name: isServer ? serverUid.id : entry.name,
      uri: isUri ? entry.name : '',
      listed: entry.kind !== 'resource' || entry.listed,
      template: entry.kind === 'template',
    },
    parents: isServer ? [] : [serverUid],
  };
  const parent: EntityJson = { uid: serverUid, attrs: entryAttributes(entry, serverTraits(server)), parents: [] };
  const texts = [server.id, entry.name, server.owner ?? '', server.environment ?? '', ...traits.tags];
  return {
    uid,
    type,
    lineage: new Set([uid, serverUid].map(uidText)),
    entities: isServer ? [own] : [own, parent],
    harmless: !isServer && traits.risk === 'low' && traits.readOnly,
    ...(texts.every((text) => text.isWellFormed()) ? {} : { problem: 'The name is not valid Unicode.' }),
  };
}

/** As those of a server; an entry's own names are put over them. */
function entryAttributes({ server }: Entry, traits: Entry['traits']): Attributes<ResourceAttribute> {
  return {
    name: server.id,
    server: { __entity: { type: 'Server', id: server.id } },
    owner: server.owner ?? '',
    environment: server.environment ?? '',
    risk: traits.risk,
    readOnly: traits.readOnly,
    idempotent: traits.idempotent,
    tags: [...traits.tags],
    classification: traits.classification,
    uri: '',
    listed: true,
    template: false,
  };
}
