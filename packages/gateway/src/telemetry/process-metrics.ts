/** What the process itself tells: build, memory, CPU time, start, and how long the event loop was held up. */

import { monitorEventLoopDelay } from 'node:perf_hooks';

import type { Meter } from '@opentelemetry/api';

import { METRICS } from './metric-names.ts';

const NANOSECONDS = 1e9;
const MICROSECONDS = 1e6;
/** Coarse on purpose: at this resolution the watch costs a timer every 20 ms and nothing else. */
const RESOLUTION_MS = 20;
const WINDOW_MS = 15_000;

type ProcessFacts = { readonly version: string; readonly now: () => number };

/** Adds the gauges to the meter. The returned function ends the event-loop watch. */
export function observeProcess(meter: Meter, { version, now }: ProcessFacts): () => void {
  const gauge = (
    { name, meaning: description, unit }: typeof METRICS.residentMemory | typeof METRICS.startTime,
    read: () => number,
  ): void => {
    meter.createObservableGauge(name, { description, unit }).addCallback((result) => result.observe(read()));
  };
  gauge(METRICS.residentMemory, () => process.memoryUsage.rss());
  gauge(METRICS.startTime, () => Math.round(Date.now() / 1000 - process.uptime()));
  const { name, meaning: description, unit } = METRICS.cpu;
  meter.createObservableCounter(name, { description, unit }).addCallback((result) => {
    const { user, system } = process.cpuUsage();
    result.observe((user + system) / MICROSECONDS);
  });
  meter
    .createObservableGauge(METRICS.buildInfo.name, { description: METRICS.buildInfo.meaning })
    .addCallback((result) => result.observe(1, { version, node: process.versions.node }));
  return observeLoop(meter, now);
}

type Delays = { readonly p50: number; readonly p99: number; readonly max: number };

const NONE: Delays = { p50: 0, p99: 0, max: 0 };

/**
 * The worse of two windows: several readers collect, and one that began anew with each collection would hide a peak from the
 * others.
 */
function observeLoop(meter: Meter, now: () => number): () => void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let before = NONE;
  let sinceMs = now();
  const { name, meaning: description, unit } = METRICS.loopDelay;
  meter.createObservableGauge(name, { description, unit }).addCallback((result) => {
    const current = delaysOf(delay);
    result.observe(Math.max(before.p50, current.p50), { quantile: '0.5' });
    result.observe(Math.max(before.p99, current.p99), { quantile: '0.99' });
    result.observe(Math.max(before.max, current.max), { quantile: '1' });
    if (now() - sinceMs < WINDOW_MS) return;
    before = current;
    sinceMs = now();
    delay.reset();
  });
  return () => delay.disable();
}

/** The histogram measures the whole interval: without the timer's own resolution it is the delay. */
function delaysOf(delay: ReturnType<typeof monitorEventLoopDelay>): Delays {
  const seconds = (nanoseconds: number): number => Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS / 1000) || 0;
  return { p50: seconds(delay.percentile(50)), p99: seconds(delay.percentile(99)), max: seconds(delay.max) };
}
