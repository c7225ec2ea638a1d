/** As whom servers are called that have a mode of their own: people's secrets, tokens of the gateway itself, people's own consent. */

import type { Authorizer } from '../authz/authorizer.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Config } from '../config/config.ts';
import { createConsents, type Consents } from '../credential/consents.ts';
import { createGrantGate, type GrantGate } from '../credential/grant-gate.ts';
import type { GrantIssuer, GrantKey } from '../credential/grant.ts';
import { createModeBroker, type CredentialMode } from '../credential/mode-broker.ts';
import type { CredentialBroker, CredentialRenewal } from '../credential/broker.ts';
import type { CredentialSource } from '../credential/credential-report.ts';
import { clientDocument } from '../credential/oauth/client-registry.ts';
import { createGatewayToken } from '../credential/oauth/client-credentials-broker.ts';
import { createCodeFlow, type CodeFlow } from '../credential/oauth/code-flow.ts';
import { createExchangeMode } from '../credential/oauth/exchange-mode.ts';
import { createGrantIssuer } from '../credential/oauth/grant-issuer.ts';
import { createPersonMode, type PersonMode } from '../credential/oauth/person-mode.ts';
import type { NoteEvent } from '../model/event.ts';
import type { JsonObject } from '../model/json.ts';
import { LIST_KINDS } from '../model/operation.ts';
import type { Principal } from '../model/principal.ts';
import { NEWEST_MODERN } from '../model/revision.ts';
import type { ServerId } from '../model/target.ts';
import { seesServer } from '../pipeline/visibility.ts';
import type { Grants } from './grants.ts';
import { oauthSite, ownClient, type SiteParts } from './oauth-sites.ts';
import { composePersonSecrets, type PersonSecretsParts } from './person-secrets.ts';
import type { Logger } from '../telemetry/logger.ts';
import { systemClock } from '../upstream/clock.ts';

export type OAuthParts = SiteParts & {
  readonly config: Config;
  readonly secrets: PersonSecretsParts['secrets'];
  /** Where people's consents are kept, and who renews them. */
  readonly grants: Pick<Grants, 'vault' | 'broker' | 'newestOf'>;
  readonly note: NoteEvent;
  readonly logger: Logger;
  readonly catalog: () => Catalog;
  readonly authorizer: () => Authorizer;
  /** What a server offers can be read from now on. */
  readonly readAgain: (server: ServerId) => void;
};

export type ComposedOAuth = {
  /** The broker that knows the modes of servers, too. */
  accepting(fixed: CredentialBroker): CredentialBroker & CredentialRenewal;
  /** The secrets of people that are held now. */
  readonly personSecrets: readonly CredentialSource[];
  readonly gate: GrantGate;
  readonly issuerOf: (key: GrantKey) => GrantIssuer | undefined;
  readonly consents: Consents | undefined;
  readonly clientDocument: JsonObject | undefined;
};

export function composeOAuth(parts: OAuthParts): ComposedOAuth {
  const { config, publicUrl, note, logger, readAgain } = parts;
  const { vault, broker: tokens, newestOf } = parts.grants;
  const now = Date.now;
  const own = ownClient(publicUrl);
  const modes = new Map<ServerId, CredentialMode>();
  const people = new Map<ServerId, PersonMode>();
  const issuers = new Map<ServerId, GrantIssuer>();
  const personSecrets: CredentialSource[] = [];
  const flows = new Map<ServerId, { readonly title: string; readonly flow: CodeFlow }>();
  const issuerOf = ({ server }: GrantKey): GrantIssuer | undefined => issuers.get(server);

  for (const server of config.servers) {
    const { id, auth } = server;
    if (auth?.type === 'principal') {
      const mode = composePersonSecrets(id, auth, { secrets: parts.secrets, directory: config.directory });
      modes.set(id, mode);
      personSecrets.push(mode);
      continue;
    }
    if (auth === undefined || server.transport.kind !== 'http') continue;
    const site = oauthSite(server, auth, parts);
    if (auth.type === 'client-credentials') {
      modes.set(id, createGatewayToken({ site, now, logger }));
    } else if (auth.type === 'token-exchange') {
      const { audience } = auth;
      modes.set(id, createExchangeMode({ site, now, logger, ...(audience === undefined ? {} : { audience }) }));
    } else {
      const person = createPersonMode({ server: id, tokens, newestOf, page: `${publicUrl}/connect/${id}` });
      modes.set(id, person);
      people.set(id, person);
      issuers.set(id, createGrantIssuer({ site, now }));
      flows.set(id, { title: server.title ?? id, flow: createCodeFlow({ site, redirectUri: own.redirectUri, now }) });
    }
  }

  const gate = createGrantGate({
    servers: new Set(people.keys()),
    tokens,
    vault,
    clockMs: () => systemClock.nowMs(),
  });
  const onConsent = (key: GrantKey): void => {
    tokens.forget(key);
    people.get(key.server)?.consented(key);
    gate.arrived();
    readAgain(key.server);
  };
  return {
    accepting: (fixed) => createModeBroker({ fixed, modes, renewal: tokens }),
    personSecrets,
    gate,
    issuerOf,
    consents:
      flows.size === 0
        ? undefined
        : createConsents({ flows, vault, note, onConsent, mayKnow: (who, server) => mayKnow(who, server, parts) }),
    clientDocument: own.documentUrl === undefined || flows.size === 0 ? undefined : clientDocument(own),
  };
}

/** A server that was never read offers nothing that policy could speak of: somebody has to be the first. */
async function mayKnow(principal: Principal, server: ServerId, { catalog, authorizer }: OAuthParts): Promise<boolean> {
  const current = catalog();
  const isKnown = LIST_KINDS.some((kind) => current.list({ kind: 'server', server }, kind).length > 0);
  if (!isKnown) return true;
  const client = { era: 'modern', revision: NEWEST_MODERN, capabilities: {}, address: '' } as const;
  return seesServer({ principal, client }, server, current, authorizer());
}
