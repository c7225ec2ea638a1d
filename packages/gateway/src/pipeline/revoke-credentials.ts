/** The end of people's log-ins for servers, as an administrative act: on record before anything is gone. */

import type { RevokedGrant } from '../credential/revoke-grants.ts';
import type { AdministrativeAct } from '../model/administration.ts';
import { refuse } from '../model/failure.ts';
import type { Principal } from '../model/principal.ts';
import type { AuthorizedRequest } from '../model/request.ts';
import type { Result } from '../model/result.ts';
import type { PipelineParts } from './pipeline.ts';
import { recordIntent } from './record-intent.ts';
import type { RequestTrail } from './request-trail.ts';

export type RevokingAct = Extract<AdministrativeAct, { name: 'revokeCredentials' }>;

/** Of the tenant of whoever asks. The error says which people are meant where a name is not one person's alone. */
export type Revocation = (act: RevokingAct, by: Principal) => Promise<Result<readonly RevokedGrant[], string>>;

export async function revokeCredentials(
  request: AuthorizedRequest,
  act: RevokingAct,
  { trail, parts }: { readonly trail: RequestTrail; readonly parts: PipelineParts },
): Promise<{ readonly kind: 'revoked'; readonly revoked: readonly RevokedGrant[] }> {
  trail.enter('record-intent');
  const { intent } = await recordIntent({ ...request, approval: undefined }, parts.audit, trail);
  trail.enter('administer');
  const revoked = await parts.revocation(act, intent.permit.principal);
  if (!revoked.ok) throw refuse('invalid-params', { message: revoked.error });
  return { kind: 'revoked', revoked: revoked.value };
}
