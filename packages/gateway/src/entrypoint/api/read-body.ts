/** The body of a request to our own API or pages, within their own small bounds. */

import { isUtf8 } from 'node:buffer';

import { failure, type Failure } from '../../model/failure.ts';
import { isJsonObject, type JsonObject } from '../../model/json.ts';
import { err, ok, type Result } from '../../model/result.ts';
import { parseJson } from '../../protocol/json-text.ts';
import type { OwnArrival } from '../arrival.ts';
import { isJsonContentType } from '../inbound-headers.ts';
import { readBody } from '../request-body.ts';

/** Undefined: nobody is there any more. */
export type BodyFault = { readonly failure: Failure | undefined; readonly unread: boolean };

export async function readJsonObject(arrival: OwnArrival): Promise<Result<JsonObject, BodyFault>> {
  const { headers, parts } = arrival;
  if (!isJsonContentType(headers.contentType)) return fault(failure('unsupported-media-type'), true);
  const text = await readText(arrival, parts.limits.maxBodyBytes);
  if (!text.ok) return text;
  const parsed = parseJson(text.value, { maxDepth: parts.limits.maxDepth });
  if (!parsed.ok) return fault(parsed.error);
  if (isJsonObject(parsed.value)) return ok(parsed.value);
  return fault(failure('invalid-params', { message: 'The body must be a JSON object.' }));
}

/** Two short fields: more is no form of ours. */
const MAX_FORM_BYTES = 16 * 1024;
const FORM_TYPE = /^application\/x-www-form-urlencoded *(?:;|$)/i;

export async function readForm(arrival: OwnArrival): Promise<Result<URLSearchParams, BodyFault>> {
  if (!FORM_TYPE.test(arrival.headers.contentType ?? '')) {
    return fault(failure('unsupported-media-type', { message: 'This is a form of a page.' }), true);
  }
  const text = await readText(arrival, MAX_FORM_BYTES);
  return text.ok ? ok(new URLSearchParams(text.value)) : text;
}

async function readText({ request, headers, parts }: OwnArrival, maxBytes: number): Promise<Result<string, BodyFault>> {
  if (headers.contentEncoding !== undefined && headers.contentEncoding.toLowerCase() !== 'identity') {
    return fault(failure('unsupported-media-type', { message: 'Compressed bodies are not accepted.' }), true);
  }
  const timeoutMs = parts.limits.bodyTimeoutMs;
  const body = await readBody(request, { maxBytes, timeoutMs, contentLength: headers.contentLength });
  if (!body.ok) return body.error === 'cancelled' ? fault(undefined) : fault(failure(body.error), true);
  if (!isUtf8(body.value)) return fault(failure('parse-error', { message: 'The body is not valid UTF-8.' }));
  return ok(body.value.toString('utf8'));
}

const fault = (of: Failure | undefined, unread = false): { readonly ok: false; readonly error: BodyFault } =>
  err({ failure: of, unread });
