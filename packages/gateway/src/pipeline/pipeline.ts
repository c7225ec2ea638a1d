/**
 * What happens to every request, in order. The order is this file; the reasons stand at each line. Steps throw a `Refusal`
 * to end the line, and nothing that left the line early can reach an upstream: its type lacks the permit and the intent.
 */

import type { AuditLog } from '../audit/audit-log.ts';
import type { Bodies } from '../audit/bodies.ts';
import type { Authenticator } from '../authn/authenticator.ts';
import type { Authorizer } from '../authz/authorizer.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { ArgumentValidator } from '../guard/argument-validator.ts';
import type { Send } from '../model/call.ts';
import { Refusal } from '../model/failure.ts';
import type { ClientChannel, Outcome } from '../model/outcome.ts';
import type { Principal } from '../model/principal.ts';
import type { AuthenticatedRequest, InboundRequest } from '../model/request.ts';
import type { Entry } from '../model/target.ts';
import type { Limiter } from '../quota/limiter.ts';
import { contextOfMeta } from '../telemetry/trace-context.ts';
import type { RequestTrace, Traces } from '../telemetry/traces.ts';
import { administer, type Administered } from './administer.ts';
import { admit } from './admit.ts';
import { answer } from './answer.ts';
import { approve, isApproved, type ApproveParts } from './approve.ts';
import { authenticate } from './authenticate.ts';
import { authorize } from './authorize.ts';
import { call } from './call.ts';
import { connect, isConnected, reconnect, type ConnectParts } from './connect.ts';
import { createScopeCheck, type ScopeCheck, type ScopeRules } from './check-scopes.ts';
import { consumeQuota } from './consume-quota.ts';
import { fallBack } from './fall-back.ts';
import type { Oversight } from './oversee.ts';
import type { Listeners } from './listeners.ts';
import type { Listening, Verify } from './listening.ts';
import { pin } from './pin.ts';
import { record, type RecordParts } from './record.ts';
import { recordIntent } from './record-intent.ts';
import { RequestTrail } from './request-trail.ts';
import { resolve } from './resolve.ts';
import type { Revocation } from './revoke-credentials.ts';
import { takeBodies } from './take-bodies.ts';
import { validate, type ParamHeaderCheck } from './validate.ts';

export type Exchange = {
  readonly channel: ClientChannel;
  /** Aborted when the client of a modern request goes away, and when the gateway has drained. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
};

export type Handled = {
  readonly outcome: Outcome;
  /** There whenever authentication succeeded: the entrypoint seals for it. */
  readonly principal?: Principal;
  /** What the outcome is about, once a name was resolved: older clients need some of its results projected. */
  readonly entry?: Entry;
  /** What an administrative act brought; its outcome is `complete` and empty. */
  readonly administered?: Administered;
  /** What a `listen` opened; whoever answers the client closes it. */
  readonly listening?: Listening;
};

export interface Pipeline {
  /** Never throws: what went wrong is an outcome, and it is recorded. */
  handle(request: InboundRequest, exchange: Exchange): Promise<Handled>;
}

export type PipelineParts = RecordParts &
  ApproveParts &
  ConnectParts & {
    readonly authenticator: Authenticator;
    /** Read once per request: a swap in the middle of a call does not mix two snapshots. */
    readonly catalog: () => Catalog;
    readonly authorizer: () => Authorizer;
    readonly scopes: ScopeRules;
    readonly limiter: Limiter;
    readonly validator: ArgumentValidator;
    readonly checkParamHeaders: ParamHeaderCheck;
    readonly audit: AuditLog;
    /** Undefined: nothing is traced. */
    readonly traces?: Traces | undefined;
    /** Only where bodies are kept. */
    readonly bodies?: Bodies | undefined;
    readonly send: Send;
    readonly listeners: Pick<Listeners, 'open'>;
    readonly oversight: Oversight;
    readonly revocation: Revocation;
    /** Lets other work run, in the middle of long answers. */
    readonly yieldNow: () => Promise<void>;
    /** Entries on one page of a list. */
    readonly pageSize: number;
  };

export function createPipeline(options: PipelineParts): Pipeline {
  const parts = { ...options, checkScopes: createScopeCheck(options.scopes) };
  return {
    async handle(inbound, exchange) {
      const trace = parts.traces?.begin(inbound);
      const request = inTrace(inbound, trace);
      const trail = new RequestTrail(parts.clockMs, trace);
      parts.live.began(request, trail);
      let outcome: Outcome;
      let administered: Administered | undefined;
      const opened: Opened = {};
      try {
        if (request.operation.kind === 'administer') {
          administered = await administer(request, request.operation.act, exchange, { trail, parts });
          outcome = DONE;
        } else {
          outcome = await run(request, { exchange, trail, parts, opened, verify: () => verified(request, parts) });
        }
      } catch (error) {
        outcome = { kind: 'failed', failure: error instanceof Refusal ? error.failure : internal(error) };
      }
      const recorded = record(request, takeBodies(request, outcome, trail, parts.bodies), trail, parts);
      const { principal, entry } = trail;
      const { listening } = opened;
      if (recorded.kind === 'failed') listening?.close();
      return {
        outcome: recorded,
        ...(principal === undefined ? {} : { principal }),
        ...(entry === undefined ? {} : { entry }),
        ...(administered === undefined ? {} : { administered }),
        ...(listening === undefined || recorded.kind === 'failed' ? {} : { listening }),
      };
    },
  };
}

/** Log and record name the trace as well, also one that others keep and we are no part of. */
function inTrace(inbound: InboundRequest, trace: RequestTrace | undefined): InboundRequest {
  const traceId = trace?.traceId ?? contextOfMeta(inbound.meta.vendor)?.traceId;
  return traceId === undefined ? inbound : { ...inbound, traceId };
}

const DONE: Outcome = { kind: 'complete', result: { kind: 'value', value: {} } };

const internal = (cause: unknown) => ({ code: 'internal', sent: 'maybe', cause }) as const;

/** Of a request that goes on, as a subscription does: is the credential still good, and whose is it now? */
const verified = ({ id, presented, endpoint, client }: InboundRequest, { authenticator }: PipelineParts) =>
  authenticator.authenticate({ requestId: id, presented, endpoint, address: client.address });

type Opened = { listening?: Listening };

async function run(inbound: InboundRequest, running: Running): Promise<Outcome> {
  const { trail, parts } = running;
  // Nothing is looked up, counted or told before it is known who asks.
  trail.enter('authenticate');
  const authenticated = await authenticate(inbound, parts.authenticator, trail);
  const outcome = await runAs(authenticated, running, false);
  // It waited for somebody's word: by now policy and catalog may say something else.
  return outcome === 'waited' ? lastWord(await runAs(authenticated, running, true)) : outcome;
}

type Running = {
  readonly exchange: Exchange;
  readonly trail: RequestTrail;
  readonly parts: PipelineParts & { readonly checkScopes: ScopeCheck };
  readonly opened: Opened;
  /** Authenticates the same credential once more. */
  readonly verify: Verify;
};

async function runAs(
  authenticated: AuthenticatedRequest,
  { exchange, trail, parts, opened, verify }: Running,
  waited: boolean,
): Promise<Outcome | 'waited'> {
  const catalog = parts.catalog();
  const authorizer = parts.authorizer();

  // Names become catalog entries, so that everything after speaks of servers and tools.
  trail.enter('resolve');
  const resolved = await resolve(authenticated, catalog, authorizer, trail);
  // Before quota and schema: who may not use a thing can neither count against it nor learn its shape.
  trail.enter('admit');
  const admitted = await admit(resolved, catalog, authorizer, trail);
  // What is hidden stays hidden, and a request that a wider token would mend empties no bucket.
  trail.enter('check-scopes');
  parts.checkScopes(admitted);
  if (!waited) {
    trail.enter('consume-quota');
    consumeQuota(admitted, parts.limiter, trail);
  }

  trail.enter('answer');
  const own = { pageSize: parts.pageSize, listeners: parts.listeners, opened, verify };
  const answered = answer(admitted, { catalog, authorizer, ...own }, trail);
  if (answered !== undefined) return answered;

  // From here on everyone sees the call that would be made.
  trail.enter('pin');
  const pinned = pin(admitted, trail);
  // Policy must only ever see arguments of the declared shape.
  trail.enter('validate');
  await validate(pinned, parts.validator, parts.checkParamHeaders);
  trail.enter('authorize');
  const authorized = authorize(pinned, authorizer, trail);
  const { timeoutMs } = exchange;
  // Before a person's word is asked for or used up: a call that cannot be made needs nobody's.
  const connecting = () => ({ parts, trail, signal: exchange.signal, timeoutMs, waited });
  const connected = await connect(authorized, connecting);
  if (!isConnected(connected)) return connected;
  trail.enter('approve');
  const approved = await approve(connected, () => ({ parts, trail, signal: exchange.signal, timeoutMs, waited }));
  if (!isApproved(approved)) return approved;
  // What may change the world is on disk before it leaves.
  trail.enter('record-intent');
  const ready = await recordIntent(approved, parts.audit, trail);
  trail.enter('call');
  const outcome = await call(ready, { send: parts.send, exchange, trail });
  const reached = outcome.kind === 'failed' ? await reconnect(ready, outcome, connecting()) : outcome;
  return fallBack(admitted, reached, { ...parts, catalog, authorizer, exchange, trail });
}

function lastWord(outcome: Outcome | 'waited'): Outcome {
  if (outcome === 'waited') throw new Error('A call that has waited was made to wait again.');
  return outcome;
}
