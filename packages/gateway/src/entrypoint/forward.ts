/** Passes a request on to the replica that has what it is about, and its answer back, as it comes. */

import type { ReplicaId } from '../model/outcome.ts';
import { failure } from '../model/failure.ts';
import type { RpcMessage } from '../protocol/json-rpc.ts';
import type { EndpointArrival } from './arrival.ts';
import { addressOf, commonHeaders, refuse } from './arrival.ts';
import { PASS_HEADER } from './forward-pass.ts';
import { nameOfReplica, type ForwardedAnswer, type ForwardedRequest } from './forwarding.ts';
import { pipe } from './response-body.ts';
import { certificatesOf } from './tls.ts';

/** What tells who is calling, how, and in which trace. Everything else was for us, or is anyone's word. */
const PASSED_ON =
  /^(?:authorization|accept|content-type|mcp-[a-z0-9-]+|user-agent|traceparent|tracestate|baggage|x-forwarded-client-cert)$/;
const PASSED_BACK = [
  'content-type',
  'content-length',
  'cache-control',
  'x-accel-buffering',
  'www-authenticate',
  'retry-after',
];
/** Forwarded requests at a time; what comes beyond them is answered here, as if there were no others. */
const MAX_AT_ONCE = 1_000;
const TELL_MS = 2_000;

/** True when it was answered; false when it has to be answered here. */
export async function forwardTo(arrival: EndpointArrival, owner: ReplicaId, message: RpcMessage): Promise<boolean> {
  const { otherReplicas, forwards, limits, logger, questionIds } = arrival.parts;
  const to = nameOfReplica(owner);
  if (owner === questionIds.self || !otherReplicas.names.includes(to) || !mayForward(arrival)) return false;
  const { response } = arrival;
  const gone = new AbortController();
  const left = (): void => gone.abort();
  const timer = setTimeout(left, limits.timeoutMs);
  response.once('close', left);
  forwards.count += 1;
  logger.debug({ requestId: arrival.id, to }, 'passed on to the replica that has the call');
  try {
    const answer = await otherReplicas.send(to, requestFor(arrival, to, message, gone.signal));
    if (answer === undefined) return false;
    await passBack(arrival, answer);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    logger.warn({ requestId: arrival.id, to, reason }, 'the replica that has the call broke off');
    await refuse(arrival, failure('invalid-state', { message: BROKE_OFF }), {
      era: eraOf(message),
      id: idOf(message),
      status: 502,
    });
  } finally {
    forwards.count -= 1;
    clearTimeout(timer);
    response.off('close', left);
  }
  return true;
}

/** Tells every other replica what may concern one of them. Resolves when all were told, or cannot be for now. */
export async function tellOthers(arrival: EndpointArrival, message: RpcMessage): Promise<void> {
  await Promise.all(arrival.parts.otherReplicas.names.map((to) => tell(arrival, to, message)));
}

async function tell(arrival: EndpointArrival, to: string, message: RpcMessage): Promise<void> {
  const { otherReplicas, forwards, logger } = arrival.parts;
  if (!mayForward(arrival)) return;
  forwards.count += 1;
  try {
    const signal = AbortSignal.timeout(TELL_MS);
    await drained(await otherReplicas.send(to, requestFor(arrival, to, message, signal)));
  } catch (error) {
    logger.debug({ requestId: arrival.id, to, reason: String(error) }, 'another replica could not be told');
  } finally {
    forwards.count -= 1;
  }
}

const BROKE_OFF =
  'The replica that has the call broke off before it answered. Make the call again, without requestState; the server may have ' +
  'done a part of the first call.';

/**
 * Never twice, so that there is no loop. A certificate of the client's own connection cannot be shown again: without it the
 * caller would be another one.
 */
const mayForward = ({ pass, request, parts: { forwards } }: EndpointArrival): boolean =>
  pass === undefined && forwards.count < MAX_AT_ONCE && certificatesOf(request.socket).certificates === undefined;

function requestFor(arrival: EndpointArrival, to: string, message: RpcMessage, signal: AbortSignal): ForwardedRequest {
  const { request, parts } = arrival;
  const path = request.url ?? '';
  const body = textOf(message);
  const headers = ['host', new URL(parts.publicUrl).host];
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2) {
    const name = (request.rawHeaders[at] ?? '').toLowerCase();
    if (PASSED_ON.test(name)) headers.push(name, request.rawHeaders[at + 1] ?? '');
  }
  headers.push(PASS_HEADER, parts.forwardPasses.issue(to, addressOf(arrival), { path, body }));
  return { path, headers, body, signal };
}

/** The same message again: what was read of it is all that there was. */
function textOf(message: RpcMessage): string {
  if (message.kind === 'response') return JSON.stringify(message.message);
  const { kind: _kind, ...own } = message;
  return JSON.stringify({ jsonrpc: '2.0', ...own });
}

async function passBack(arrival: EndpointArrival, { status, headers, body }: ForwardedAnswer): Promise<void> {
  const { response, parts } = arrival;
  if (response.destroyed) return drained({ body });
  const own = PASSED_BACK.flatMap((name) => [headers[name] ?? []].flat().flatMap((value) => [name, value]));
  response.writeHead(status, [...own, ...commonHeaders(arrival)]);
  await pipe(response, { chunks: [], rest: body }, parts.limits.writeTimeoutMs);
  if (!response.destroyed) response.end();
}

async function drained(answer: Pick<ForwardedAnswer, 'body'> | undefined): Promise<void> {
  if (answer === undefined) return;
  for await (const _ of answer.body) continue;
}

const idOf = (message: RpcMessage): string | number | null => (message.kind === 'request' ? message.id : null);
const eraOf = (message: RpcMessage): 'modern' | 'legacy' => (message.kind === 'request' ? 'modern' : 'legacy');
