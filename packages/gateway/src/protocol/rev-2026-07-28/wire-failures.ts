/** How 2026-07-28 writes each failure: JSON-RPC code and HTTP status (basic/transports/streamable-http; basic, Error Codes). */

import type { Failure, FailureCode, RawError } from '../../model/failure.ts';
import { isJsonObject } from '../../model/json.ts';
import type { EncodedAnswer, FailureContext } from '../codec.ts';
import {
  errorAnswer,
  HEADER_MISMATCH,
  INTERNAL_ERROR,
  INVALID_PARAMS,
  INVALID_REQUEST,
  LEGACY_RESOURCE_NOT_FOUND,
  METHOD_NOT_FOUND,
  MISSING_CAPABILITY,
  own,
  ownError,
  PARSE_ERROR,
  relayedError,
  UNSUPPORTED_VERSION,
  wire,
  type WireError,
} from '../wire-error.ts';

/**
 * Only envelope errors and our own refusals of the exchange have an HTTP error status. What became of the call itself is
 * told with 200: a client must not take a failing server behind us for a failing gateway.
 */
const WIRE = {
  unauthenticated: own(401),
  'invalid-credential': own(401),
  'expired-credential': own(401),
  'wrong-audience': own(401),
  'identity-unavailable': own(503),
  'insufficient-scope': own(403),
  'unknown-session': own(404),
  'host-refused': own(403),
  'origin-refused': own(403),
  'not-found': own(404),
  'method-not-allowed': own(405),
  'not-acceptable': own(406),
  'unsupported-media-type': own(415),
  'body-too-large': own(413),
  'body-timeout': own(408),
  'parse-error': wire(PARSE_ERROR, 400),
  'duplicate-key': wire(INVALID_REQUEST, 400),
  'unsafe-number': wire(INVALID_REQUEST, 400),
  'too-deep': wire(INVALID_REQUEST, 400),
  'invalid-request': wire(INVALID_REQUEST, 400),
  'batch-refused': wire(INVALID_REQUEST, 400),
  'header-mismatch': wire(HEADER_MISMATCH, 400),
  'unsupported-version': wire(UNSUPPORTED_VERSION, 400),
  'invalid-envelope': wire(INVALID_PARAMS, 400),
  'session-required': own(400),
  'missing-capability': wire(MISSING_CAPABILITY, 400),
  'method-not-found': wire(METHOD_NOT_FOUND, 404),
  'invalid-params': wire(INVALID_PARAMS),
  'invalid-cursor': wire(INVALID_PARAMS),
  'invalid-state': wire(INVALID_PARAMS),
  'unknown-server': own(404),
  'unknown-tool': wire(INVALID_PARAMS),
  'unknown-task': wire(INVALID_PARAMS),
  'unknown-prompt': wire(INVALID_PARAMS),
  'unknown-resource': wire(INVALID_PARAMS),
  forbidden: own(403, 200),
  'approval-required': own(403, 200),
  'approval-refused': own(403, 200),
  'needs-login': own(403, 200),
  'approvals-unavailable': own(503),
  'quota-exceeded': own(429),
  'too-many-streams': own(429),
  'invalid-arguments': wire(INVALID_PARAMS),
  'unusable-schema': own(502, 200),
  'record-unavailable': own(503),
  overloaded: own(503),
  draining: own(503),
  internal: wire(INTERNAL_ERROR, 500),
  cancelled: own(499),
  'server-unavailable': own(502, 200),
  'upstream-timeout': own(504, 200),
  'upstream-invalid': own(502, 200),
  'upstream-closed': own(502, 200),
  'upstream-refused': own(502, 200),
  'upstream-error': wire(INTERNAL_ERROR),
  'result-too-large': own(502, 200),
} as const satisfies Record<FailureCode, WireError>;

const isReserved = (code: number): boolean => code <= -32020 && code >= -32099;

/**
 * An upstream's error in this revision's words. -32002 became -32602 with the URI as data (server/resources, Error
 * Handling); codes that the specification reserves and does not define may not be emitted at all.
 */
function relay(error: RawError, context: FailureContext): RawError {
  const { operation } = context;
  if (error.code === LEGACY_RESOURCE_NOT_FOUND) {
    const uri = operation?.kind === 'read-resource' ? { uri: operation.uri } : {};
    const data = isJsonObject(error.data) ? { ...uri, ...error.data } : uri;
    return relayedError({ ...error, data }, INVALID_PARAMS, context);
  }
  return relayedError(error, isReserved(error.code) ? WIRE['upstream-invalid'].code : error.code, context);
}

export function encodeFailure(of: Failure, context: FailureContext): EncodedAnswer {
  if (of.code === 'upstream-error' && of.upstream !== undefined) {
    const error = relay(of.upstream, context);
    const { status } = error.code === METHOD_NOT_FOUND ? WIRE['method-not-found'] : WIRE['upstream-error'];
    return errorAnswer(status, error, { failure: of, context });
  }
  const { code, status } = WIRE[of.code];
  return errorAnswer(status, ownError(of, code, context), { failure: of, context });
}
