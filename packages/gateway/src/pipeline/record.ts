/**
 * Outermost: audit, metrics and log from the trail, refusals included. A result that is still arriving is recorded when
 * its last byte has passed, or when it broke off.
 */

import type { AuditEvent, AuditLog } from '../audit/audit-log.ts';
import type { ResultDigests } from '../audit/result-digest.ts';
import { FAILURES, Refusal, type Failure } from '../model/failure.ts';
import { methodOf } from '../model/operation.ts';
import type { Outcome, Raw, UpstreamMessage } from '../model/outcome.ts';
import type { InboundRequest } from '../model/request.ts';
import type { Instruments, ServerOperation } from '../telemetry/instruments.ts';
import type { LiveWatch } from '../telemetry/live.ts';
import type { Logger } from '../telemetry/logger.ts';
import { boundedMethod } from '../telemetry/operation-name.ts';
import type { RequestTrail } from './request-trail.ts';

export type RecordParts = {
  readonly audit: AuditLog;
  readonly instruments: Instruments;
  readonly live: LiveWatch;
  readonly logger: Logger;
  /** One log line for every call, not only for refusals and failures. Costs about 9 us a call. */
  readonly logCalls: boolean;
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
  /** Only where the operator wants digests of results. */
  readonly resultDigests?: ResultDigests;
};

type Finished = { readonly request: InboundRequest; readonly trail: RequestTrail; readonly parts: RecordParts };

/** What passed of a result; nothing of one that we made ourselves. */
type Passed = { readonly bytes?: number; readonly digest?: string };

const NOTHING: Passed = {};

/** The outcome to answer with: the same one, its stream wrapped where the record has to wait for the end. */
export function record(request: InboundRequest, outcome: Outcome, trail: RequestTrail, parts: RecordParts): Outcome {
  const finished = { request, trail, parts };
  const message = outcome.kind === 'complete' ? messageOf(outcome.result) : undefined;
  if (message?.rest === undefined) {
    finish(finished, outcome, message === undefined ? NOTHING : wholeOf(message, parts));
    return outcome;
  }
  const rest = recorded(message, parts, (passed, cut) => {
    finish(finished, cut === undefined ? outcome : { kind: 'failed', failure: cut }, passed);
  });
  return { kind: 'complete', result: { kind: 'message', message: { ...message, rest } } };
}

const messageOf = (result: Raw): UpstreamMessage | undefined =>
  result.kind === 'message' ? result.message : undefined;

function wholeOf({ resultStart, resultEnd, head }: UpstreamMessage, { resultDigests }: RecordParts): Passed {
  const end = resultEnd ?? head.length;
  const bytes = end - resultStart;
  return resultDigests === undefined
    ? { bytes }
    : { bytes, digest: resultDigests.whole(head.subarray(resultStart, end)) };
}

/** `cut` is why a stream ended early: the server broke it off, or nobody read on. */
async function* recorded(
  message: UpstreamMessage,
  { resultDigests }: RecordParts,
  finished: (passed: Passed, cut: Failure | undefined) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = message.head.length - message.resultStart;
  let cut: Failure | undefined = { code: 'cancelled', sent: 'yes' };
  const digest = resultDigests?.begin();
  digest?.update(message.head.subarray(message.resultStart));
  try {
    for await (const chunk of message.rest ?? []) {
      bytes += chunk.length;
      digest?.update(chunk);
      yield chunk;
    }
    cut = undefined;
  } catch (error) {
    // A refusal says who ended it: the caller's leaving and our own time limit are not the server's fault.
    cut = error instanceof Refusal ? error.failure : { code: 'upstream-closed', sent: 'yes', cause: error };
    throw error;
  } finally {
    // Of what broke off, nobody has the same bytes.
    finished(digest === undefined || cut !== undefined ? { bytes } : { bytes, digest: digest.end() }, cut);
  }
}

function finish(finished: Finished, outcome: Outcome, { bytes: resultBytes, digest }: Passed): void {
  const { trail, parts } = finished;
  // The record is of the call that was made: with what the operator pinned.
  const { operation = finished.request.operation } = trail;
  const request = operation === finished.request.operation ? finished.request : { ...finished.request, operation };
  trail.release?.();
  const failure = outcome.kind === 'failed' ? outcome.failure : undefined;
  const event: AuditEvent = {
    request,
    outcome: auditOutcome(outcome),
    durationMs: parts.clockMs() - request.startedMs,
    ...(trail.principal === undefined ? {} : { principal: trail.principal }),
    ...(trail.entry === undefined ? {} : { entry: trail.entry }),
    ...(trail.decision === undefined ? {} : { decision: trail.decision }),
    ...(trail.approval === undefined ? {} : { approval: trail.approval }),
    ...(trail.intentSequence === undefined ? {} : { intentSequence: trail.intentSequence }),
    ...(failure === undefined ? {} : { failure }),
    ...(resultBytes === undefined ? {} : { resultBytes }),
    ...(trail.bodies ? { bodies: true } : {}),
    ...(trail.fallback === undefined ? {} : { fallback: trail.fallback }),
    ...(outcome.kind === 'complete' && outcome.cachedMs !== undefined ? { cached: { ageMs: outcome.cachedMs } } : {}),
    ...(digest === undefined ? {} : { resultDigest: digest }),
    steps: trail.steps,
    attempts: trail.attempts,
    attempted: trail.attempted,
  };
  parts.audit.append(event);
  parts.live.ended(request, trail, event);
  const measured = measure(request, event, trail, parts.instruments);
  const { entry, steps } = trail;
  const endedMs = request.startedMs + event.durationMs;
  trail.trace?.ended({ operation: measured, outcome: failure?.code ?? event.outcome, entry, steps, endedMs });
  if (failure !== undefined || parts.logCalls) log(request, event, trail, parts.logger);
  logObserved(request, trail, parts.logger);
  if (trail.listed?.shown === 0 && trail.listed.hidden > 0) logEmptyList(request, trail, parts.logger);
}

function auditOutcome(outcome: Outcome): AuditEvent['outcome'] {
  switch (outcome.kind) {
    case 'failed':
      return FAILURES[outcome.failure.code].fault === 'caller' ? 'refused' : 'failed';
    case 'input-required':
      return 'input_required';
    case 'complete':
      return isToolError(outcome.result) ? 'tool_error' : 'ok';
    default:
      return 'ok';
  }
}

const LOWER_T = 0x74;

/** `"isError": true`, read from the marks: the result is not parsed for this. */
function isToolError(result: Raw): boolean {
  if (result.kind === 'value') return result.value.isError === true;
  const member = result.message.members.get('isError');
  return member !== undefined && result.message.head[member.valueStart] === LOWER_T;
}

function measure(
  request: InboundRequest,
  event: AuditEvent,
  trail: RequestTrail,
  instruments: Instruments,
): ServerOperation {
  const { operation, client, httpVersion } = request;
  const { failure, resultBytes } = event;
  const { entry } = trail;
  if (failure !== undefined) instruments.refused(failure.code);
  if (trail.decision !== undefined) {
    instruments.decided(trail.decision.effect);
    const { observed } = trail.decision.grounds;
    if (observed !== undefined) instruments.observed(observed.effect);
  }
  if (failure?.code === 'invalid-arguments' && entry !== undefined) instruments.schemaRejected(entry.server.id);
  if (entry?.traits.minutesSaved !== undefined && event.outcome === 'ok' && operation.kind === 'call-tool') {
    instruments.minutesSaved(entry.server.id, entry.name, entry.traits.minutesSaved);
  }
  const statusCode = failure?.upstream === undefined ? undefined : String(failure.upstream.code);
  // A server's error by its JSON-RPC code, as the conventions have it; our own refusals by the codes of model/failure.ts.
  const errorType = event.outcome === 'tool_error' ? 'tool_error' : (statusCode ?? failure?.code);
  if (resultBytes !== undefined && entry?.kind === 'tool')
    instruments.answered(entry.server.id, entry.name, resultBytes);
  const measured: ServerOperation = {
    method: boundedMethod(operation, client.era),
    revision: client.revision,
    seconds: event.durationMs / 1000,
    ...(httpVersion === undefined ? {} : { httpVersion }),
    ...(entry?.kind === 'tool' ? { tool: entry.name } : {}),
    ...(entry?.kind === 'prompt' ? { prompt: entry.name } : {}),
    ...(errorType === undefined ? {} : { errorType }),
    ...(statusCode === undefined ? {} : { statusCode }),
  };
  instruments.serverOperation(measured);
  return measured;
}

function log(request: InboundRequest, event: AuditEvent, trail: RequestTrail, logger: Logger): void {
  const { failure } = event;
  const method = methodOf(request.operation, request.client.era);
  const fields = {
    ...idsOf(request),
    principal: trail.principal?.name,
    method,
    target: targetName(request, trail),
    outcome: failure?.code ?? event.outcome,
    durationMs: event.durationMs,
    ...reasonOf(failure, trail),
    ...(failure?.code === 'internal' ? { err: failure.cause } : {}),
  };
  if (failure !== undefined && FAILURES[failure.code].fault !== 'caller') logger.warn(fields, method);
  else logger.info(fields, method);
}

/** What a line is looked up by. */
const idsOf = ({ id, traceId }: InboundRequest): { readonly requestId: string; readonly traceId?: string } =>
  traceId === undefined ? { requestId: id } : { requestId: id, traceId };

/** What the caller may not know, the operator must: that it was policy, and which. */
function reasonOf(failure: Failure | undefined, { decision }: RequestTrail): { readonly reason?: string } {
  if (failure === undefined) return {};
  if (decision?.effect !== 'deny') {
    const reason = failure.reason ?? failure.message;
    return reason === undefined ? {} : { reason };
  }
  const { policies, errors, withheld } = decision.grounds;
  const because = policies.length > 0 ? `denied by ${policies.join(', ')}` : nothingAllows(withheld);
  return { reason: errors.length > 0 ? `${because}; errors: ${errors.join('; ')}` : because };
}

/** A workload alone has rights that look as if they covered more: the operator is told why they do not. */
const nothingAllows = (withheld: readonly string[] | undefined): string =>
  withheld === undefined
    ? 'no policy allows it'
    : `no policy allows it to a workload alone; not counted, because it is not marked risk: low and readOnly: true: ${withheld.join(', ')}`;

/** What the policies that are being tried out would have done. */
function logObserved(request: InboundRequest, trail: RequestTrail, logger: Logger): void {
  const { decision } = trail;
  const observed = decision?.grounds.observed;
  if (observed === undefined) return;
  const { effect, policies, approvals } = observed;
  const asks = approvals.length === 0 ? '' : `, after the approval of ${approvals.join(' and ')}`;
  logger.info(
    {
      ...idsOf(request),
      principal: trail.principal?.name,
      target: targetName(request, trail),
      decided: decision?.effect,
      observed: effect,
      policies,
      approvals,
    },
    `policies in observe mode would have ${effect === 'allow' ? 'allowed' : 'denied'} this${asks}: ${policies.join(', ')}`,
  );
}

function targetName(request: InboundRequest, trail: RequestTrail): string {
  const { entry } = trail;
  const { endpoint } = request;
  if (entry === undefined || entry.kind === 'server') return endpoint.kind === 'aggregate' ? '/mcp' : endpoint.server;
  return `${entry.server.id}/${entry.name}`;
}

function logEmptyList(request: InboundRequest, trail: RequestTrail, logger: Logger): void {
  const { operation, endpoint } = request;
  if (operation.kind !== 'list' || trail.listed === undefined || trail.principal === undefined) return;
  const where = endpoint.kind === 'aggregate' ? '/mcp' : endpoint.server;
  const { name } = trail.principal;
  logger.warn(
    { ...idsOf(request), principal: name, target: where },
    `the ${operation.of} list is empty for ${name} on ${where}: no policy allows any of its ${trail.listed.hidden} ${operation.of}. ` +
      `Why: npm run sallyport -- tools --as ${name}`,
  );
}
