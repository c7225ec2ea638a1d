/**
 * Everything that can go wrong with a request, once. The codes are the metric labels and the audit outcome; every era
 * maps each of them to its wire form (`satisfies Record<FailureCode, …>`), so a new failure does not compile until all
 * have decided. Three things are never confused: a tool that ran and failed (a result), an upstream's protocol error
 * (`upstream-error`), and our own refusal (the rest).
 */

import type { Json, JsonObject } from './json.ts';

export type FailureRule = {
  /** What it is in HTTP's terms: the record's response code. Each era decides which status it writes. */
  readonly status: number;
  readonly fault: 'caller' | 'upstream' | 'us';
  /** May the same request, sent again later, succeed? */
  readonly retry: boolean;
  /** What a person reads when the failure carries no message of its own. Says what happened and what to do next. */
  readonly message: string;
};

const rule = (status: number, fault: FailureRule['fault'], retry: boolean, message: string): FailureRule => ({
  status,
  fault,
  retry,
  message,
});

export const FAILURES = {
  // Who is calling.
  unauthenticated: rule(
    401,
    'caller',
    false,
    'A credential is required. Send "Authorization: Bearer <token or API key>".',
  ),
  'invalid-credential': rule(401, 'caller', false, 'The credential is not valid here. Obtain a new one and try again.'),
  'expired-credential': rule(401, 'caller', false, 'The credential has expired. Obtain a new one and try again.'),
  'wrong-audience': rule(
    401,
    'caller',
    false,
    'The token was issued for another resource. Request one whose audience is this endpoint.',
  ),
  'identity-unavailable': rule(
    503,
    'us',
    true,
    'The identity provider cannot be reached, or the store of API keys, so the credential cannot be checked. Try again.',
  ),
  'insufficient-scope': rule(
    403,
    'caller',
    false,
    'The token lacks a scope that this needs. Obtain one with the scopes named in WWW-Authenticate.',
  ),
  'unknown-session': rule(
    404,
    'caller',
    false,
    'The session is unknown or has ended. Send a new initialize request without Mcp-Session-Id.',
  ),

  // Is it well-formed HTTP and JSON-RPC.
  'host-refused': rule(
    403,
    'caller',
    false,
    'The Host header names another host. Use the address that the operator published.',
  ),
  'origin-refused': rule(
    403,
    'caller',
    false,
    'Requests from this web origin are not allowed. Ask the operator to add it to allowedOrigins.',
  ),
  'not-found': rule(
    404,
    'caller',
    false,
    'There is nothing at this path. MCP endpoints are /mcp and /servers/{id}/mcp.',
  ),
  'method-not-allowed': rule(
    405,
    'caller',
    false,
    'This HTTP method is not offered here. Send MCP messages with POST.',
  ),
  'not-acceptable': rule(406, 'caller', false, 'Accept must list application/json and text/event-stream.'),
  'unsupported-media-type': rule(415, 'caller', false, 'Content-Type must be application/json.'),
  'body-too-large': rule(413, 'caller', false, 'The request body is larger than the gateway accepts.'),
  'body-timeout': rule(408, 'caller', true, 'The request body did not arrive in time.'),
  'parse-error': rule(400, 'caller', false, 'The body is not valid JSON.'),
  'duplicate-key': rule(400, 'caller', false, 'An object in the body has the same key twice. Send each key once.'),
  'unsafe-number': rule(
    400,
    'caller',
    false,
    'A number in the body cannot be represented exactly. Send it as a string, or below 2^53.',
  ),
  'too-deep': rule(400, 'caller', false, 'The body is nested more deeply than the gateway accepts.'),
  'invalid-request': rule(400, 'caller', false, 'The body is not a JSON-RPC 2.0 request.'),
  'batch-refused': rule(
    400,
    'caller',
    false,
    'Batches are not allowed in this protocol revision. Send one message per POST.',
  ),
  'header-mismatch': rule(400, 'caller', false, 'An Mcp-* header is missing or differs from the body.'),
  'unsupported-version': rule(400, 'caller', false, 'This protocol version is not supported.'),
  'invalid-envelope': rule(
    400,
    'caller',
    false,
    'params._meta must carry io.modelcontextprotocol/protocolVersion and io.modelcontextprotocol/clientCapabilities.',
  ),
  'session-required': rule(
    400,
    'caller',
    false,
    'Mcp-Session-Id is missing. Send initialize first and repeat the session id it answers with.',
  ),
  'missing-capability': rule(400, 'caller', false, 'The request needs a client capability that was not declared.'),
  'method-not-found': rule(404, 'caller', false, 'The method is not known here.'),
  'invalid-params': rule(200, 'caller', false, 'The parameters are not valid for this method.'),
  'invalid-cursor': rule(200, 'caller', false, 'The cursor is not valid any more. List again from the start.'),
  'invalid-state': rule(
    200,
    'caller',
    false,
    'The request state is not valid any more. Send the original request again.',
  ),

  // Does it exist, for this caller. Hidden and unknown are the same answer.
  'unknown-server': rule(404, 'caller', false, 'There is no such server here.'),
  'unknown-tool': rule(200, 'caller', false, 'Unknown tool.'),
  'unknown-prompt': rule(200, 'caller', false, 'Unknown prompt.'),
  'unknown-resource': rule(200, 'caller', false, 'Resource not found.'),
  'unknown-task': rule(
    200,
    'caller',
    false,
    'There is no such task, or not any more. Call the tool again; its server may have done a part of the first call.',
  ),

  // May it, now, with these arguments.
  forbidden: rule(200, 'caller', false, 'Policy does not allow this call with these arguments.'),
  'approval-required': rule(
    200,
    'caller',
    true,
    'A person has to approve this call first, and this client cannot ask one. Ask the operator how to approve it.',
  ),
  'approval-refused': rule(
    200,
    'caller',
    false,
    'The call was not approved. Nothing was done. Do not repeat it unless the person asks for it again.',
  ),
  'needs-login': rule(
    200,
    'caller',
    true,
    'The server wants the person to log in to it first, and this client cannot ask them to. Nothing was done.',
  ),
  'approvals-unavailable': rule(
    503,
    'us',
    true,
    'Approvals cannot be looked up at the moment, so the call was not made. Try again shortly.',
  ),
  'quota-exceeded': rule(429, 'caller', true, 'Too many requests. Wait and try again.'),
  'too-many-streams': rule(429, 'caller', true, 'Too many open streams. Close one and try again.'),
  'invalid-arguments': rule(200, 'caller', false, "The arguments do not match the tool's input schema."),
  'unusable-schema': rule(
    200,
    'upstream',
    false,
    "The tool's input schema cannot be checked safely, so the tool cannot be called. Tell the server's owner.",
  ),

  // What we could not do.
  'record-unavailable': rule(
    503,
    'us',
    true,
    'The audit record cannot be written, so the call was not made. Try again shortly.',
  ),
  overloaded: rule(503, 'us', true, 'The gateway is at its limit. Try again shortly.'),
  draining: rule(503, 'us', true, 'The gateway is shutting down. Try again; another replica will answer.'),
  internal: rule(
    500,
    'us',
    false,
    'The gateway failed. The operator finds the reason in its log under this request id.',
  ),
  cancelled: rule(499, 'caller', false, 'The request was cancelled.'),

  // What the server behind us did.
  'server-unavailable': rule(502, 'upstream', true, 'The server cannot be reached.'),
  'upstream-timeout': rule(504, 'upstream', true, 'The server did not answer in time.'),
  'upstream-invalid': rule(502, 'upstream', false, "The server's answer is not valid MCP."),
  'upstream-closed': rule(502, 'upstream', true, 'The server ended the connection before it answered.'),
  'upstream-refused': rule(
    502,
    'upstream',
    false,
    "The server refused the gateway's credential. Tell the server's owner.",
  ),
  'upstream-error': rule(200, 'upstream', false, 'The server answered with an error.'),
  'result-too-large': rule(502, 'upstream', false, "The server's answer is larger than the gateway may hold."),
} as const satisfies Record<string, FailureRule>;

export type FailureCode = keyof typeof FAILURES;

const OUTAGES: ReadonlySet<FailureCode> = new Set([
  'server-unavailable',
  'upstream-timeout',
  'upstream-closed',
  'upstream-invalid',
]);

/** Does it say that the server itself is in trouble? An error that it answers with, it has answered. */
export const isOutage = (code: FailureCode): boolean => OUTAGES.has(code);

/** An upstream's JSON-RPC error, as it came. */
export type RawError = { readonly code: number; readonly message: string; readonly data?: Json };

export type Failure = {
  readonly code: FailureCode;
  /** Did the request reach the server? A retry reads this. `maybe` when the bytes left and no answer came. */
  readonly sent: 'no' | 'maybe' | 'yes';
  /** Replaces the rule's message. Never holds a secret. */
  readonly message?: string;
  readonly data?: JsonObject;
  readonly upstream?: RawError;
  readonly retryAfterMs?: number;
  /** The server does not take the credential it was sent (HTTP 401), and so has executed nothing. */
  readonly credentialRejected?: true;
  /** What the server's `WWW-Authenticate` asked for, where it refused our credential. */
  readonly challenge?: { readonly scope?: string; readonly error?: string; readonly resourceMetadata?: string };
  /** What the caller is not told, for our log and the record. Never holds a secret. */
  readonly reason?: string;
  /** For our log only. */
  readonly cause?: unknown;
};

type FailureDetails = Partial<Omit<Failure, 'code'>>;

/** A failure that happened before anything left for an upstream, unless `details.sent` says otherwise. */
export function failure(code: FailureCode, details: FailureDetails = {}): Failure {
  return { code, sent: 'no', ...details };
}

export function failureMessage(of: Failure): string {
  return of.message ?? of.upstream?.message ?? FAILURES[of.code].message;
}

/** Carries a failure through code that throws. Caught once, by the pipeline's `record` and by the entrypoint. */
export class Refusal extends Error {
  readonly failure: Failure;

  constructor(of: Failure) {
    super(failureMessage(of), { cause: of.cause });
    this.name = 'Refusal';
    this.failure = of;
  }
}

export const refuse = (code: FailureCode, details: FailureDetails = {}): Refusal => new Refusal(failure(code, details));
