/** The port of `credential`: as whom upstream. Never the caller's own token. */

import type { Principal } from '../model/principal.ts';
import type { Secret } from '../model/secret.ts';
import type { ServerId } from '../model/target.ts';
import type { CredentialKind } from '../model/trail.ts';

export type Credential = {
  readonly kind: CredentialKind;
  /** Names the credential in pool keys and records; changes when its value changes. Never derived from the value alone. */
  readonly version: string;
  readonly headers: Readonly<Record<string, Secret>>;
  readonly env: Readonly<Record<string, Secret>>;
};

export interface CredentialBroker {
  /** @throws Refusal `server-unavailable` when a reference cannot be resolved; the message names the reference. */
  obtain(principal: Principal, server: ServerId, signal: AbortSignal): Credential | Promise<Credential>;
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
