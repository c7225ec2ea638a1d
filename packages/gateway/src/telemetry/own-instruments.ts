/** What no convention has a name for. Labels are codes of ours and names of the configuration: bounded by nature. */

import type { Attributes, Meter, ObservableResult } from '@opentelemetry/api';

import { FAILURES } from '../model/failure.ts';
import { counted, setting, stated } from './counted.ts';
import type { Instruments, MetricSources } from './instruments.ts';
import { METRICS, type MetricDefinition } from './metric-names.ts';
import { DURATION_BOUNDARIES } from './operation-histogram.ts';
import { measureResponses } from './response-sizes.ts';
import { sinkInstruments } from './sink-instruments.ts';

type OwnInstruments = Omit<
  Instruments,
  'serverOperation' | 'clientOperation' | 'sessionUsed' | 'sessionEnded' | 'clientSessionEnded'
>;

const EFFECTS = [['allow'], ['deny']];
const TOLD = [['tools'], ['prompts'], ['resources'], ['resource']];
const MAX_TOOLS = 2000;
/** All of them at zero: the first refusal of a kind is an increase, too. */
const CODES = Object.keys(FAILURES).map((code) => [code]);

export function ownInstruments(meter: Meter): OwnInstruments {
  const refusals = counted(meter, METRICS.refusals, CODES);
  const quota = counted(meter, METRICS.quotaRefusals);
  const approvals = counted(meter, METRICS.approvalsDecided);
  const rejections = counted(meter, METRICS.schemaRejections);
  const auditFailing = setting(meter, METRICS.auditFailing);
  const minutes = counted(meter, METRICS.minutesSaved);
  const auditFailures = counted(meter, METRICS.auditFailures, [[]]);
  const bodies = counted(meter, METRICS.auditBodies, [['withheld'], ['lost']]);
  const streams = counted(meter, METRICS.streams, [[]]);
  const told = counted(meter, METRICS.changesTold, TOLD);
  const reloads = counted(meter, METRICS.policyReloads, [['refused']]);
  const decided = counted(meter, METRICS.decisions, EFFECTS);
  const observed = counted(meter, METRICS.observed, EFFECTS);
  const retries = counted(meter, METRICS.retries);
  const logsDropped = counted(meter, METRICS.logsDropped);
  const changes = counted(meter, METRICS.catalogSwaps, [[]]);
  const exports = counted(meter, METRICS.telemetryExports);
  const policyRefused = setting(meter, METRICS.policyRefused);
  const { name, meaning: description, unit } = METRICS.processStarts;
  const starts = meter.createHistogram(name, {
    description,
    unit,
    advice: { explicitBucketBoundaries: [...DURATION_BOUNDARIES] },
  });
  return {
    decided: (effect) => decided([effect]),
    observed: (effect) => observed([effect]),
    refused: (code) => refusals([code]),
    quotaRefused: (limit) => quota([limit]),
    approvalDecided: (verdict, how) => approvals([verdict, how]),
    answered: measureResponses(meter, MAX_TOOLS),
    policiesReloaded: (result) => reloads([result]),
    policiesRefused: (refused) => policyRefused(refused ? 1 : 0),
    schemaRejected: (server) => rejections([server]),
    minutesSaved: (server, tool, saved) => minutes([server, tool], saved),
    auditBacklog: setting(meter, METRICS.auditBacklog),
    auditFailed: () => auditFailures([]),
    bodies: (state) => bodies([state]),
    auditFailing: (failing) => auditFailing(failing ? 1 : 0),
    ...sinkInstruments(meter),
    upstreamState: stated(meter, METRICS.upstreamState),
    breakerState: stated(meter, METRICS.breakerState),
    retried: (server, because) => retries([server, because]),
    logDropped: (server) => logsDropped([server]),
    processStarted: (server, kind, seconds) => starts.record(seconds, { server, kind }),
    streamOpened: () => streams([]),
    streamClosed: () => streams([], -1),
    changeTold: (of) => told([of]),
    catalogChanged: () => changes([]),
    exported: (signal, result) => exports([signal, result]),
  };
}

type Observe = (observe: (value: number, attributes?: Attributes) => void) => void | Promise<void>;

/** Gauges that ask the parts they are about. */
export function watchSources(meter: Meter, sources: MetricSources): void {
  const watch = (definition: MetricDefinition, read: Observe): void => {
    const { name, kind, meaning: description, unit } = definition;
    const options = unit === undefined ? { description } : { description, unit };
    const instrument =
      kind === 'counter' ? meter.createObservableCounter(name, options) : meter.createObservableGauge(name, options);
    instrument.addCallback((result: ObservableResult) => read((value, labels) => result.observe(value, labels)));
  };
  watch(METRICS.connections, async (observe) => observe(await sources.connections()));
  watch(METRICS.calls, (observe) => observe(sources.calls()));
  watch(METRICS.parkedCalls, (observe) => observe(sources.parkedCalls()));
  watch(METRICS.subscriptions, (observe) => {
    for (const [era, count] of Object.entries(sources.subscriptions())) observe(count, { era });
  });
  watch(METRICS.feeds, (observe) => {
    for (const [server, count] of sources.feeds()) observe(count, { server });
  });
  watch(METRICS.approvalsPending, (observe) => observe(sources.approvalsPending()));
  watch(METRICS.upstreamCalls, (observe) => {
    for (const [server, { inFlight }] of sources.upstreams()) observe(inFlight, { server });
  });
  watch(METRICS.upstreams, (observe) => {
    for (const [server, { states }] of sources.upstreams()) {
      for (const [state, count] of Object.entries(states)) observe(count, { server, state });
    }
  });
  watch(METRICS.catalogVersion, (observe) => observe(sources.catalog().version));
  watch(METRICS.catalogProblems, (observe) => {
    for (const [code, count] of Object.entries(sources.catalog().problems)) observe(count, { code });
  });
  watch(METRICS.definitionDrift, (observe) => {
    for (const [server, count] of sources.drift()) observe(count, { server });
  });
  // Two metrics of one look at the operating system.
  let looking: ReturnType<MetricSources['processes']> | undefined;
  const look = (): ReturnType<MetricSources['processes']> =>
    (looking ??= sources.processes().finally(() => {
      looking = undefined;
    }));
  watch(METRICS.processCpu, async (observe) => {
    for (const [server, { cpuSeconds }] of (await look()) ?? []) observe(cpuSeconds, { server });
  });
  watch(METRICS.processMemory, async (observe) => {
    for (const [server, { residentBytes }] of (await look()) ?? []) observe(residentBytes, { server });
  });
}
