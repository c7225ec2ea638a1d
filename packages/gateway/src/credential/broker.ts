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
}
