/**
 * What the gateway itself is asked to do goes the way of a call: who, what, may they, how much, and a record durable before
 * anything changes. One engine guards both. What comes out is for our own API and pages, never for an MCP codec.
 */

import type { Approval } from '../authz/approval.ts';
import type { Approvals, DecisionFault } from '../authz/approvals.ts';
import type { Authorizer } from '../authz/authorizer.ts';
import type { AccessAnswer, AdministrativeAct, ReadingAct } from '../model/administration.ts';
import { refuse, type FailureCode } from '../model/failure.ts';
import type { Principal } from '../model/principal.ts';
import type { AuthorizedRequest, InboundRequest, ResolvedRequest } from '../model/request.ts';
import { isAboutOthers, mayAskAboutOthers } from './access-subject.ts';
import { admit } from './admit.ts';
import { answerQuestions } from './answer-questions.ts';
import { authenticate } from './authenticate.ts';
import { authorize } from './authorize.ts';
import type { ScopeCheck } from './check-scopes.ts';
import { consumeQuota } from './consume-quota.ts';
import { oversee, type Overseen } from './oversee.ts';
import type { Exchange, PipelineParts } from './pipeline.ts';
import { recordIntent } from './record-intent.ts';
import type { RequestTrail } from './request-trail.ts';
import { resolve } from './resolve.ts';
import { revokeCredentials } from './revoke-credentials.ts';

export type Administered =
  | { readonly kind: 'access'; readonly answers: readonly AccessAnswer[] }
  | { readonly kind: 'approvals'; readonly approvals: readonly Approval[] }
  | { readonly kind: 'approval'; readonly approval: Approval }
  | Awaited<ReturnType<typeof revokeCredentials>>
  | Overseen;

/** How a fault of a decision is refused. Everything is recorded; the fault's own name travels in `data.fault`. */
const FAULTS: Readonly<Record<DecisionFault, readonly [FailureCode, string]>> = {
  unknown: ['not-found', 'There is no such approval, or it is not for you.'],
  expired: ['invalid-state', 'The approval has expired. Have the call made again; it asks for a new one.'],
  'already-decided': ['invalid-state', 'This was decided already. Read the approval to see how.'],
  'own-request': ['forbidden', 'You asked for this call yourself: somebody else has to approve it.'],
  'not-asked': ['forbidden', 'Nothing in this approval waits for your word.'],
  'needs-browser': ['forbidden', 'This call is of high risk: decide after a log-in in the browser.'],
};

export type AdministerParts = PipelineParts & { readonly checkScopes: ScopeCheck };

/** @throws Refusal, like every step. */
export async function administer(
  inbound: InboundRequest,
  act: AdministrativeAct,
  exchange: Exchange,
  { trail, parts }: { readonly trail: RequestTrail; readonly parts: AdministerParts },
): Promise<Administered> {
  const catalog = parts.catalog();
  const authorizer = parts.authorizer();

  trail.enter('authenticate');
  const authenticated = await authenticate(inbound, parts.authenticator, trail);
  const { principal } = authenticated;
  trail.enter('resolve');
  const resolved = await resolve(authenticated, catalog, authorizer, trail);
  trail.enter('admit');
  const admitted = await admit(actOf(resolved, act, principal), catalog, authorizer, trail);
  trail.enter('consume-quota');
  consumeQuota(admitted, parts.limiter, trail);
  trail.enter('authorize');
  // Reading of all tenants takes a permit for all of them beside the one for reading.
  if (act.name === 'readAllTenants') authorizeAct(asking(admitted, act.of), authorizer, trail);
  const authorized = authorizeAct(admitted, authorizer, trail);

  trail.enter('administer');
  switch (act.name) {
    case 'askAccess':
    case 'askAccessOfOthers': {
      const asked = { request: admitted, act, exchange, tellPolicies: mayAskAboutOthers(admitted, act, authorizer) };
      return { kind: 'access', answers: await answerQuestions(asked, { ...parts, catalog, authorizer }) };
    }
    case 'readApprovals':
      return readApprovals(act.id, principal, parts.approvals);
    case 'decideApproval':
      return decide(authorized, act, trail, parts);
    case 'revokeCredentials':
      return revokeCredentials(authorized, act, { trail, parts });
    case 'readAllTenants':
      return read(authorized, act.of, { tenant: undefined, signal: exchange.signal }, { trail, parts });
    case 'readAudit':
    case 'readAuditBodies':
    case 'readUsage':
    case 'readLive':
    case 'readCredentials':
      return read(authorized, act, { tenant: principal.tenant, signal: exchange.signal }, { trail, parts });
  }
}

const asking = (request: ResolvedRequest, act: AdministrativeAct): ResolvedRequest => ({
  ...request,
  operation: { kind: 'administer', act },
});

/** A question about somebody else is another act than one about oneself, whatever the request calls it. */
function actOf(request: ResolvedRequest, act: AdministrativeAct, principal: Principal): ResolvedRequest {
  if (act.name !== 'askAccess' || !isAboutOthers(act.questions, principal)) return request;
  return asking(request, { ...act, name: 'askAccessOfOthers' });
}

function authorizeAct(request: ResolvedRequest, authorizer: Authorizer, trail: RequestTrail): AuthorizedRequest {
  const authorized = authorize(request, authorizer, trail);
  if (authorized.permit.obligations.length === 0) return authorized;
  // Only a permit of the operator that covers administrative acts and demands an approval leads here.
  throw refuse('forbidden', {
    message:
      'Policy allows this only with an approval, and none can be given for an administrative act. Ask the operator.',
  });
}

async function readApprovals(id: string | undefined, viewer: Principal, approvals: Approvals): Promise<Administered> {
  if (id === undefined) return { kind: 'approvals', approvals: await approvals.waitingFor(viewer) };
  const approval = await approvals.get(id, viewer);
  if (approval === undefined) throw refused('unknown');
  return { kind: 'approval', approval };
}

async function decide(
  request: AuthorizedRequest,
  { id, verdict }: Extract<AdministrativeAct, { name: 'decideApproval' }>,
  trail: RequestTrail,
  parts: PipelineParts,
): Promise<Administered> {
  const { approvals, audit } = parts;
  // Nobody's approval is needed to give one: what would demand it was refused above.
  trail.enter('record-intent');
  const { intent } = await recordIntent({ ...request, approval: undefined }, audit, trail);
  trail.enter('administer');
  const by = intent.permit.principal;
  // Read from the credential that was verified, not from anything the request says: a token can never claim a browser.
  const how = by.credential.kind === 'browser' ? 'browser' : 'api';
  const decided = await approvals.decide(id, { by, how, verdict });
  if (!decided.ok) throw refused(decided.error);
  return { kind: 'approval', approval: decided.value };
}

async function read(
  request: AuthorizedRequest,
  act: ReadingAct,
  of: Parameters<typeof oversee>[1],
  { trail, parts }: { readonly trail: RequestTrail; readonly parts: PipelineParts },
): Promise<Administered> {
  // Who reads what others said is on record before they have read it.
  if (act.name === 'readAuditBodies') {
    trail.enter('record-intent');
    await recordIntent({ ...request, approval: undefined }, parts.audit, trail);
    trail.enter('administer');
  }
  return oversee(act, of, parts.oversight);
}

function refused(fault: DecisionFault): ReturnType<typeof refuse> {
  const [code, message] = FAULTS[fault];
  return refuse(code, { message, data: { fault }, reason: fault });
}
