/**
 * Before anybody is asked to approve a call: is the consent there that its server wants of each person? Where it is missing
 * the person is sent to the page where they give it, in the protocol if their client can do that, and the call goes on when
 * they have. The same where the server finds a consent too old or too small in the middle of the call.
 */

import type { GrantGate, MissingGrant, WantedGrant } from '../credential/grant-gate.ts';
import { elicitationModes, linkQuestion, OWN_KEY_PREFIX, readElicited } from '../model/elicitation.ts';
import { failure, refuse, Refusal, type Failure } from '../model/failure.ts';
import type { OperationKind } from '../model/operation.ts';
import type { Answers, Continuation, InputRequests, InputRequired, Outcome } from '../model/outcome.ts';
import type { Principal } from '../model/principal.ts';
import type { AuthorizedRequest } from '../model/request.ts';
import type { ServerId } from '../model/target.ts';
import { visible } from './approval-question.ts';
import type { RequestTrail } from './request-trail.ts';

export type ConnectParts = {
  readonly grants: GrantGate;
  /** A page for this person alone. Undefined: nobody can log in here with a browser. */
  readonly connectLink: (asked: AskedConsent) => string | undefined;
  /** How long a call that was asked for again waits for the consent. */
  readonly connectWaitMs: number;
};

export type AskedConsent = {
  readonly principal: Principal;
  readonly server: ServerId;
  /** What the client calls itself. */
  readonly client: string | undefined;
  /** Beside those that are always asked for. */
  readonly scopes: readonly string[];
};

export type Connecting = {
  readonly parts: ConnectParts;
  readonly trail: Pick<RequestTrail, 'enter'>;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** It has waited already: it is answered as things stand. */
  readonly waited: boolean;
};

/** `waited`: the person consented, after a while in which policy may have changed. Everything is decided anew. */
export type Connected = AuthorizedRequest | InputRequired | 'waited';

export const isConnected = (connected: Connected): connected is AuthorizedRequest =>
  connected !== 'waited' && 'permit' in connected;

export const CONNECT_KEY = `${OWN_KEY_PREFIX}connect`;

type ConnectContinuation = Extract<Continuation, { kind: 'connect' }>;

export function connect(request: AuthorizedRequest, connecting: () => Connecting): Connected | Promise<Connected> {
  const continuation = request.answers?.continuation;
  // The call is open already, or its server asked for something else in it: what it lacks shows itself.
  if (continuation !== undefined && IS_OPEN.has(continuation.kind)) return request;
  const now = connecting();
  if (!now.parts.grants.guards(serverOf(request))) return passed(request);
  now.trail.enter('connect');
  return connectCall(request, now);
}

const IS_OPEN: ReadonlySet<Continuation['kind']> = new Set(['parked', 'task', 'upstream'] as const);

const serverOf = ({ permit }: AuthorizedRequest): ServerId => permit.target.entries[0].server.id;

/** What was said to the gateway is no server's to read. */
function passed(request: AuthorizedRequest): AuthorizedRequest {
  if (request.answers?.continuation?.kind !== 'connect') return request;
  const { answers: _ours, ...rest } = request;
  return rest;
}

async function connectCall(request: AuthorizedRequest, connecting: Connecting): Promise<Connected> {
  const { parts, signal, waited } = connecting;
  const server = serverOf(request);
  const { principal } = request.permit;
  const before = continuationOf(request.answers, server);
  const wanted: WantedGrant = before ?? {};
  const missing = await parts.grants.missing(principal, server, wanted, signal);
  if (missing === undefined) return passed(request);
  const linkGiven = before !== undefined && isLinkGiven(request.answers, before);
  if (linkGiven && !waited) {
    const forMs = Math.min(parts.connectWaitMs, connecting.timeoutMs);
    const isThere = await parts.grants.settled(principal, server, { wanted, forMs, signal });
    if (signal.aborted) throw refuse('cancelled');
    if (isThere) return 'waited';
  }
  return ask(request, missing, { wanted, linkGiven, parts });
}

function continuationOf(answers: Answers | undefined, server: ServerId): ConnectContinuation | undefined {
  const continuation = answers?.continuation;
  if (continuation?.kind !== 'connect') return undefined;
  if (continuation.server !== server) throw refuse('invalid-state', { reason: 'the state belongs to another server' });
  return continuation;
}

/** "Yes" means that the link will be opened, and nothing more. */
function isLinkGiven(answers: Answers | undefined, before: ConnectContinuation): boolean {
  const elicited = readElicited(answers?.responses[CONNECT_KEY]);
  if (elicited === undefined) return before.linkGiven === true;
  if (elicited.action === 'accept') return true;
  throw refuse('needs-login', {
    reason: 'the question was dismissed',
    message: `The log-in that ${before.server} wants was dismissed. Nothing was done. Do not repeat the call unless the person asks for it again.`,
  });
}

/**
 * The server did not take the consent in the middle of the call, and has done nothing. Asks for another where another would
 * help: one that is newer than the call, or good for more than the one that is there.
 */
export async function reconnect(
  request: AuthorizedRequest,
  outcome: Outcome,
  { parts, signal }: Connecting,
): Promise<Outcome> {
  if (outcome.kind !== 'failed') return outcome;
  const wanted = wantedAfter(outcome.failure, request.receivedAtMs);
  const server = serverOf(request);
  if (wanted === undefined || !parts.grants.guards(server)) return outcome;
  const missing = await parts.grants.missing(request.permit.principal, server, wanted, signal);
  // It is there by now, and the server does not want it all the same: to ask again would be to ask for ever.
  return missing === undefined ? outcome : ask(request, missing, { wanted, linkGiven: false, parts });
}

/** RFC 6750 section 3.1: a wider consent would do for `insufficient_scope`; else it is this one that is not taken. */
function wantedAfter({ code, challenge }: Failure, receivedAtMs: number): WantedGrant | undefined {
  if (code === 'needs-login') return {};
  if (code !== 'upstream-refused' || challenge === undefined) return undefined;
  if (challenge.error === 'insufficient_scope') {
    const scopes = (challenge.scope ?? '').split(' ').filter((scope) => scope !== '');
    return scopes.length === 0 ? undefined : { scopes: scopes.slice(0, MAX_SCOPES) };
  }
  return { sinceMs: receivedAtMs };
}

const MAX_SCOPES = 50;

type Asking = { readonly wanted: WantedGrant; readonly linkGiven: boolean; readonly parts: ConnectParts };

/** Requests that may be answered with a question (MCP 2026-07-28, basic/patterns/mrtr). */
const MAY_BE_ASKED: ReadonlySet<OperationKind> = new Set(['call-tool', 'get-prompt', 'read-resource'] as const);

const NO_QUESTION: InputRequests = Object.freeze({});

/** @throws Refusal `needs-login` for a client that can show no link */
function ask(request: AuthorizedRequest, missing: MissingGrant, { wanted, linkGiven, parts }: Asking): InputRequired {
  const server = serverOf(request);
  const { client, permit } = request;
  const name = client.info?.name;
  const link = parts.connectLink({ principal: permit.principal, server, client: name, scopes: wanted.scopes ?? [] });
  const reason = `needs a consent: ${missing.why}`;
  if (link === undefined) throw refuse('needs-login', { reason, message: NO_BROWSER });
  const message = `${WHY[missing.why](visible(server))} Open this link and log in as yourself.`;
  const told = { reason, message: `Nothing was done yet. ${message}\n\n${link}\n\nThen make the same call again.` };
  const modes = elicitationModes(client);
  if (!modes.url || !MAY_BE_ASKED.has(permit.operation.kind)) throw new Refusal(failure('needs-login', told));
  const question = linkQuestion(message, link);
  const own = { kind: 'connect', server, ...wanted } as const;
  return {
    kind: 'input-required',
    requests: linkGiven ? NO_QUESTION : { [CONNECT_KEY]: question },
    continuation: linkGiven ? { ...own, linkGiven: true } : own,
    otherwise: failure('needs-login', {
      ...told,
      ...(client.revision === '2025-11-25'
        ? { data: { elicitations: [{ ...question.params, elicitationId: request.id }] } }
        : {}),
    }),
  };
}

const WHY: Readonly<Record<MissingGrant['why'], (server: string) => string>> = {
  none: (server) => `The server ${server} wants your own consent before it is called in your name.`,
  refused: (server) => `Your consent at the server ${server} has ended.`,
  expired: (server) => `Your log-in at the server ${server} has ended.`,
  rejected: (server) => `The server ${server} does not take your log-in any more.`,
  scopes: (server) => `The server ${server} wants your consent to more than it has.`,
};

const NO_BROWSER =
  'The server wants the consent of each person, which is given in a browser, and nobody can log in here with one. ' +
  'The operator sets `login` at an issuer of `identity.issuers`.';
