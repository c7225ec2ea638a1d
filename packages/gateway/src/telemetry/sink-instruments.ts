/** How the sinks of the record are doing. Their names come from the configuration: bounded by nature. */

import type { Meter } from '@opentelemetry/api';

import { counted } from './counted.ts';
import type { Instruments, SinkLag } from './instruments.ts';
import { METRICS, type MetricDefinition } from './metric-names.ts';

type SinkInstruments = Pick<Instruments, 'auditSink' | 'auditSinkFailed' | 'auditSinkRejected' | 'auditSinkMissed'>;

export function sinkInstruments(meter: Meter): SinkInstruments {
  const lags = new Map<string, () => SinkLag>();
  const watch = ({ name, meaning: description, unit }: MetricDefinition, read: (lag: SinkLag) => number): void => {
    const options = unit === undefined ? { description } : { description, unit };
    meter.createObservableGauge(name, options).addCallback((result) => {
      for (const [sink, lag] of lags) result.observe(read(lag()), { sink });
    });
  };
  watch(METRICS.sinkLagRecords, ({ lagRecords }) => lagRecords);
  watch(METRICS.sinkLag, ({ lagSeconds }) => lagSeconds);
  const failures = counted(meter, METRICS.sinkFailures);
  const rejected = counted(meter, METRICS.sinkRejected);
  const missed = counted(meter, METRICS.sinkMissed);
  return {
    auditSink(sink, lag) {
      lags.set(sink, lag);
      // They exist, at zero, before anything happens: an alert on a counter that is absent never fires.
      for (const counter of [failures, rejected, missed]) counter([sink], 0);
    },
    auditSinkFailed: (sink) => failures([sink]),
    auditSinkRejected: (sink, records) => rejected([sink], records),
    auditSinkMissed: (sink, records) => missed([sink], records),
  };
}
