/**
 * Tokens that are bound to a key of their sender (`cnf`, RFC 7800): worth nothing to whoever merely has the token. Bound to
 * a certificate they can be checked (RFC 8705 section 3); bound in another way they cannot, and are refused.
 */

import { isJsonObject } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';

const CERTIFICATE_THUMBPRINT = 'x5t#S256';

/** Why the sender is not the one that the token is bound to; undefined when it is bound to nobody, or to this one. */
export function constraintFault({ claims }: Principal, thumbprint: string | undefined): string | undefined {
  const confirmation = claims['cnf'];
  if (confirmation === undefined) return undefined;
  const bound = isJsonObject(confirmation) ? confirmation[CERTIFICATE_THUMBPRINT] : undefined;
  if (!isJsonObject(confirmation) || typeof bound !== 'string' || Object.keys(confirmation).length > 1) {
    return 'token: bound to its sender in a way that cannot be checked here';
  }
  if (thumbprint === undefined) return 'token: bound to a certificate, and none was presented';
  return thumbprint === bound ? undefined : 'token: bound to another certificate';
}
