/**
 * Step 7: the permit's obligations. A call that needs nobody's word passes; any other is made on an approval for exactly
 * this call, used once, or not at all. Whoever has to be asked is asked in the protocol where the client can do that, and
 * what their client says in their name never counts for high risk (`authz/approval-rules.ts`).
 */

import type { Approval } from '../authz/approval.ts';
import type { Approvals } from '../authz/approvals.ts';
import { approvalsOf, approverText } from '../model/decision.ts';
import { elicitationModes, readElicited } from '../model/elicitation.ts';
import { failure, refuse, Refusal } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import type { Continuation, InputRequests, InputRequired } from '../model/outcome.ts';
import type { ApprovedRequest, AuthorizedRequest } from '../model/request.ts';
import type { ApprovalFact, Trail } from '../model/trail.ts';
import { CONFIRM_KEY, confirmation, instruction, invitation, LINK_KEY } from './approval-question.ts';

export type ApproveParts = {
  readonly approvals: Approvals & {
    settled(approval: Approval, forMs: number, signal: AbortSignal): Promise<Approval>;
  };
  readonly approvalLink: (id: string) => string;
  /** How long a call that was asked for again waits for somebody's word. */
  readonly approvalWaitMs: number;
};

export type Approving = {
  readonly parts: ApproveParts;
  readonly trail: Trail;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** It has waited already: it is answered as things stand. */
  readonly waited: boolean;
};

/** `waited`: somebody decided, after a while in which policy may have changed. Everything is decided anew. */
export type Approved = ApprovedRequest | InputRequired | 'waited';

export const isApproved = (approved: Approved): approved is ApprovedRequest =>
  approved !== 'waited' && 'permit' in approved;

export function approve(request: AuthorizedRequest, approving: () => Approving): Approved | Promise<Approved> {
  // What is asked of a task is part of the call that it came out of, which had its approval.
  if (request.permit.obligations.length > 0 && request.permit.operation.kind !== 'task') {
    if (request.answers?.continuation?.kind === 'parked') return goesOn(request, request.answers.continuation);
    // Its state could be sent again and again, and an approval is for one call.
    const kind = request.answers?.continuation?.kind;
    if (kind === 'upstream' || kind === 'task') throw refuse('invalid-state', { reason: NOT_CARRIED });
    return approveCall(request, approving());
  }
  return passed(request, undefined);
}

const NOT_CARRIED = "policy wants an approval by now, which the state of a server's question does not carry";

/** The call was made on an approval and is still open: its answers are taken once, so it stays the one that was approved. */
function goesOn(
  request: AuthorizedRequest,
  { approvedBy }: Extract<Continuation, { kind: 'parked' }>,
): ApprovedRequest {
  if (approvedBy !== approvalsOf(request.permit)) throw refuse('invalid-state', { reason: NOT_CARRIED });
  return passed(request, undefined);
}

/** What was said to the gateway is no server's to read. */
function passed(request: AuthorizedRequest, approval: ApprovalFact | undefined): ApprovedRequest {
  if (request.answers?.continuation?.kind !== 'approval') return { ...request, approval };
  const { answers: _ours, ...rest } = request;
  return { ...rest, approval };
}

async function approveCall(request: AuthorizedRequest, approving: Approving): Promise<Approved> {
  const { approvals } = approving.parts;
  const asked = await answered(request, approving);
  const { approval, linkGiven } = asked ?? {
    approval: await approvals.open(request.permit, request.id),
    linkGiven: false,
  };
  if (approval.status === 'approved') return useUp(request, approval, approving);
  if (approval.status !== 'pending') throw refused(approval, approving);

  const question = questionFor(request, approval, approving.parts.approvalLink(approval.id));
  // It was asked for before, and what is left is not this client's to answer.
  const cannotAnswer = linkGiven || (question === undefined && approval.requestId !== request.id);
  if (cannotAnswer && !approving.waited) {
    const forMs = Math.min(approving.parts.approvalWaitMs, approving.timeoutMs);
    const settled = await approvals.settled(approval, forMs, approving.signal);
    if (approving.signal.aborted) throw refuse('cancelled');
    if (settled.status === 'approved') return 'waited';
    if (settled.status !== 'pending') throw refused(settled, approving);
  }
  return ask(approval, linkGiven ? NO_QUESTION : question, approving);
}

const NO_QUESTION: InputRequests = Object.freeze({});

type Asked = { readonly approval: Approval; readonly linkGiven: boolean };

/** The approval that the request's state names, with the answer to it taken. Undefined when it answers nothing. */
async function answered(request: AuthorizedRequest, approving: Approving): Promise<Asked | undefined> {
  const { answers, permit } = request;
  const continuation = answers?.continuation;
  if (answers === undefined || continuation?.kind !== 'approval') return undefined;
  const { approvals } = approving.parts;
  const named = await approvals.get(continuation.approvalId, permit.principal);
  if (named === undefined)
    throw refuse('invalid-state', { reason: 'the state names an approval that is not kept any more' });
  if (named.status === 'used' || named.status === 'declined') throw refused(named, approving);
  if (named.expiresAtMs <= request.receivedAtMs) throw refused(named, approving, EXPIRED);
  const current = await approvals.open(permit, request.id);
  // The tool, its risk or the rule has changed since the question: this is another call, and the answer was not to it.
  if (current.id !== named.id || current.status !== 'pending' || approving.waited) {
    return { approval: current, linkGiven: current.id === named.id && continuation.linkGiven === true };
  }
  const opened = await takeLink(answers.responses[LINK_KEY], current, approving);
  const approval = await takeConfirmation(answers.responses[CONFIRM_KEY], current, request, approving);
  return { approval, linkGiven: opened || continuation.linkGiven === true };
}

/** "Yes" here means that the link will be opened, and nothing more. */
async function takeLink(answer: Json | undefined, approval: Approval, approving: Approving): Promise<boolean> {
  const elicited = readElicited(answer);
  if (elicited === undefined) return false;
  if (elicited.action === 'accept') return true;
  throw refused(approval, approving, DISMISSED);
}

async function takeConfirmation(
  answer: Json | undefined,
  approval: Approval,
  { permit: { principal } }: AuthorizedRequest,
  approving: Approving,
): Promise<Approval> {
  const elicited = readElicited(answer);
  if (elicited === undefined) return approval;
  if (elicited.action === 'cancel') throw refused(approval, approving, DISMISSED);
  const confirmed = elicited.action === 'accept' ? elicited.content.confirm : false;
  // Not what was asked for: the question is asked again (MCP 2026-07-28, basic/patterns/mrtr, Error Handling).
  if (typeof confirmed !== 'boolean') return approval;
  const { approvals } = approving.parts;
  const verdict = confirmed ? 'approved' : 'declined';
  const decided = await approvals.decide(approval.id, { by: principal, how: 'client', verdict });
  if (decided.ok) return decided.value;
  if (decided.error === 'expired') throw refused(approval, approving, EXPIRED);
  // Somebody was faster, or the client answered what it may not answer: it goes on as things stand.
  return (await approvals.get(approval.id, principal)) ?? approval;
}

/** What this client can be asked about it; undefined when a person must be told in words. */
function questionFor({ client }: AuthorizedRequest, approval: Approval, link: string): InputRequests | undefined {
  const modes = elicitationModes(client);
  const callerIsAsked = approval.needs.some(({ by, decision }) => by.kind === 'caller' && decision === undefined);
  const confirms = callerIsAsked && approval.risk !== 'high' && modes.form ? confirmation(approval) : undefined;
  return confirms ?? (modes.url ? invitation(approval, link) : undefined);
}

function ask(approval: Approval, requests: InputRequests | undefined, { parts, trail }: Approving): InputRequired {
  trail.note({ kind: 'approval', approval: factOf(approval, 'asked') });
  const link = parts.approvalLink(approval.id);
  // The message shows arguments; log and record must not.
  const reason = `waits for an approval by ${approval.needs.filter(isOpen).map(textOf).join(', ')}`;
  const otherwise = failure('approval-required', { message: instruction(approval, link), reason });
  if (requests === undefined) throw new Refusal(otherwise);
  const continuation = { kind: 'approval', approvalId: approval.id } as const;
  return {
    kind: 'input-required',
    requests,
    continuation: requests === NO_QUESTION ? { ...continuation, linkGiven: true } : continuation,
    otherwise,
  };
}

async function useUp(request: AuthorizedRequest, approval: Approval, approving: Approving): Promise<ApprovedRequest> {
  const { approvals } = approving.parts;
  if (!(await approvals.use(approval.id, request.permit))) {
    const now = (await approvals.get(approval.id, request.permit.principal)) ?? approval;
    throw refused(now, approving, now.status === 'used' ? undefined : EXPIRED);
  }
  const fact = factOf(approval, 'used');
  approving.trail.note({ kind: 'approval', approval: fact });
  return passed(request, fact);
}

type Need = Approval['needs'][number];
const isOpen = ({ decision }: Need): boolean => decision === undefined;
const textOf = ({ by }: Need): string => approverText(by);

type Reason = { readonly message: string; readonly reason: string };

const EXPIRED: Reason = {
  reason: 'the approval has expired',
  message: 'The approval has expired. Nothing was done. Send the original request again to have it approved anew.',
};
const DISMISSED: Reason = {
  reason: 'the question was dismissed',
  message:
    'The question whether to make this call was dismissed. Nothing was done. Do not repeat it unless the person asks for it again.',
};
const USED: Reason = {
  reason: 'the approval was used before',
  message:
    'This approval was used for a call already, and it is good for one. Nothing was done this time. Send the original request again to have it approved anew.',
};

function refused(approval: Approval, { trail }: Approving, because?: Reason): Refusal {
  trail.note({ kind: 'approval', approval: factOf(approval, 'refused') });
  if (because !== undefined) return refuse('approval-refused', because);
  return refuse('approval-refused', approval.status === 'used' ? USED : declined(approval));
}

function declined({ needs, requestedBy }: Approval): Reason {
  const no = needs.find(({ decision }) => decision?.verdict === 'declined')?.decision;
  const reason = `declined by ${no?.by.name ?? 'nobody we know'}`;
  const who = no === undefined || no.by.key === requestedBy.key ? 'The person' : 'Whoever was asked to approve it';
  return {
    reason,
    message: `${who} declined this call. Nothing was done. Do not repeat it unless the person asks for it again.`,
  };
}

export const factOf = ({ id, needs }: Approval, state: ApprovalFact['state']): ApprovalFact => ({
  id,
  state,
  decisions: needs.flatMap(({ by, decision }) =>
    decision === undefined
      ? []
      : [
          {
            by: decision.by.subject,
            issuer: decision.by.issuer,
            need: approverText(by),
            how: decision.how,
            verdict: decision.verdict,
          },
        ],
  ),
});
