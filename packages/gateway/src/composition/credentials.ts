/** What the gateway holds and presents, as one list: to servers, to what it depends on, and to those who connect to it. */

import type { Catalog } from '../catalog/catalog.ts';
import type { ReportedCredential } from '../catalog/status-report.ts';
import type { Config } from '../config/config.ts';
import type { ReferenceConfig } from '../config/secrets-config.ts';
import { usedReferences } from '../config/used-references.ts';
import { reportCredentials, type CredentialReport, type CredentialSource } from '../credential/credential-report.ts';
import { nameOf } from '../credential/secret-source.ts';
import type { JsonObject } from '../model/json.ts';
import type { TenantId } from '../model/principal.ts';
import type { Secrets } from './secrets.ts';
import { toolsOfServers } from './tools-of-servers.ts';

export type CredentialParts = {
  readonly config: Config;
  readonly secrets: Pick<Secrets, 'state'>;
  /** Who else holds some: the operator's for servers, people's grants. */
  readonly sources: readonly CredentialSource[];
  /** Certificates, keys and tokens that say when they end. */
  readonly ending: () => readonly ReportedCredential[];
  /** Whose tools are told of. */
  readonly catalog: () => Catalog;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

/** Undefined: of all tenants, and of the gateway itself. */
export type ListCredentials = (tenant: TenantId | undefined) => Promise<JsonObject>;

export function composeCredentials(parts: CredentialParts): ListCredentials {
  const own: CredentialSource = { report: () => [...ownReferences(parts), ...ownClients(parts), ...ownKeys(parts)] };
  return async (tenant) => {
    const credentials = await reportCredentials([...parts.sources, own], tenant);
    return {
      atMs: parts.now(),
      credentials: credentials.map((row) => ({ ...row })),
      tools: toolsOfServers(credentials, parts.catalog()),
    };
  };
}

/** What the gateway presents to what it depends on; what it calls servers with is told by who holds it. */
function ownReferences({ config, secrets, now }: CredentialParts): readonly CredentialReport[] {
  return usedReferences(config).flatMap(({ usedBy, source }): CredentialReport[] => {
    if (usedBy.startsWith('servers.')) return [];
    const of = { owner: 'gateway', kind: 'reference', references: [nameOf(source)], usedBy };
    return [{ ...of, ...standingOf(source, { secrets, now }) }];
  });
}

/** As which client the gateway asks for tokens: in its own name for everyone, or for each person. */
const ownClients = ({ config, secrets, now }: CredentialParts): readonly CredentialReport[] =>
  config.servers.flatMap(({ id, auth }): CredentialReport[] => {
    if (auth === undefined || auth.type === 'principal') return [];
    const secret = auth.clientSecret ?? auth.privateKey?.pem;
    if (secret === undefined || secret.kind === 'literal') return [];
    const { scopes } = auth;
    const of = { owner: 'gateway', server: id, kind: auth.type === 'oauth' ? 'oauth-client' : auth.type };
    return [
      {
        ...of,
        references: [nameOf(secret)],
        usedBy: `servers.${id}.auth`,
        ...(scopes.length === 0 ? {} : { scopes }),
        ...standingOf(secret, { secrets, now }),
      },
    ];
  });

type Standing = Pick<CredentialReport, 'state' | 'version' | 'obtainedAtMs' | 'expiresAtMs' | 'lastFailure'>;

function standingOf(source: ReferenceConfig, { secrets, now }: Pick<CredentialParts, 'secrets' | 'now'>): Standing {
  const state = secrets.state(source);
  if (state === undefined) return { state: 'unused' };
  const { failing, leftMs, ageMs, version } = state;
  return {
    state: failing === undefined ? 'good' : 'failing',
    version,
    obtainedAtMs: Math.round(now() - ageMs),
    ...(leftMs === undefined ? {} : { expiresAtMs: Math.round(now() + leftMs) }),
    ...(failing === undefined ? {} : { lastFailure: { atMs: now(), reason: failing } }),
  };
}

/** Told with what refers to them already. */
const TOLD: ReadonlySet<string> = new Set(['server-token', 'secret-lease']);

const ownKeys = ({ ending, now }: CredentialParts): readonly CredentialReport[] =>
  ending()
    .filter(({ kind }) => !TOLD.has(kind))
    .map(({ credential, kind, expiresAtMs }) => ({
      owner: credential,
      kind,
      references: [],
      expiresAtMs,
      state: expiresAtMs <= now() ? 'failing' : 'good',
    }));
