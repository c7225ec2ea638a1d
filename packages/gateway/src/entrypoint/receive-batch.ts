/** A batch (MCP 2025-03-26, basic, Batching): taken apart, run at once, and put together again. */

import type { Failure } from '../model/failure.ts';
import type { EncodedAnswer, EncodedMessage } from '../protocol/codec.ts';
import type { JsonRpcId, RpcMessage } from '../protocol/json-rpc.ts';
import { challenge, noteRefusal, respondEmpty } from './arrival.ts';
import { replyTo } from './reply-to.ts';
import type { Reply } from './reply.ts';
import { discard } from './response-body.ts';
import type { Within } from './run-call.ts';
import { runCall, runSilently, sealsFor, silentOperation } from './run-call.ts';
import { takeSilently } from './take-silently.ts';

type Part = {
  readonly answer: EncodedAnswer;
  readonly headers: readonly string[];
  readonly failure?: Failure;
  /** A notification has no answer of its own, only a failure that may concern the whole batch. */
  readonly silent: boolean;
};

/** One JSON array of the answers; or an event for each, when notices have made the response a stream. */
export async function receiveBatch(within: Within, messages: readonly RpcMessage[]): Promise<void> {
  const { arrival } = within;
  const reply = replyTo(arrival);
  const results = await Promise.all(messages.map((message) => runPart(within, message, reply)));
  const parts = results.filter((part) => part !== undefined);
  // Who is calling is a matter of the whole request, and so is the session: their status must be seen.
  const whole = parts.find(({ answer, failure }) => answer.status === 401 || failure?.code === 'unknown-session');
  if (whole !== undefined && !reply.streaming) {
    for (const part of parts) if (part !== whole) await discard(part.answer.body);
    return reply.finish(whole.answer, whole.headers);
  }
  const bodies = parts.filter(({ silent }) => !silent).map(({ answer }) => answer.body);
  if (reply.streaming) {
    for (const body of bodies) await reply.message(body);
    return reply.finishStream();
  }
  if (bodies.length > 0) return reply.finish({ status: 200, headers: {}, body: joined(bodies) });
  reply.cancel();
  respondEmpty(arrival, 202);
}

async function runPart(batch: Within, message: RpcMessage, reply: Reply): Promise<Part | undefined> {
  // Each message has its own record, and so its own id.
  const arrival = { ...batch.arrival, id: batch.arrival.parts.newId() };
  const within = { ...batch, arrival };
  const seals = sealsFor(arrival);
  const decoded = batch.codec.decode(message, { seals });
  if (decoded.kind === 'refused') {
    arrival.parts.instruments.refused(decoded.failure.code);
    noteRefusal(arrival, decoded.failure.code);
    return failedPart(within, decoded.failure, decoded.id);
  }
  if (decoded.kind === 'request') {
    const { answer, headers, handled, withheld } = await runCall({ ...within, decoded, seals, reply });
    if (withheld) {
      await discard(answer.body);
      return undefined;
    }
    const part = { answer, headers, silent: false };
    return handled.outcome.kind === 'failed' ? { ...part, failure: handled.outcome.failure } : part;
  }
  const { outcome } = await runSilently(within, silentOperation(decoded));
  const fault = outcome.kind === 'failed' ? outcome.failure : takeSilently(within, decoded);
  return fault === undefined ? undefined : { ...failedPart(within, fault, null), silent: true };
}

function failedPart({ arrival, codec }: Within, failure: Failure, id: JsonRpcId | null): Part {
  const answer = codec.encodeFailure(failure, { id, requestId: arrival.id });
  return { answer, headers: challenge(arrival, failure), failure, silent: false };
}

/** `[a,b]`. The parts keep their order; one that is still arriving is waited for where it stands. */
function joined(bodies: readonly EncodedMessage[]): EncodedMessage {
  if (bodies.every(({ rest }) => rest === undefined)) {
    const chunks = bodies.flatMap((body, index) => [index === 0 ? '[' : ',', ...body.chunks]);
    return { chunks: [...chunks, ']'] };
  }
  return { chunks: ['['], rest: joinedRest(bodies) };
}

async function* joinedRest(bodies: readonly EncodedMessage[]): AsyncGenerator<Uint8Array> {
  let started = 0;
  try {
    for (const body of bodies) {
      if (started > 0) yield COMMA;
      started += 1;
      for (const chunk of body.chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      if (body.rest !== undefined) yield* body.rest;
    }
    yield CLOSING;
  } finally {
    // The client went away, or a part broke off: nobody will read the others.
    for (const body of bodies.slice(started)) await discard(body);
  }
}

const COMMA = Buffer.from(',');
const CLOSING = Buffer.from(']');
