/** The port of `credential`: as whom upstream. Never the caller's own token. */

import type { Principal } from '../model/principal.ts';
import type { Secret } from '../model/secret.ts';
import type { ServerId } from '../model/target.ts';
import type { CredentialKind } from '../model/trail.ts';
import type { GrantKey } from './grant.ts';

export type Credential = {
  readonly kind: CredentialKind;
  /** Names the credential in pool keys and records; changes when its value changes. Never derived from the value alone. */
  readonly version: string;
  readonly headers: Readonly<Record<string, Secret>>;
  readonly env: Readonly<Record<string, Secret>>;
  /** Of a person's own consent: whose, so that what was opened with it ends when it is revoked. */
  readonly owner?: GrantKey;
};

export interface CredentialBroker {
  /**
   * @param subject The caller's own token, for their issuer alone, where it is exchanged (RFC 8693). Not kept.
   * @throws Refusal `server-unavailable` when a reference cannot be resolved; the message names the reference.
   */
  obtain(
    principal: Principal,
    server: ServerId,
    signal: AbortSignal,
    subject?: Secret,
  ): Credential | Promise<Credential>;
  /**
   * The server refused `refused` (401 or 403): looks for another one, once for all who say so at the same time. True when
   * `obtain` gives another now, with which the call may be made once more. Never throws.
   */
  replace(
    refused: Credential,
    of: { readonly principal: Principal; readonly server: ServerId },
    signal: AbortSignal,
  ): Promise<boolean>;
}

/** What can be done when a server does not take a credential (HTTP 401: nothing was executed). */
export interface CredentialRenewal {
  /** True when it makes sense to obtain one again: there is another one, or a better word about why there is none. */
  rejected(credential: Credential, signal: AbortSignal): Promise<boolean>;
}
