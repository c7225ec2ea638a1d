/** Log-ins with a browser, as a configuration asks for them. */

import { randomUUID } from 'node:crypto';

import type { Authenticator } from '../authn/authenticator.ts';
import { createBrowserLogin, type BrowserLogin, type LoginIssuer } from '../authn/browser-login.ts';
import { withBrowserSessions } from '../authn/browser-principal.ts';
import type { Config } from '../config/config.ts';
import type { SecretResolver } from '../credential/secret-resolver.ts';
import type { Egress } from '../egress/egress.ts';
import { createWebFetch } from '../egress/web-fetch.ts';
import type { NoteEvent } from '../model/event.ts';
import type { Logger } from '../telemetry/logger.ts';
import { egressPolicyOf } from './identity.ts';

export type BrowserParts = {
  readonly config: Config;
  readonly publicUrl: string;
  readonly egress: Egress;
  readonly secrets: Pick<SecretResolver, 'resolve'>;
  readonly note: NoteEvent;
  readonly logger: Logger;
};

export type ComposedBrowser = {
  /** Undefined when no issuer has a `login`. */
  readonly login: BrowserLogin | undefined;
  /** The authenticator that takes browser sessions, too. */
  accepting(inner: Authenticator): Authenticator;
};

/** A token response, or a key set. */
const MAX_ANSWER_BYTES = 256 * 1024;
/** A person waits for it; each log-in takes two or three of these. */
const ANSWER_TIMEOUT_MS = 4_000;

export function composeBrowser({ config, publicUrl, egress, secrets, note, logger }: BrowserParts): ComposedBrowser {
  const issuers = config.identity.issuers.flatMap((issuer): LoginIssuer[] => {
    const { login, ...mapping } = issuer;
    if (login === undefined) return [];
    const { clientSecret, ...client } = login;
    return [
      {
        ...mapping,
        ...client,
        ...(clientSecret === undefined ? {} : { clientSecret: () => secrets.resolve(clientSecret) }),
      },
    ];
  });
  if (issuers.length === 0) return { login: undefined, accepting: (inner) => inner };
  const fetch = createWebFetch(egress, {
    policyOf: egressPolicyOf(config),
    maxBytes: MAX_ANSWER_BYTES,
    timeoutMs: ANSWER_TIMEOUT_MS,
  });
  return {
    login: createBrowserLogin({ issuers, publicUrl, fetch, now: Date.now, newId: randomUUID, log: logger }),
    accepting: (inner) => withBrowserSessions(inner, { issuers, now: Date.now, log: logger, note }),
  };
}
