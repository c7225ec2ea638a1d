/**
 * Every metric there is, once: instruments are made from this list, `docs/reference/metrics.md` is written from it, and a test
 * holds its names. `mcp.*` and their attributes are those of the semantic conventions for MCP; what no convention has a name
 * for begins with `sallyport.`.
 */

import { PROCESS_METRICS } from './process-metric-names.ts';
import { SUBSCRIPTION_METRICS } from './subscription-metrics.ts';

export type MetricDefinition = {
  readonly name: string;
  readonly kind: 'counter' | 'up-down-counter' | 'gauge' | 'histogram';
  /** `s`, `By` (bytes), or a noun for people when it counts things. */
  readonly unit?: 's' | 'By';
  /** Those that every series has, and those that some have (`?`). */
  readonly attributes: readonly string[];
  readonly meaning: string;
};

const OPERATION = [
  'mcp.method.name',
  'gen_ai.operation.name?',
  'gen_ai.tool.name?',
  'gen_ai.prompt.name?',
  'error.type?',
  'rpc.response.status_code?',
  'mcp.protocol.version?',
  'network.transport',
  'network.protocol.name?',
  'network.protocol.version?',
];

const SERVER = ['server.address?', 'server.port?', 'sallyport.server'];

export const METRICS = {
  serverOperation: {
    name: 'mcp.server.operation.duration',
    kind: 'histogram',
    unit: 's',
    attributes: OPERATION,
    meaning: 'From a request reaching the gateway until its answer left.',
  },
  clientOperation: {
    name: 'mcp.client.operation.duration',
    kind: 'histogram',
    unit: 's',
    attributes: [...OPERATION, ...SERVER],
    meaning:
      'From a request leaving for a server until its answer was there, attempts and waits between them included.',
  },
  serverSession: {
    name: 'mcp.server.session.duration',
    kind: 'histogram',
    unit: 's',
    attributes: ['mcp.protocol.version', 'network.transport', 'network.protocol.name'],
    meaning:
      'Sessions of legacy clients, from initialize to their end or, when nobody ended them, to the last request that was seen.',
  },
  clientSession: {
    name: 'mcp.client.session.duration',
    kind: 'histogram',
    unit: 's',
    attributes: [
      'mcp.protocol.version',
      'network.transport',
      'network.protocol.name?',
      'network.protocol.version?',
      ...SERVER,
    ],
    meaning: 'Sessions of the gateway with legacy servers.',
  },
  connections: {
    name: 'sallyport.connections.active',
    kind: 'gauge',
    attributes: [],
    meaning: 'Open connections of clients.',
  },
  streams: { name: 'sallyport.streams.active', kind: 'gauge', attributes: [], meaning: 'Open event streams.' },
  ...SUBSCRIPTION_METRICS,
  sessions: {
    name: 'sallyport.sessions.active',
    kind: 'gauge',
    attributes: [],
    meaning:
      'Sessions of legacy clients that were used within the last 30 minutes and not ended, as far as this replica saw.',
  },
  calls: {
    name: 'sallyport.calls.active',
    kind: 'gauge',
    attributes: [],
    meaning: 'Requests of clients at work now, those that wait for a person included.',
  },
  upstreamCalls: {
    name: 'sallyport.upstream.calls.active',
    kind: 'gauge',
    attributes: ['server'],
    meaning: 'Calls in flight to a server.',
  },
  upstreams: {
    name: 'sallyport.upstream.connections',
    kind: 'gauge',
    attributes: ['server', 'state'],
    meaning:
      'Sessions or processes of a server: in use, idle, spare, connecting, closing; and calls that wait for one.',
  },
  upstreamState: {
    name: 'sallyport.upstream.state',
    kind: 'gauge',
    attributes: ['server', 'state'],
    meaning: 'The state of each server: 1 is the present one.',
  },
  breakerState: {
    name: 'sallyport.upstream.breaker.state',
    kind: 'gauge',
    attributes: ['server', 'state'],
    meaning: 'The circuit breaker of each server: 1 is the present state.',
  },
  retries: {
    name: 'sallyport.upstream.retries',
    kind: 'counter',
    attributes: ['server', 'because'],
    meaning: 'Attempts after the first, by server and the failure code before.',
  },
  logsDropped: {
    name: 'sallyport.upstream.log_messages.dropped',
    kind: 'counter',
    attributes: ['server'],
    meaning: 'Log messages of a server that name no request and could be about anybody: they reached nobody.',
  },
  processStarts: {
    name: 'sallyport.upstream.process_start.duration',
    kind: 'histogram',
    unit: 's',
    attributes: ['server', 'kind'],
    meaning: 'From starting a stdio server until it had shaken hands, by server and kind.',
  },
  processCpu: {
    name: 'sallyport.upstream.process.cpu',
    kind: 'counter',
    unit: 's',
    attributes: ['server'],
    meaning: 'CPU time of the processes of a stdio server, as seen when metrics are collected. Linux only.',
  },
  processMemory: {
    name: 'sallyport.upstream.process.resident_memory',
    kind: 'gauge',
    unit: 'By',
    attributes: ['server'],
    meaning: 'Resident memory of the processes of a stdio server. Linux only.',
  },
  refusals: {
    name: 'sallyport.refusals',
    kind: 'counter',
    attributes: ['code'],
    meaning: 'Requests that failed, by failure code.',
  },
  decisions: {
    name: 'sallyport.authorization.decisions',
    kind: 'counter',
    attributes: ['effect'],
    meaning: 'Decisions, by effect.',
  },
  observed: {
    name: 'sallyport.authorization.observed',
    kind: 'counter',
    attributes: ['effect'],
    meaning: 'Decisions that policies in observe mode would have changed, by the effect they would have had.',
  },
  quotaRefusals: {
    name: 'sallyport.quota.refusals',
    kind: 'counter',
    attributes: ['limit'],
    meaning: 'Requests over a limit, by the limit as the operator wrote it.',
  },
  approvalsPending: {
    name: 'sallyport.approvals.pending',
    kind: 'gauge',
    attributes: [],
    meaning: 'Approvals asked for through this replica that nobody has decided, used or let expire yet.',
  },
  parkedCalls: {
    name: 'sallyport.calls.parked',
    kind: 'gauge',
    attributes: [],
    meaning: 'Calls that are open at a server of an older revision while a person is asked.',
  },
  approvalsDecided: {
    name: 'sallyport.approvals.decided',
    kind: 'counter',
    attributes: ['verdict', 'how'],
    meaning: 'Words of people on approvals that count, by verdict and how they were given.',
  },
  schemaRejections: {
    name: 'sallyport.schema.rejections',
    kind: 'counter',
    attributes: ['server'],
    meaning: 'Calls whose arguments did not match the schema, by server.',
  },
  policyReloads: {
    name: 'sallyport.policy.reloads',
    kind: 'counter',
    attributes: ['result'],
    meaning: 'Changes of policy files, by what became of them.',
  },
  policyRefused: {
    name: 'sallyport.policy.refused',
    kind: 'gauge',
    attributes: [],
    meaning: '1 while the policies in force are older than their files, because these cannot be used.',
  },
  auditBacklog: {
    name: 'sallyport.audit.backlog',
    kind: 'gauge',
    attributes: [],
    meaning: 'Audit records that are not yet in the file.',
  },
  auditFailures: {
    name: 'sallyport.audit.write_failures',
    kind: 'counter',
    attributes: [],
    meaning: 'Attempts to write or sync the audit file that failed.',
  },
  auditFailing: {
    name: 'sallyport.audit.failing',
    kind: 'gauge',
    attributes: [],
    meaning: '1 while the audit file refuses records.',
  },
  auditBodies: {
    name: 'sallyport.audit.bodies',
    kind: 'counter',
    attributes: ['state'],
    meaning: 'Calls whose bodies were to be kept, by what became of them: stored, withheld or lost.',
  },
  sinkLagRecords: {
    name: 'sallyport.audit.sink.lag_records',
    kind: 'gauge',
    attributes: ['sink'],
    meaning: 'Audit records that a sink does not have yet.',
  },
  sinkLag: {
    name: 'sallyport.audit.sink.lag',
    kind: 'gauge',
    unit: 's',
    attributes: ['sink'],
    meaning: 'How old the oldest audit record is that a sink does not have yet.',
  },
  sinkFailures: {
    name: 'sallyport.audit.sink.failures',
    kind: 'counter',
    attributes: ['sink'],
    meaning: 'Attempts to deliver audit records to a sink that failed.',
  },
  sinkRejected: {
    name: 'sallyport.audit.sink.rejected',
    kind: 'counter',
    attributes: ['sink'],
    meaning: 'Audit records that a sink refused for good: they are set aside in a file.',
  },
  sinkMissed: {
    name: 'sallyport.audit.sink.missed',
    kind: 'counter',
    attributes: ['sink'],
    meaning: 'Audit records that were gone or damaged before a sink could have them.',
  },
  responseSize: {
    name: 'sallyport.response.size',
    kind: 'counter',
    unit: 'By',
    attributes: ['server', 'tool'],
    meaning: 'Bytes of results that tools returned.',
  },
  responseTokens: {
    name: 'sallyport.response.tokens',
    kind: 'counter',
    attributes: ['server', 'tool'],
    meaning: 'Tokens of results that tools returned, estimated: 4.5 bytes each.',
  },
  minutesSaved: {
    name: 'sallyport.minutes_saved',
    kind: 'counter',
    attributes: ['server', 'tool'],
    meaning: "Minutes that successful calls saved people, as the tools' owners state.",
  },
  catalogVersion: {
    name: 'sallyport.catalog.version',
    kind: 'gauge',
    attributes: [],
    meaning: 'The version of the catalog in force as a number: replicas that offer the same show the same one.',
  },
  catalogSwaps: {
    name: 'sallyport.catalog.changes',
    kind: 'counter',
    attributes: [],
    meaning: 'How often what can be called has changed since the start.',
  },
  catalogProblems: {
    name: 'sallyport.catalog.problems',
    kind: 'gauge',
    attributes: ['code'],
    meaning: 'What the operator should mend, as `sallyport status` shows it.',
  },
  definitionDrift: {
    name: 'sallyport.definition.drift',
    kind: 'gauge',
    attributes: ['server'],
    meaning: 'Tools whose definition is not the one that was first seen since the start.',
  },
  telemetryExports: {
    name: 'sallyport.telemetry.exports',
    kind: 'counter',
    attributes: ['signal', 'result'],
    meaning: 'Batches sent to the OTLP collector, by what became of them. What a failed batch held is lost.',
  },
  credentialExpiry: {
    name: 'sallyport.credential.expiry',
    kind: 'gauge',
    unit: 's',
    attributes: ['credential', 'kind'],
    meaning: 'Until a credential, certificate or key ends; below zero when it has ended.',
  },
  grantExpiry: {
    name: 'sallyport.grant.expiry',
    kind: 'gauge',
    unit: 's',
    attributes: ['server', 'status'],
    meaning:
      "Until the first of people's tokens for a server ends, by whether they are good or their people have to log in; below zero " +
      'when it has ended, as one does that nobody uses.',
  },
  grants: {
    name: 'sallyport.grants',
    kind: 'gauge',
    attributes: ['server', 'status'],
    meaning:
      "People's tokens for a server, by whether they are good or their people have to log in. Every replica tells of all: take " +
      'the greatest, not the sum.',
  },
  dependencyUp: {
    name: 'sallyport.dependency.up',
    kind: 'gauge',
    attributes: ['dependency', 'kind'],
    meaning: 'Does what the gateway depends on answer? 1 yes, 0 no.',
  },
  capacity: {
    name: 'sallyport.capacity',
    kind: 'gauge',
    attributes: ['resource'],
    meaning: 'How much there may be at once, by what it is of.',
  },
  upstreamCapacity: {
    name: 'sallyport.upstream.capacity',
    kind: 'gauge',
    attributes: ['server'],
    meaning: 'Calls that a server may have at a time.',
  },
  upstreamStateSince: {
    name: 'sallyport.upstream.state_since',
    kind: 'gauge',
    unit: 's',
    attributes: ['server'],
    meaning: 'When a server came into its present state, since the epoch.',
  },
  ...PROCESS_METRICS,
} as const satisfies Record<string, MetricDefinition>;

const UNIT_NAMES = { s: 'seconds', By: 'bytes' } as const;

/** The name on the Prometheus endpoint, without the `_bucket`, `_sum` and `_count` of a histogram. */
export function prometheusName({ name, unit, kind }: MetricDefinition): string {
  const withUnit = unit === undefined ? name : `${name}.${UNIT_NAMES[unit]}`;
  return `${withUnit.replaceAll(/[^a-zA-Z0-9]/g, '_')}${kind === 'counter' ? '_total' : ''}`;
}

/** Attribute names without the mark of those that only some series have. */
export const attributeNames = ({ attributes }: MetricDefinition): readonly string[] =>
  attributes.map((name) => name.replace(/\?$/, ''));
