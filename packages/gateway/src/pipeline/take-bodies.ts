/**
 * Hands over what a call was made with and what it answered, where the operator wants bodies kept. A result that is still
 * arriving passes on as it comes; what is wanted of its beginning is copied on the way.
 */

import type { Bodies } from '../audit/bodies.ts';
import type { Outcome, UpstreamMessage } from '../model/outcome.ts';
import type { RawBody } from '../model/redaction.ts';
import type { InboundRequest } from '../model/request.ts';
import type { RequestTrail } from './request-trail.ts';

/** The same outcome; its stream is wrapped where its beginning is wanted. Costs nothing where no bodies are kept. */
export function takeBodies(
  request: InboundRequest,
  outcome: Outcome,
  trail: RequestTrail,
  bodies: Bodies | undefined,
): Outcome {
  const { entry: tool, principal, operation = request.operation } = trail;
  if (bodies === undefined || tool?.kind !== 'tool' || principal === undefined) return outcome;
  const wanted = operation.kind === 'call-tool' ? bodies.wants(tool) : undefined;
  if (wanted === undefined || operation.kind !== 'call-tool') return outcome;
  trail.bodies = true;
  const call = { requestId: request.id, endpoint: request.endpoint, tool, principal, arguments: operation.arguments };
  const keep = (result: RawBody | undefined): void => bodies.keep(result === undefined ? call : { ...call, result });
  if (outcome.kind !== 'complete' || wanted.resultBytes === 0) {
    keep(undefined);
    return outcome;
  }
  const { result } = outcome;
  if (result.kind === 'value') {
    keep({ value: result.value });
    return outcome;
  }
  const { message } = result;
  if (message.rest !== undefined) {
    const rest = copied(message, message.rest, { maxBytes: wanted.resultBytes, keep });
    return { kind: 'complete', result: { kind: 'message', message: { ...message, rest } } };
  }
  keep({
    bytes: message.head.subarray(message.resultStart, message.resultEnd),
    whole: message.resultEnd !== undefined,
  });
  return outcome;
}

type Copying = { readonly maxBytes: number; readonly keep: (result: RawBody) => void };

/** One byte more than is wanted tells that it was cut. What broke off is kept as far as it came. */
async function* copied(
  { head, resultStart }: UpstreamMessage,
  rest: AsyncIterable<Uint8Array>,
  { maxBytes, keep }: Copying,
): AsyncGenerator<Uint8Array> {
  const first = head.slice(resultStart, resultStart + maxBytes + 1);
  const chunks = [first];
  let length = first.length;
  try {
    for await (const chunk of rest) {
      if (length <= maxBytes) {
        const part = chunk.slice(0, maxBytes + 1 - length);
        chunks.push(part);
        length += part.length;
      }
      yield chunk;
    }
  } finally {
    keep({ bytes: joined(chunks, length), whole: false });
  }
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
