/** Step 1: who is calling. Everything sealed that the request carries must have been made for the same principal. */

import type { Authenticator } from '../authn/authenticator.ts';
import { refuse, type FailureCode } from '../model/failure.ts';
import type { AuthenticatedRequest, InboundRequest } from '../model/request.ts';
import type { Trail } from '../model/trail.ts';

export async function authenticate(
  inbound: InboundRequest,
  authenticator: Authenticator,
  trail: Trail,
): Promise<AuthenticatedRequest> {
  const { presented, ...rest } = inbound;
  const principal = await authenticator.authenticate({
    requestId: inbound.id,
    presented,
    endpoint: inbound.endpoint,
    address: inbound.client.address,
  });
  trail.note({ kind: 'authenticated', principal });
  for (const key of inbound.sealedFor) {
    // The same answer as for an id that never existed: a stolen session id tells nothing.
    if (key !== principal.key)
      throw refuse(codeFor(inbound), { reason: 'what the request carries was sealed for somebody else' });
  }
  const fault = inbound.answers?.fault;
  if (fault !== undefined) throw refuse('invalid-state', { reason: fault });
  // An API key is a secret between its holder and us, and no issuer's to see.
  const subject = principal.credential.kind === 'jwt' ? presented.bearer : undefined;
  return subject === undefined ? { ...rest, principal } : { ...rest, principal, subject };
}

function codeFor({ client, operation }: InboundRequest): FailureCode {
  if (client.session !== undefined) return 'unknown-session';
  return operation.kind === 'task' ? 'unknown-task' : 'invalid-state';
}
