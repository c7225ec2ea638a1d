/** The record: is it written, how much waits, and are the sinks where it is. */

import { GOOD_TO_BAD, HERE, type Dashboard } from './model.ts';

export const audit: Dashboard = {
  name: 'audit',
  title: 'Audit',
  description: 'Is the record written, how much waits for the disk, and how far behind are the sinks.',
  variables: [],
  rows: [
    {
      title: 'The file',
      panels: [
        {
          title: 'Record',
          description: 'Failing: calls that change something are refused until it can be written again.',
          kind: 'number',
          unit: 'none',
          width: 6,
          queries: [{ expr: `max(sallyport_audit_failing{${HERE}})` }],
          words: { 0: ['written', 'green'], 1: ['failing', 'red'] },
          thresholds: GOOD_TO_BAD(1, 1),
          alerts: ['SallyportAuditFailing'],
        },
        {
          title: 'Writes that failed',
          description: 'Within the time that is chosen. Anything above zero needs a look at the disk.',
          kind: 'number',
          unit: 'short',
          width: 6,
          queries: [{ expr: `sum(increase(sallyport_audit_write_failures_total{${HERE}}[$__range]))` }],
          thresholds: GOOD_TO_BAD(1, 1),
          alerts: ['SallyportAuditWriteFailures'],
        },
        {
          title: 'Records that wait',
          description: 'In memory, not yet in the file.',
          kind: 'number',
          unit: 'short',
          width: 6,
          queries: [{ expr: `sum(sallyport_audit_backlog{${HERE}})` }],
          thresholds: GOOD_TO_BAD(1000, 2000),
          alerts: ['SallyportAuditBacklog'],
        },
        {
          title: 'Calls refused for want of a record',
          description: 'Within the time that is chosen: nothing happened that is not recorded.',
          kind: 'number',
          unit: 'short',
          width: 6,
          queries: [
            {
              expr: `sum(increase(sallyport_refusals_total{${HERE},code="record-unavailable"}[$__range])) or vector(0)`,
            },
          ],
          thresholds: GOOD_TO_BAD(1, 1),
          alerts: ['SallyportAuditFailing'],
        },
        {
          title: 'Records that wait for the disk',
          description: 'A disk that keeps up has none for longer than a moment.',
          kind: 'graph',
          unit: 'short',
          width: 12,
          queries: [{ expr: `sallyport_audit_backlog{${HERE}}`, legend: '{{instance}}' }],
          thresholds: GOOD_TO_BAD(1000, 2000),
          alerts: ['SallyportAuditBacklog'],
        },
        {
          title: 'Writes that failed',
          description: 'Attempts to write or sync the file that failed, per second.',
          kind: 'graph',
          unit: 'ops',
          width: 12,
          queries: [
            { expr: `rate(sallyport_audit_write_failures_total{${HERE}}[$__rate_interval])`, legend: '{{instance}}' },
          ],
          alerts: ['SallyportAuditWriteFailures'],
        },
      ],
    },
    {
      title: 'Sinks',
      panels: [
        {
          title: 'How far behind',
          description: 'The age of the oldest record that a sink has not taken.',
          kind: 'graph',
          unit: 's',
          width: 12,
          queries: [{ expr: `sallyport_audit_sink_lag_seconds{${HERE}}`, legend: '{{sink}} {{instance}}' }],
          thresholds: GOOD_TO_BAD(300, 900),
          alerts: ['SallyportAuditSinkLag'],
        },
        {
          title: 'Records that wait',
          description: 'In the record, and not yet in the sink.',
          kind: 'graph',
          unit: 'short',
          width: 12,
          queries: [{ expr: `sallyport_audit_sink_lag_records{${HERE}}`, legend: '{{sink}} {{instance}}' }],
          alerts: ['SallyportAuditSinkLag'],
        },
        {
          title: 'Attempts that failed',
          description: 'Per minute. The sink goes on from where it was.',
          kind: 'graph',
          unit: 'short',
          width: 12,
          queries: [
            {
              expr: `60 * rate(sallyport_audit_sink_failures_total{${HERE}}[$__rate_interval])`,
              legend: '{{sink}} {{instance}}',
            },
          ],
          alerts: ['SallyportAuditSinkFailures'],
        },
        {
          title: 'Records refused for good',
          description: 'They are in the record, and will not be in the sink.',
          kind: 'graph',
          unit: 'short',
          width: 12,
          queries: [
            {
              expr: `increase(sallyport_audit_sink_rejected_total{${HERE}}[$__rate_interval])`,
              legend: '{{sink}} {{instance}}',
            },
          ],
          alerts: ['SallyportAuditSinkRejected'],
        },
      ],
    },
  ],
};
