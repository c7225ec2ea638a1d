/**
 * Programs that must not compile: a call that nobody authorized, or that the record does not know of. Every
 * `@ts-expect-error` is an assertion; when the compiler stops objecting, it is an error itself. Nothing here is ever run.
 */

/* oxlint-disable typescript/no-misused-spread -- losing what the class adds is what is asserted */

import type { Call, Send, SendOptions } from '../../packages/gateway/src/model/call.ts';
import type { Intent, Permit } from '../../packages/gateway/src/model/decision.ts';
import type { Operation } from '../../packages/gateway/src/model/operation.ts';
import type { Principal } from '../../packages/gateway/src/model/principal.ts';
import type {
  ApprovedRequest,
  AuthenticatedRequest,
  AuthorizedRequest,
  InboundRequest,
  ReadyRequest,
  ResolvedRequest,
} from '../../packages/gateway/src/model/request.ts';
import type { Secret } from '../../packages/gateway/src/model/secret.ts';
import type { Entry, Target } from '../../packages/gateway/src/model/target.ts';

declare const inbound: InboundRequest;
declare const authenticated: AuthenticatedRequest;
declare const resolved: ResolvedRequest;
declare const authorized: AuthorizedRequest;
declare const approved: ApprovedRequest;
declare const ready: ReadyRequest;
declare const principal: Principal;
declare const operation: Operation;
declare const target: Target;
declare const entry: Entry;
declare const permit: Permit;
declare const intent: Intent;
declare const send: Send;
declare const options: SendOptions;

// A permit cannot be made, looked alike, spread or changed. (A cast can: test/architecture.test.ts allows one, in one file.)
// @ts-expect-error its constructor is private
export const made: Permit = new Permit();
// @ts-expect-error the private member is missing
export const lookAlike: Permit = { principal, operation, target, obligations: [] };
// @ts-expect-error a spread of a real permit loses what makes it one
export const changed: Permit = { ...permit, operation };
// @ts-expect-error a permit's operation is read-only
permit.operation = operation;

// The same for intents.
// @ts-expect-error the private member is missing
export const lookAlikeIntent: Intent = { permit };
// @ts-expect-error a spread of a real intent loses what makes it one
export const changedIntent: Intent = { ...intent, permit };
// @ts-expect-error a permit is not an intent
export const promoted: Intent = permit;

// No step can be skipped.
// @ts-expect-error an inbound request has no principal
export const skippedAuthentication: AuthenticatedRequest = inbound;
// @ts-expect-error a spread must not smuggle the presented credential behind authentication
export const smuggledCredential: AuthenticatedRequest = { ...inbound, principal };
// @ts-expect-error an authenticated request has no target
export const skippedResolution: ResolvedRequest = authenticated;
// @ts-expect-error a resolved request has no permit
export const skippedAuthorization: AuthorizedRequest = resolved;
// @ts-expect-error a spread must not smuggle an operation beside the one that the permit is for
export const smuggledOperation: AuthorizedRequest = { ...resolved, permit };
// @ts-expect-error an authorized request whose obligations nobody looked at
export const skippedApproval: ApprovedRequest = authorized;
// @ts-expect-error an approved request that was not recorded has no intent
export const skippedRecord: ReadyRequest = approved;
// @ts-expect-error a poorer request cannot come back in
export const smuggledTarget: ReadyRequest = { ...ready, target };

// What reaches an upstream demands the intent.
// @ts-expect-error a call without an intent
export const unrecordedCall: Call = { requestId: '1', entry, client: ready.client, meta: ready.meta };
// @ts-expect-error a call whose intent is only a permit
export const unauthorizedCall: Call = { requestId: '1', intent: permit, entry, client: ready.client, meta: ready.meta };
// @ts-expect-error a request is not a call
export const sent = send(resolved, options);

// And the ways that lead through all steps do compile.
export const recordedCall: Call = { requestId: ready.id, intent, entry, client: ready.client, meta: ready.meta };
export const answered = send(recordedCall, options);
export const recorded: ReadyRequest = { ...approved, intent };

// A secret's text is reached through `expose` only, and a text is not a secret.
// @ts-expect-error a plain text
export const plain: Secret = 'text';
declare const secret: Secret;
// @ts-expect-error a secret is not a text
export const text: string = secret;
