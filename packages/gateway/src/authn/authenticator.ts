/** The port of `authn`: who is calling. */

import type { Principal } from '../model/principal.ts';
import type { PresentedCredentials } from '../model/request.ts';
import type { Endpoint } from '../model/target.ts';

export type AuthenticationAttempt = {
  /** Ties the precise reason in our log to the generic answer that the caller got. */
  readonly requestId: string;
  readonly presented: PresentedCredentials;
  readonly endpoint: Endpoint;
  /** The client's network address: failed attempts are limited per address. */
  readonly address: string;
};

export interface Authenticator {
  /**
   * The verified caller. There is no default principal.
   *
   * @throws Refusal `unauthenticated`, `invalid-credential`, `expired-credential`, `wrong-audience`,
   *   `identity-unavailable` or `quota-exceeded` (too many failed attempts from this address).
   */
  authenticate(attempt: AuthenticationAttempt): Principal | Promise<Principal>;
}
