/** How the legacy revisions write each failure: JSON-RPC code and HTTP status. */

import type { Failure, FailureCode, RawError } from '../../model/failure.ts';
import { isJsonObject } from '../../model/json.ts';
import type { EncodedAnswer, FailureContext } from '../codec.ts';
import {
  errorAnswer,
  HEADER_MISMATCH,
  INTERNAL_ERROR,
  INVALID_PARAMS,
  INVALID_REQUEST,
  isAboutOurEnvelope,
  LEGACY_RESOURCE_NOT_FOUND,
  METHOD_NOT_FOUND,
  own,
  ownError,
  PARSE_ERROR,
  relayedError,
  UNSUPPORTED_VERSION,
  wire,
  type WireError,
} from '../wire-error.ts';

/**
 * What became of a call is told with 200, because clients of these revisions take an error status for a broken transport
 * and do not read the JSON-RPC error under it. An unknown method is no exception. 404 means that the session is gone.
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
  'missing-capability': own(400, 200),
  'method-not-found': wire(METHOD_NOT_FOUND),
  'invalid-params': wire(INVALID_PARAMS),
  'invalid-cursor': wire(INVALID_PARAMS),
  'invalid-state': wire(INVALID_PARAMS),
  'unknown-server': own(404),
  'unknown-tool': wire(INVALID_PARAMS),
  'unknown-task': wire(INVALID_PARAMS),
  'unknown-prompt': wire(INVALID_PARAMS),
  'unknown-resource': wire(LEGACY_RESOURCE_NOT_FOUND),
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

/** MCP 2025-11-25, client/elicitation, URL Elicitation Required Error. */
const URL_ELICITATION_REQUIRED = -32042;

/** A modern upstream says "no such resource" with -32602 and the URI as data; these revisions have a code for it. */
function codeOf(error: RawError, context: FailureContext): number {
  const { operation } = context;
  if (error.code === INVALID_PARAMS && operation?.kind === 'read-resource') {
    const uri = isJsonObject(error.data) ? error.data.uri : undefined;
    if (uri === operation.uri) return LEGACY_RESOURCE_NOT_FOUND;
  }
  return isAboutOurEnvelope(error.code) ? WIRE['upstream-invalid'].code : error.code;
}

export function encodeFailure(of: Failure, context: FailureContext): EncodedAnswer {
  if (of.code === 'upstream-error' && of.upstream !== undefined) {
    const error = relayedError(of.upstream, codeOf(of.upstream, context), context);
    return errorAnswer(WIRE['upstream-error'].status, error, { failure: of, context });
  }
  if (of.code === 'needs-login' && of.data?.elicitations !== undefined) {
    const error = ownError(of, URL_ELICITATION_REQUIRED, context);
    return errorAnswer(200, error, { failure: of, context });
  }
  const { code, status } = WIRE[of.code];
  return errorAnswer(status, ownError(of, code, context), { failure: of, context });
}
