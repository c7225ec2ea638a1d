/** A POST to an MCP endpoint: from bytes to one classified message, and on to its era. */

import { isUtf8 } from 'node:buffer';

import { failure } from '../model/failure.ts';
import type { Failure } from '../model/failure.ts';
import { classify, eraOfHeaders } from '../protocol/classify.ts';
import { parseJson } from '../protocol/json-text.ts';
import type { Json } from '../model/json.ts';
import type { EndpointArrival, RefusedAs } from './arrival.ts';
import { refuse } from './arrival.ts';
import type { InboundHeaders } from './inbound-headers.ts';
import { PASS_HEADER, passDigest } from './forward-pass.ts';
import { acceptsJsonAndStream, isJsonContentType } from './inbound-headers.ts';
import { receiveModern } from './receive-modern.ts';
import { readBody } from './request-body.ts';
import { receiveInSession } from './receive-in-session.ts';
import { receiveInitialize } from './receive-initialize.ts';

export async function receivePost(arrival: EndpointArrival): Promise<void> {
  const { mcp, parts } = arrival;
  const { limits } = parts;
  const asRefused = { era: eraOfHeaders(mcp), id: null };
  const unusable = headerFault(arrival);
  if (unusable !== undefined) return refuse(arrival, unusable, asRefused);

  const read = await readJson(arrival, asRefused);
  if (read === undefined) return;
  const limit = { maxBatchMessages: limits.maxBatch };
  const classified = classify({ httpMethod: 'POST', headers: mcp, body: read.value }, limit);
  switch (classified.kind) {
    case 'modern':
      return receiveModern(arrival, classified);
    case 'initialize':
      return receiveInitialize(arrival, classified.message);
    case 'session-message':
      return receiveInSession(arrival, classified);
    case 'refused':
      return refuse(arrival, classified.failure, classified);
    case 'session-stream':
    case 'session-end':
      throw new Error('A POST was classified as a request without a body.');
  }
}

/** The body, once. Undefined when it was refused, and answered, or its sender is gone. */
export async function readJson(arrival: EndpointArrival, asRefused: RefusedAs): Promise<{ value: Json } | undefined> {
  const { headers, parts, request } = arrival;
  const { limits } = parts;
  const refuseAs = async (of: Failure, as: RefusedAs = asRefused): Promise<undefined> => {
    await refuse(arrival, of, as);
    return undefined;
  };
  const body = await readBody(request, {
    maxBytes: limits.maxBodyBytes,
    timeoutMs: limits.bodyTimeoutMs,
    contentLength: headers.contentLength,
  });
  if (!body.ok) {
    if (body.error === 'cancelled') return undefined;
    const message = body.error === 'body-too-large' ? tooLarge(limits.maxBodyBytes) : undefined;
    return refuseAs(failure(body.error, message), { ...asRefused, unread: true });
  }
  // Node would put U+FFFD for what is no UTF-8, and policy would then judge another text than was sent.
  if (!isUtf8(body.value)) return refuseAs(failure('parse-error', NOT_UTF8));
  const text = body.value.toString('utf8');
  if (arrival.pass !== undefined && arrival.pass.digest !== passDigest({ path: request.url ?? '', body: text })) {
    return refuseAs(failure('invalid-request', ANOTHERS_PASS));
  }
  const parsed = parseJson(text, { maxDepth: limits.maxDepth });
  return parsed.ok ? { value: parsed.value } : refuseAs(parsed.error);
}

const ANOTHERS_PASS = { message: `The header ${PASS_HEADER} was made for another request.` };
const NOT_UTF8 = { message: 'The body is not valid UTF-8.' };

const tooLarge = (maxBytes: number): { message: string } => ({
  message: `The request body is larger than the ${maxBytes} bytes that the gateway accepts.`,
});

function headerFault({ headers }: EndpointArrival): Failure | undefined {
  const ofBody = bodyFault(headers);
  if (ofBody !== undefined) return ofBody;
  return acceptsJsonAndStream(headers.accept) ? undefined : failure('not-acceptable');
}

/** What the headers say against reading the body. */
export function bodyFault(headers: InboundHeaders): Failure | undefined {
  if (!isJsonContentType(headers.contentType)) return failure('unsupported-media-type');
  if (headers.contentEncoding !== undefined && headers.contentEncoding.toLowerCase() !== 'identity') {
    return failure('unsupported-media-type', {
      message: 'Compressed bodies are not accepted. Send the JSON as it is.',
    });
  }
  return undefined;
}
