/**
 * Spans of one request, on OpenTelemetry's SDK. Names and attributes are those of the semantic conventions for MCP
 * (docs/gen-ai/mcp.md). What the pipeline noted is written into spans when the request is over; only the spans that others
 * have to refer to meanwhile, the request's and those of its attempts, begin before.
 */

import {
  createTraceState,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type HrTime,
  type Link,
  type Span,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api';

import type { FailureCode } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import { isLegacyRevision, type Era, type Revision } from '../model/revision.ts';
import type { Entry } from '../model/target.ts';
import type { AttemptFact } from '../model/trail.ts';
import { boundedMethod } from './operation-name.ts';
import { placeAttributes } from './otel-instruments.ts';
import { contextOfMeta, parseTraceContext, traceparentOf, type TraceContext } from './trace-context.ts';
import type { Sampling } from './trace-sampling.ts';
import type {
  AttemptStart,
  AttemptTrace,
  RequestEnd,
  RequestTrace,
  StepTime,
  TracedRequest,
  Traces,
} from './traces.ts';

export type OtelTracesOptions = {
  readonly tracer: Tracer;
  readonly sampling: Sampling;
  readonly close: () => Promise<void>;
};

export function createOtelTraces({ tracer, sampling, close }: OtelTracesOptions): Traces {
  return {
    begin(request) {
      const parent = contextOfMeta(request.meta.vendor);
      return sampling(parent, request.startedMs) ? new OtelRequestTrace(tracer, request, parent) : undefined;
    },
    close,
  };
}

/** A span before it is known what it is called: it gets its name when it ends. */
const UNNAMED = 'request';

/** Of a text that a client chose. */
const MAX_TEXT = 200;

class OtelRequestTrace implements RequestTrace {
  readonly traceId: string;
  readonly #tracer: Tracer;
  readonly #request: TracedRequest;
  readonly #parent: TraceContext | undefined;
  readonly #span: Span;
  readonly #within: Context;
  /** Of steps that had to be there early, because attempts were made within them. At most as many as there are steps. */
  readonly #begun = new Map<StepTime, { readonly span: Span; readonly within: Context }>();

  constructor(tracer: Tracer, request: TracedRequest, parent: TraceContext | undefined) {
    this.#tracer = tracer;
    this.#request = request;
    this.#parent = parent;
    const ambient = parseTraceContext(request.wire?.traceparent(), request.wire?.tracestate());
    const links: Link[] = ambient === undefined ? [] : [{ context: spanContextOf(ambient) }];
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, spanContextOf(parent));
    const options = { kind: SpanKind.SERVER, links, startTime: this.#time(request.startedMs) };
    this.#span = tracer.startSpan(UNNAMED, options, context);
    this.#within = trace.setSpan(ROOT_CONTEXT, this.#span);
    this.traceId = this.#span.spanContext().traceId;
  }

  attempt({ server, place, entry, startedMs, within }: AttemptStart): AttemptTrace {
    const context = within === undefined ? this.#within : this.#begin(within).within;
    const attributes: Attributes = { ...(place && placeAttributes(place)), 'sallyport.server': server };
    const options = { kind: SpanKind.CLIENT, attributes, startTime: this.#time(startedMs) };
    const span = this.#tracer.startSpan(UNNAMED, options, context);
    return {
      context: this.#contextOf(span),
      ended: (attempt) => {
        this.#describeAttempt(span, attempt, entry);
        span.end(this.#time(attempt.endedMs));
      },
    };
  }

  ended({ operation, outcome, entry, steps, endedMs }: RequestEnd): void {
    const { client, wire, id } = this.#request;
    const span = this.#span;
    const { method, revision, httpVersion, errorType, statusCode } = operation;
    span.updateName(nameOf(method, entry));
    span.setAttributes({
      ...operationAttributes(method, entry),
      'mcp.protocol.version': revision,
      'network.transport': 'tcp',
      'network.protocol.name': 'http',
      ...(httpVersion !== undefined && { 'network.protocol.version': httpVersion }),
      ...(client.address !== '' && { 'client.address': client.address }),
      ...(wire?.port !== undefined && { 'client.port': wire.port }),
      ...(wire?.rpcId !== undefined && { 'jsonrpc.request.id': String(wire.rpcId).slice(0, MAX_TEXT) }),
      // Modern revisions have no sessions. The digest names it; the id itself is a bearer value.
      ...(client.era === 'legacy' && client.session !== undefined && { 'mcp.session.id': client.session }),
      ...errorAttributes(errorType, statusCode),
      'sallyport.request.id': id,
      'sallyport.outcome': outcome,
      ...(entry !== undefined && { 'sallyport.server': entry.server.id }),
    });
    if (errorType !== undefined && !isCallersOwn(errorType)) span.setStatus({ code: SpanStatusCode.ERROR });
    this.#endSteps(steps, endedMs);
    span.end(this.#time(endedMs));
  }

  #endSteps(steps: readonly StepTime[], endedMs: number): void {
    for (const [at, step] of steps.entries()) {
      this.#begin(step).span.end(this.#time(steps[at + 1]?.atMs ?? endedMs));
    }
  }

  #begin(step: StepTime): { readonly span: Span; readonly within: Context } {
    const known = this.#begun.get(step);
    if (known !== undefined) return known;
    const options = { attributes: { 'sallyport.step': step.step }, startTime: this.#time(step.atMs) };
    const span = this.#tracer.startSpan(step.step, options, this.#within);
    const begun = { span, within: trace.setSpan(ROOT_CONTEXT, span) };
    this.#begun.set(step, begun);
    return begun;
  }

  #describeAttempt(span: Span, attempt: AttemptFact, entry: Entry | undefined): void {
    const { upstream, errorType, statusCode, outcome } = attempt;
    const method = boundedMethod(this.#request.operation, eraOf(upstream?.revision));
    span.updateName(nameOf(method, entry));
    span.setAttributes({
      ...operationAttributes(method, entry),
      ...(upstream !== undefined && { 'mcp.protocol.version': upstream.revision }),
      ...errorAttributes(errorType, statusCode),
      'sallyport.outcome': outcome,
    });
    if (errorType !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
  }

  /** `tracestate` is others' and travels on; one that was not valid does not. */
  #contextOf(span: Span): JsonObject {
    const { traceId, spanId } = span.spanContext();
    const traceparent = traceparentOf({ traceId, spanId, sampled: true });
    return { traceparent, tracestate: this.#parent?.state };
  }

  /** From the process's monotonic clock to the wall's, by the one instant that was read on both. */
  #time(monotonicMs: number): HrTime {
    const { receivedAtMs, startedMs } = this.#request;
    const sinceMs = monotonicMs - startedMs;
    const seconds = Math.floor((receivedAtMs + sinceMs) / 1000);
    return [seconds, Math.round((receivedAtMs - seconds * 1000 + sinceMs) * 1e6)];
  }
}

const spanContextOf = ({ traceId, spanId, sampled, state }: TraceContext): SpanContext => ({
  traceId,
  spanId,
  isRemote: true,
  traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
  ...(state === undefined ? {} : { traceState: createTraceState(state) }),
});

/** `tools/call read_note`. Names come from the catalog alone: what a client made up is no part of a span's name. */
const nameOf = (method: string, entry: Entry | undefined): string =>
  entry?.kind === 'tool' || entry?.kind === 'prompt' ? `${method} ${entry.name}` : method;

function operationAttributes(method: string, entry: Entry | undefined): Attributes {
  return {
    'mcp.method.name': method,
    ...(method === 'tools/call' && { 'gen_ai.operation.name': 'execute_tool' }),
    ...(entry?.kind === 'tool' && { 'gen_ai.tool.name': entry.name }),
    ...(entry?.kind === 'prompt' && { 'gen_ai.prompt.name': entry.name }),
  };
}

const errorAttributes = (errorType: string | undefined, statusCode: string | undefined): Attributes => ({
  ...(errorType !== undefined && { 'error.type': errorType }),
  ...(statusCode !== undefined && { 'rpc.response.status_code': statusCode }),
});

const eraOf = (revision: Revision | undefined): Era =>
  revision !== undefined && isLegacyRevision(revision) ? 'legacy' : 'modern';

/** -32700, -32600, -32601, -32602, -32002: a caller's mistake is no error of the one who is called. */
const CALLERS_CODES: ReadonlySet<string> = new Set(['-32700', '-32600', '-32601', '-32602', '-32002']);

/** Those of our refusals that `protocol` writes with one of these codes. */
export const CALLERS_FAILURES = [
  'parse-error',
  'duplicate-key',
  'unsafe-number',
  'too-deep',
  'invalid-request',
  'batch-refused',
  'invalid-envelope',
  'method-not-found',
  'invalid-params',
  'invalid-cursor',
  'invalid-state',
  'unknown-tool',
  'unknown-prompt',
  'unknown-resource',
  'unknown-task',
  'invalid-arguments',
] as const satisfies readonly FailureCode[];

const CALLERS: ReadonlySet<string> = new Set([...CALLERS_CODES, ...CALLERS_FAILURES]);

const isCallersOwn = (errorType: string): boolean => CALLERS.has(errorType);
