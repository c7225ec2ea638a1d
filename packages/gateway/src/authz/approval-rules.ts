/**
 * Who may say what to an approval. Pure, and the only place where it is decided: pages, API and the pipeline ask here
 * through `Approvals`.
 */

import type { Principal } from '../model/principal.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Approval, ApprovalBinding, ApprovalNeed, Assertion, Verdict } from './approval.ts';
import type { DecisionFault } from './approvals.ts';

/** What somebody says, and by which way it came. */
export type Word = {
  readonly by: Principal;
  readonly how: Assertion;
  readonly verdict: Verdict;
  readonly atMs: number;
};

const isRequester = (approval: Approval, person: Principal): boolean => approval.requester === person.key;

/** Four eyes: whoever is in the group, but for the one who asks. */
function isAskedOf(need: ApprovalNeed, approval: Approval, person: Principal): boolean {
  if (need.by.kind === 'caller') return isRequester(approval, person);
  return !isRequester(approval, person) && person.groups.includes(need.by.group);
}

/** May this person know of it: they asked, or they are asked. */
export function maySee(approval: Approval, viewer: Principal): boolean {
  if (approval.tenant !== viewer.tenant) return false;
  return isRequester(approval, viewer) || approval.needs.some((need) => isAskedOf(need, approval, viewer));
}

/** Does it wait for this person's word? */
export const waitsFor = (approval: Approval, viewer: Principal): boolean =>
  approval.tenant === viewer.tenant &&
  approval.needs.some((need) => need.decision === undefined && isAskedOf(need, approval, viewer));

/** The needs that this word settles, by their index; or why it settles none. */
export function settledBy(word: Word, approval: Approval): Result<readonly number[], DecisionFault> {
  const { by, how, verdict, atMs } = word;
  if (!maySee(approval, by)) return err('unknown');
  if (approval.status !== 'pending') return err('already-decided');
  if (approval.expiresAtMs <= atMs) return err('expired');
  const asked = approval.needs.map(
    // A client inside the protocol speaks for its own caller and for nobody else.
    (need) => (how !== 'client' || need.by.kind === 'caller') && isAskedOf(need, approval, by),
  );
  const open = approval.needs.flatMap((need, index) =>
    asked[index] === true && need.decision === undefined ? [index] : [],
  );
  if (open.length === 0) return err(whyNone(word, approval, asked.includes(true)));
  // Whoever can answer inside the protocol, or holds the token, may be the agent itself. Its no is as good as anyone's.
  if (verdict === 'approved' && approval.risk === 'high' && how !== 'browser') return err('needs-browser');
  return ok(open);
}

function whyNone({ by, how }: Word, approval: Approval, wasAsked: boolean): DecisionFault {
  const groupIsOpen = approval.needs.some((need) => need.by.kind === 'group' && need.decision === undefined);
  if (how !== 'client' && groupIsOpen && isRequester(approval, by)) return 'own-request';
  return wasAsked ? 'already-decided' : 'not-asked';
}

/** Somebody whom the identity provider can show to us in a browser: a key or a certificate has no log-in. */
export const canLogIn = ({ kind, credential }: Principal): boolean =>
  kind === 'user' && (credential.kind === 'jwt' || credential.kind === 'browser');

/** Is this approval for exactly that call? */
export const bindsTo = (approval: ApprovalBinding, call: ApprovalBinding): boolean =>
  approval.tenant === call.tenant &&
  approval.requester === call.requester &&
  approval.kind === call.kind &&
  approval.address === call.address &&
  approval.definitionHash === call.definitionHash &&
  approval.argumentsDigest === call.argumentsDigest;

/** Somebody else said no, and the call has not changed: their word stands until the approval would have expired. */
export const isRefusedByAnother = ({ needs, requester }: Approval): boolean =>
  needs.some(({ decision }) => decision?.verdict === 'declined' && decision.by.key !== requester);
