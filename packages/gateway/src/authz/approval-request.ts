/** A permitted call as an approval: what it is bound to, what the person is shown, and who has to agree. */

import { approverText, type Permit } from '../model/decision.ts';
import { refuse } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { Operation } from '../model/operation.ts';
import type { Principal } from '../model/principal.ts';
import type { Approval, ApprovalBinding, ApprovalNeed, Person } from './approval.ts';
import { canLogIn } from './approval-rules.ts';

export type BindingParts = {
  /** SHA-256 over the canonical arguments, hex; undefined when they are longer than a person can be shown. */
  readonly digestArguments: (args: JsonObject) => string | undefined;
  /** SHA-256 of a text, hex. */
  readonly digest: (text: string) => string;
};

/**
 * What an approval of this call is good for. The definition's hash also covers the operator's word on its risk and who
 * has to agree: a rule that has become stricter is not satisfied by what was approved before.
 *
 * @throws Refusal when the call cannot be approved by anyone
 */
export function bindingOf(permit: Permit, { digestArguments, digest }: BindingParts): ApprovalBinding {
  const { principal, target, obligations } = permit;
  const [entry] = target.entries;
  const argumentsDigest = digestArguments(shownArguments(permit.operation));
  if (argumentsDigest === undefined) throw refuse('approval-refused', { message: TOO_LARGE });
  const demanded = obligations.map(({ by }) => approverText(by)).sort();
  return {
    tenant: principal.tenant,
    requester: principal.key,
    kind: entry.kind,
    address: `${entry.server.id}/${entry.name}`,
    definitionHash: digest(JSON.stringify([entry.hash, entry.traits.risk, ...demanded])),
    argumentsDigest,
  };
}

const TOO_LARGE =
  'This call needs an approval, and its arguments are too long for a person to be shown. Nothing was done. Split it into smaller calls.';

/** Everything of the request that the server will act on: what is approved is what is shown. */
function shownArguments(operation: Operation): JsonObject {
  switch (operation.kind) {
    case 'call-tool':
    case 'get-prompt':
      assertNothingElse(operation.extra);
      return operation.arguments;
    case 'read-resource':
      assertNothingElse(operation.extra);
      return { uri: operation.uri };
    default:
      throw refuse('forbidden', {
        message:
          'Policy allows this only with an approval, which can be given to tool calls, prompts and resources alone.',
      });
  }
}

function assertNothingElse(extra: JsonObject | undefined): void {
  if (extra === undefined) return;
  const names = Object.keys(extra)
    .slice(0, 4)
    .map((name) => JSON.stringify(name.slice(0, 64)));
  throw refuse('invalid-params', {
    message: `A call that a person has to approve may carry nothing that they are not shown. Leave out of params: ${names.join(', ')}.`,
  });
}

export type NewApproval = {
  readonly id: string;
  readonly requestId: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
};

/** @throws Refusal when nobody could ever approve it */
export function approvalFor(permit: Permit, binding: ApprovalBinding, made: NewApproval): Approval {
  const { principal, target, obligations, operation } = permit;
  const { risk } = target.entries[0].traits;
  const [first, ...others] = obligations;
  if (first === undefined) throw new Error('An approval was asked for that no policy demands.');
  const callerMustLogIn = risk === 'high' && obligations.some(({ by }) => by.kind === 'caller');
  if (callerMustLogIn && !canLogIn(principal)) throw refuse('approval-refused', { message: NOBODY_CAN });
  return {
    ...binding,
    ...made,
    requestedBy: personOf(principal),
    arguments: shownArguments(operation),
    risk,
    needs: [needOf(first), ...others.map(needOf)],
    status: 'pending',
  };
}

const NOBODY_CAN =
  'This is high risk, and policy wants the caller to confirm it after a log-in in the browser. An API key or a workload ' +
  'cannot log in, so nobody can approve this call. Call with a token of your own, or ask the operator for a rule that lets a group approve.';

const needOf = ({ by, policy, description }: Permit['obligations'][number]): ApprovalNeed =>
  description === undefined ? { by, policy } : { by, policy, description };

export const personOf = ({ key, name, issuer, subject }: Principal): Person => ({ key, name, issuer, subject });
