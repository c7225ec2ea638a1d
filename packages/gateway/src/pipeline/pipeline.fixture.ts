/**
 * The pipeline between adapters that keep everything in memory and write down, in order, which of them was asked. The
 * authorizer, the catalog, the limiter and the validator are the real ones.
 */

import { randomBytes } from 'node:crypto';

import { makeIntent } from '../audit/intent.ts';
import type { AuditEvent } from '../audit/audit-log.ts';
import { digestOf } from '../audit/argument-digest.ts';
import { createMapStore } from '../authz/approval-store.fixture.ts';
import type { GrantGate } from '../credential/grant-gate.ts';
import { createApprovals, type ApprovalEvent, type WatchedApprovals } from '../authz/create-approvals.ts';
import { authorizerFor, digest, principal } from '../authz/authorizer-fixture.ts';
import type { Authorizer } from '../authz/authorizer.ts';
import { catalogOf, item, registered, toolItem } from '../catalog/catalog-fixture.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { createArgumentValidator } from '../guard/schema-validator.ts';
import type { Call, Send } from '../model/call.ts';
import { refuse, type Failure, type FailureCode } from '../model/failure.ts';
import type { Operation } from '../model/operation.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Principal } from '../model/principal.ts';
import type { InboundRequest } from '../model/request.ts';
import { ok } from '../model/result.ts';
import { Secret } from '../model/secret.ts';
import type { Endpoint } from '../model/target.ts';
import { checkParamHeaders } from '../protocol/param-headers.ts';
import { createLimiter, type LimitRule } from '../quota/memory-limiter.ts';
import type { LogFields } from '../telemetry/logger.ts';
import { createPipeline, type Exchange, type Handled, type Pipeline, type PipelineParts } from './pipeline.ts';

/** A part that was asked. `admitAll` is left out: looking for names to suggest is no step. */
export type Step = 'authenticate' | 'admit' | 'consume' | 'validate' | 'authorize' | 'intend' | 'send' | 'append';

export type World = {
  readonly pipeline: Pipeline;
  readonly steps: Step[];
  readonly events: AuditEvent[];
  readonly refused: FailureCode[];
  readonly lines: { readonly level: string; readonly fields: LogFields; readonly message: string }[];
  readonly calls: Call[];
  /** What was said to approvals, and by whom. */
  readonly decisions: ApprovalEvent[];
  readonly approvals: WatchedApprovals;
  readonly clock: { nowMs: number };
  /** On `/servers/files/mcp`, as alice, unless `facts` say otherwise. */
  handle(operation: Operation, facts?: Partial<InboundRequest>): Promise<Handled>;
};

export type WorldOptions = Partial<
  Pick<
    PipelineParts,
    | 'validator'
    | 'pageSize'
    | 'limiter'
    | 'scopes'
    | 'approvals'
    | 'approvalWaitMs'
    | 'grants'
    | 'connectLink'
    | 'authenticator'
    | 'clockMs'
    | 'yieldNow'
    | 'instruments'
    | 'traces'
    | 'oversight'
    | 'revocation'
    | 'bodies'
    | 'listeners'
    | 'resultDigests'
  >
> & {
  readonly catalog?: () => Catalog;
  readonly authorizer?: () => Authorizer;
  readonly rules?: readonly LimitRule[];
  /** What is true of every caller. */
  readonly caller?: Partial<Principal>;
  readonly send?: Send;
  /** Settles when the intent is durable. */
  readonly durable?: () => Promise<void> | undefined;
};

export const FILES: Endpoint = { kind: 'server', server: 'files' };
export const AGGREGATE: Endpoint = { kind: 'aggregate' };

export const as = (name: string): Pick<InboundRequest, 'presented'> => ({ presented: { bearer: new Secret(name) } });

export const callTool = (
  name: string,
  args: Extract<Operation, { kind: 'call-tool' }>['arguments'] = {},
): Operation => ({
  kind: 'call-tool',
  name,
  arguments: args,
});

export const PAY = { type: 'object', properties: { amount: { type: 'integer', minimum: 0 } }, required: ['amount'] };

/** One server, `files`, with tools, a prompt and a resource. */
export const filesCatalog = (): Catalog =>
  catalogOf(
    registered('files', {
      tools: [toolItem('read'), toolItem('pay', { inputSchema: PAY })],
      prompts: [item({ name: 'summary' })],
      resources: [item({ name: 'a', uri: 'file:///a.txt' })],
    }),
  );

/** Alice may do everything, unless an amount is above 100. */
export const ALICE_ONLY = [
  'permit (principal in Group::"staff", action, resource);',
  'forbid (principal, action, resource) when { context.arguments has amount && context.arguments.amount > 100 };',
].join('\n');

export const DONE: Outcome = { kind: 'complete', result: { kind: 'value', value: { content: [] } } };

const NOTHING_TO_SEE: PipelineParts['oversight'] = {
  records: { search: () => Promise.resolve({ found: [] }) },
  feed: { follow: () => undefined },
  usage: { usage: () => Promise.reject(new Error('not asked')) },
  bodies: undefined,
  live: () => ({}),
  credentials: () => Promise.resolve({}),
};

const GROUPS: Readonly<Record<string, readonly string[]>> = { alice: ['staff'], bob: [], dora: ['dba'], dan: ['dba'] };

export function worldOf(options: WorldOptions = {}): World {
  const {
    steps,
    events,
    refused,
    lines,
    calls,
    decisions,
  }: Omit<World, 'handle' | 'pipeline' | 'approvals' | 'clock'> = {
    steps: [],
    events: [],
    refused: [],
    lines: [],
    calls: [],
    decisions: [],
  };
  const clock = { nowMs: INBOUND.receivedAtMs };
  const approvals = options.approvals ?? approvalsFor(decisions, clock);
  const asked = (step: Step): void => void steps.push(step);
  const line = (level: string) => (fields: LogFields, message: string) => void lines.push({ level, fields, message });
  const catalog = options.catalog ?? constant(filesCatalog());
  const authorizer = options.authorizer ?? constant(authorizerFor(ALICE_ONLY));
  const limiter = options.limiter ?? createLimiter({ rules: options.rules ?? [], now: () => 0 });
  const validator = options.validator ?? createArgumentValidator();
  const send = options.send ?? (() => Promise.resolve(DONE));
  const pipeline = createPipeline({
    authenticator: options.authenticator ?? {
      authenticate({ presented }) {
        asked('authenticate');
        return { ...verified(presented.bearer), ...options.caller };
      },
    },
    catalog,
    authorizer: () => watched(authorizer(), asked),
    scopes: options.scopes ?? { required: [], implies: {} },
    limiter: { consume: (counted) => (asked('consume'), limiter.consume(counted)) },
    validator: { validate: (tool, args) => (asked('validate'), validator.validate(tool, args)) },
    checkParamHeaders,
    audit: {
      async intend({ permit }) {
        asked('intend');
        await options.durable?.();
        return makeIntent(permit, 7);
      },
      sequenceOf: () => 7,
      append: (event) => (asked('append'), void events.push(event)),
      close: () => Promise.resolve(),
    },
    send(call, how) {
      asked('send');
      calls.push(call);
      return send(call, how);
    },
    listeners: options.listeners ?? { open: () => Promise.reject(new Error('not asked')) },
    bodies: options.bodies,
    yieldNow: options.yieldNow ?? (() => Promise.resolve()),
    pageSize: options.pageSize ?? 100,
    instruments: options.instruments ?? silentInstruments(refused),
    traces: options.traces,
    live: { began: () => undefined, ended: () => undefined },
    oversight: options.oversight ?? NOTHING_TO_SEE,
    revocation: options.revocation ?? (() => Promise.resolve(ok([]))),
    logger: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    logCalls: false,
    clockMs: options.clockMs ?? (() => 0),
    ...(options.resultDigests === undefined ? {} : { resultDigests: options.resultDigests }),
    approvals,
    approvalLink: (id) => `https://gw.example.com/approvals/${id}`,
    approvalWaitMs: options.approvalWaitMs ?? 50,
    grants: options.grants ?? NO_GRANTS,
    connectLink: options.connectLink ?? (({ server }) => `https://gw.example.com/connect/${server}?link=sealed`),
    connectWaitMs: 50,
  });
  const handle: World['handle'] = (operation, facts) =>
    pipeline.handle({ ...INBOUND, receivedAtMs: clock.nowMs, operation, ...facts }, exchange());
  return { pipeline, steps, events, refused, lines, calls, decisions, approvals, clock, handle };
}

/** The real ones, on a store in memory: fifteen minutes long, three at once. */
export function approvalsFor(decisions: ApprovalEvent[], clock: { readonly nowMs: number }): WatchedApprovals {
  return createApprovals({
    store: createMapStore(),
    now: () => clock.nowMs,
    newId: () => randomBytes(16).toString('base64url'),
    digestArguments: digestOf,
    digest,
    lifetimeMs: 15 * 60_000,
    maxPendingPerRequester: 3,
    onDecision: (event) => void decisions.push(event),
    pollMs: 10,
  });
}

/** How it ended badly, or undefined. */
export const failureOf = ({ outcome }: Handled): Failure | undefined =>
  outcome.kind === 'failed' ? outcome.failure : undefined;

export const constant =
  <T>(value: T): (() => T) =>
  () =>
    value;

function verified(bearer: Secret | undefined): ReturnType<typeof principal> {
  const name = bearer?.expose() ?? '';
  const groups = GROUPS[name];
  if (groups === undefined) throw refuse(bearer === undefined ? 'unauthenticated' : 'invalid-credential');
  return principal(name, { groups });
}

const watched = (authorizer: Authorizer, asked: (step: Step) => void): Authorizer => ({
  version: authorizer.version,
  admit: (caller, entry) => (asked('admit'), authorizer.admit(caller, entry)),
  admitAll: (caller, entries) => authorizer.admitAll(caller, entries),
  authorize: (request) => (asked('authorize'), authorizer.authorize(request)),
});

const INBOUND: Omit<InboundRequest, 'operation'> = {
  id: 'request-1',
  receivedAtMs: 1_790_000_000_000,
  startedMs: 0,
  endpoint: FILES,
  ...as('alice'),
  client: { era: 'modern', revision: '2026-07-28', capabilities: {}, address: '127.0.0.1' },
  meta: { vendor: {} },
  sealedFor: [],
};

const exchange = (): Exchange => ({
  channel: { wantsProgress: false, notify: () => undefined },
  signal: new AbortController().signal,
  timeoutMs: 60_000,
});

function silentInstruments(refused: FailureCode[]): PipelineParts['instruments'] {
  const silent = (): void => undefined;
  return {
    serverOperation: silent,
    clientOperation: silent,
    decided: silent,
    policiesReloaded: silent,
    policiesRefused: silent,
    refused: (code) => void refused.push(code),
    observed: silent,
    schemaRejected: silent,
    minutesSaved: silent,
    auditBacklog: silent,
    auditFailed: silent,
    auditFailing: silent,
    bodies: silent,
    auditSink: silent,
    auditSinkFailed: silent,
    auditSinkRejected: silent,
    auditSinkMissed: silent,
    upstreamState: silent,
    breakerState: silent,
    retried: silent,
    processStarted: silent,
    logDropped: () => undefined,
    sessionUsed: silent,
    sessionEnded: silent,
    clientSessionEnded: silent,
    answered: silent,
    quotaRefused: silent,
    approvalDecided: silent,
    catalogChanged: silent,
    changeTold: silent,
    exported: silent,
    streamOpened: silent,
    streamClosed: silent,
  };
}

/** No server asks people for their consent. */
const NO_GRANTS: GrantGate = {
  guards: () => false,
  missing: () => Promise.resolve(undefined),
  settled: () => Promise.resolve(true),
  arrived: () => undefined,
};
