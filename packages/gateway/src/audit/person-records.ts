/** Which records are about a person: as caller, as whoever acted for somebody, as approver, as requester of an approval. */

import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';

/** Who it is: one of these three a person gives, the others narrow it down. */
export type WantedPerson = {
  /** The subject, as its issuer names it, or the name that records show. */
  readonly person: string;
  readonly issuer?: string | undefined;
  readonly tenant?: string | undefined;
};

export type Identity = {
  readonly tenant: string;
  readonly issuer: string;
  readonly subject: string;
};

export type Role = 'caller' | 'actor' | 'approver' | 'requester';

export type AboutPerson = {
  readonly roles: readonly Role[];
  readonly identities: readonly Identity[];
  readonly requestId: string;
  readonly tenant: string;
  readonly timeMs: number;
};

/** Undefined for a line that is not about them, or is no record. Never throws. */
export function aboutPerson(line: string, wanted: WantedPerson): AboutPerson | undefined {
  // Cheap, and right for all names that JSON writes as they are; others are looked for thoroughly.
  if (PLAIN.test(wanted.person) && !line.includes(wanted.person)) return undefined;
  const record = parsed(line);
  if (record === undefined) return undefined;
  const metadata = objectOf(record['metadata']);
  const tenant = textOf(metadata['tenant_uid']);
  if (wanted.tenant !== undefined && tenant !== wanted.tenant) return undefined;
  const found = mentions(record, tenant).filter(({ identity, name }) => isWanted(identity, name, wanted));
  if (found.length === 0) return undefined;
  return {
    roles: [...new Set(found.map(({ role }) => role))],
    identities: found.map(({ identity }) => identity),
    requestId: textOf(metadata['correlation_uid']),
    tenant,
    timeMs: typeof record['time'] === 'number' ? record['time'] : 0,
  };
}

const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/;

type Mention = { readonly role: Role; readonly identity: Identity; readonly name: string };

function mentions(record: JsonObject, tenant: string): readonly Mention[] {
  const actor = objectOf(record['actor']);
  const user = objectOf(actor['user']);
  const unmapped = objectOf(record['unmapped']);
  const approval = objectOf(unmapped['approval']);
  const issuer = textOf(objectOf(actor['idp'])['uid']);
  const of = (
    role: Role,
    at: { subject: Json | undefined; issuer?: Json | undefined; name?: Json | undefined },
  ): Mention => ({
    role,
    identity: { tenant, issuer: textOf(at.issuer), subject: textOf(at.subject) },
    name: textOf(at.name),
  });
  const isDecision = unmapped['event'] === 'approval';
  return [
    // Authentications (OCSF 3002) have their user at the top.
    of('caller', { subject: objectOf(record['user'])['uid'], name: objectOf(record['user'])['name'] }),
    of(isDecision ? 'approver' : 'caller', { subject: user['uid'], issuer, name: user['name'] }),
    ...objectsOf(unmapped['actors']).map((one) => of('actor', { subject: one['uid'], issuer: one['idp'] })),
    ...objectsOf(approval['decisions']).map((one) => of('approver', { subject: one['by'], issuer: one['idp'] })),
    of('requester', { subject: approval['requested_by'] }),
  ].filter(({ identity }) => identity.subject !== '');
}

/** Where a record does not say the issuer, any will do: rather one record too many than one withheld. */
function isWanted({ issuer, subject }: Identity, name: string, wanted: WantedPerson): boolean {
  if (subject !== wanted.person && name !== wanted.person) return false;
  return wanted.issuer === undefined || issuer === '' || issuer === wanted.issuer;
}

function parsed(line: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const NOTHING: JsonObject = Object.freeze({});
const objectOf = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : NOTHING);
const objectsOf = (value: Json | undefined): readonly JsonObject[] => (Array.isArray(value) ? value.map(objectOf) : []);
const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');

/** What the record says of one request's bodies. */
export type RecordedBodies = { readonly state: string; readonly commitment?: string; readonly tenant: string };

/** Undefined for every other line. */
export function recordedBodies(line: string, requestId: string): RecordedBodies | undefined {
  if (!line.includes('"event":"bodies"') || !line.includes(requestId)) return undefined;
  const record = parsed(line) ?? NOTHING;
  const metadata = objectOf(record['metadata']);
  const unmapped = objectOf(record['unmapped']);
  if (unmapped['event'] !== 'bodies' || metadata['correlation_uid'] !== requestId) return undefined;
  const { commitment } = unmapped;
  return {
    state: textOf(unmapped['outcome']),
    tenant: textOf(metadata['tenant_uid']),
    ...(typeof commitment === 'string' ? { commitment } : {}),
  };
}
