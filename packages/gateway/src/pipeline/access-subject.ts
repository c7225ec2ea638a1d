/** About whom a question of access is: the caller, or somebody whom the caller only describes. */

import type { Authorizer } from '../authz/authorizer.ts';
import type { AccessQuestion, AdministrativeAct, AskedSubject } from '../model/administration.ts';
import { refuse } from '../model/failure.ts';
import { principalKey, type Principal } from '../model/principal.ts';
import type { ResolvedRequest } from '../model/request.ts';

type Asking = Extract<AdministrativeAct, { name: 'askAccess' | 'askAccessOfOthers' }>;

export const isAboutOthers = (questions: readonly AccessQuestion[], caller: Principal): boolean =>
  questions.some(({ subject }) => subject !== undefined && !isCaller(subject, caller));

/** Policies are told to whoever may ask about anybody, and to nobody else: they say what others may do. */
export function mayAskAboutOthers(request: ResolvedRequest, act: Asking, authorizer: Authorizer): boolean {
  const operation = { kind: 'administer', act: { ...act, name: 'askAccessOfOthers' } } as const;
  const decision = authorizer.authorize({ ...request, operation });
  return decision.effect === 'allow' && decision.permit.obligations.length === 0;
}

/**
 * Who policy is asked about. Of the caller's own tenant always: a tenant is never a request's to choose.
 *
 * @throws Refusal `forbidden` for another tenant.
 */
export function principalOf(subject: AskedSubject | undefined, caller: Principal): Principal {
  if (subject === undefined || isCaller(subject, caller)) return caller;
  const { tenant } = caller;
  if (subject.tenant !== undefined && subject.tenant !== tenant) {
    throw refuse('forbidden', { message: 'Nobody can ask about another tenant.' });
  }
  const { kind, issuer, subject: id, clientId } = subject;
  return {
    key: principalKey(tenant, issuer, id),
    tenant,
    kind,
    issuer,
    subject: id,
    name: subject.name ?? id,
    groups: subject.groups ?? [],
    scopes: subject.scopes ?? [],
    ...(clientId === undefined ? {} : { clientId }),
    credential: { kind: credentialOf(issuer) },
    claims: subject.claims ?? {},
  };
}

const credentialOf = (issuer: string): 'api-key' | 'jwt' => (issuer === 'api-key' ? 'api-key' : 'jwt');

/** The caller by name, and with nothing made up about them. */
function isCaller(subject: AskedSubject, caller: Principal): boolean {
  const { kind, issuer, subject: id, tenant = caller.tenant, ...facts } = subject;
  return kind === caller.kind && principalKey(tenant, issuer, id) === caller.key && Object.keys(facts).length === 0;
}
