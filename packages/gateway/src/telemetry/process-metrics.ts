/** What the process itself tells: build, memory, CPU time, start, and how long the event loop was held up. */

import { monitorEventLoopDelay } from 'node:perf_hooks';

import type { Meter } from '@opentelemetry/api';

const NANOSECONDS = 1e9;
const MICROSECONDS = 1e6;
/** Coarse on purpose: at this resolution the watch costs a timer every 20 ms and nothing else. */
const RESOLUTION_MS = 20;

/** Adds the gauges to the meter. The returned function ends the event-loop watch. */
export function observeProcess(meter: Meter, version: string): () => void {
  const gauge = (name: string, description: string, unit: string, read: () => number): void => {
    meter.createObservableGauge(name, { description, unit }).addCallback((result) => result.observe(read()));
  };
  gauge('sallyport.process.resident_memory', 'Resident memory.', 'By', () => process.memoryUsage.rss());
  gauge('sallyport.process.start_time', 'When the process started, since the epoch.', 's', () =>
    Math.round(Date.now() / 1000 - process.uptime()),
  );
  meter
    .createObservableCounter('sallyport.process.cpu', { description: 'CPU time, user and system.', unit: 's' })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe((user + system) / MICROSECONDS);
    });
  meter
    .createObservableGauge('sallyport.build_info', { description: 'Always 1; the labels say what runs.' })
    .addCallback((result) => result.observe(1, { version, node: process.versions.node }));
  return observeLoop(meter);
}

function observeLoop(meter: Meter): () => void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  meter
    .createObservableGauge('sallyport.event_loop.delay', {
      description: 'How long the event loop was held up since the last collection.',
      unit: 's',
    })
    .addCallback((result) => {
      // The histogram measures the whole interval: without the timer's own resolution it is the delay.
      const seconds = (nanoseconds: number): number =>
        Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS / 1000) || 0;
      result.observe(seconds(delay.percentile(50)), { quantile: '0.5' });
      result.observe(seconds(delay.percentile(99)), { quantile: '0.99' });
      result.observe(seconds(delay.max), { quantile: '1' });
      delay.reset();
    });
  return () => delay.disable();
}
