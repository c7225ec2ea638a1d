/**
 * Failures as JSON-RPC errors. Our own refusals have codes of the form `-31<HTTP status>` (-31429: too many requests): the
 * specification asks for codes outside -32768..-32000 for what it does not define. `data.reason` is the failure's code,
 * which tells two refusals of one number apart.
 */

import { failureMessage, type Failure, type RawError } from '../model/failure.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { EncodedAnswer, FailureContext } from './codec.ts';
import { idText } from './splice.ts';

/** How a failure looks on the wire when the exchange ends without a stream. */
export type WireError = { readonly code: number; readonly status: number };

/** -32700..-32600: JSON-RPC 2.0, Error object. -32020..-32022: MCP 2026-07-28, schema. */
export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const INTERNAL_ERROR = -32603;
export const LEGACY_RESOURCE_NOT_FOUND = -32002;
export const HEADER_MISMATCH = -32020;
export const MISSING_CAPABILITY = -32021;
export const UNSUPPORTED_VERSION = -32022;

/** One of ours, with the HTTP status it is named after. */
export const own = (named: number, status = named): WireError => ({ code: -31_000 - named, status });

export const wire = (code: number, status = 200): WireError => ({ code, status });

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/** RFC 9110, 10.2.3: whole seconds. Rounded up, so that a client that waits as told is not refused again. */
const retryAfter = (of: Failure): Readonly<Record<string, string>> =>
  of.retryAfterMs === undefined
    ? NO_HEADERS
    : { 'retry-after': String(Math.max(1, Math.ceil(of.retryAfterMs / 1000))) };

export function errorAnswer(
  status: number,
  error: RawError,
  details: { failure: Failure; context: FailureContext },
): EncodedAnswer {
  const text = `{"jsonrpc":"2.0","id":${idText(details.context.id)},"error":${JSON.stringify(error)}}`;
  return { status, headers: retryAfter(details.failure), body: { chunks: [text] } };
}

/** Our refusal: what went wrong, in words and as data. */
export function ownError(of: Failure, code: number, context: FailureContext): RawError {
  const { requestId, operation } = context;
  const uri =
    of.code === 'unknown-resource' && (operation?.kind === 'read-resource' || operation?.kind === 'subscribe')
      ? { uri: operation.uri }
      : undefined;
  const data: JsonObject = {
    ...uri,
    ...of.data,
    reason: of.code,
    ...(of.retryAfterMs === undefined ? undefined : { retryAfterMs: of.retryAfterMs }),
    ...(requestId === undefined ? undefined : { requestId }),
  };
  return { code, message: failureMessage(of), data };
}

/** The upstream's own error under `code`. Its data stays as it is; our request id is added where there is room for it. */
export function relayedError(error: RawError, code: number, context: FailureContext): RawError {
  const { data } = error;
  const { requestId } = context;
  const open = data === undefined || isJsonObject(data);
  const relayed: Json | undefined = open && requestId !== undefined ? { requestId, ...data } : data;
  return { code, message: error.message, ...(relayed === undefined ? {} : { data: relayed }) };
}

/** Codes that would speak of the client's own headers, version or capabilities, when they were about ours. */
export const isAboutOurEnvelope = (code: number): boolean =>
  code === HEADER_MISMATCH || code === MISSING_CAPABILITY || code === UNSUPPORTED_VERSION;
