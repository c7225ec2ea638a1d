/** The servers behind the gateway: state, breaker, failures, times, room, processes. */

import { GOOD_TO_BAD, HERE, JOB, SERVER, type Dashboard } from './model.ts';

const OF_SERVER = `${HERE},server=~"$server"`;

/** The worst last. */
const RANKED = ['healthy', 'stopped', 'starting', 'degraded', 'unhealthy', 'needs-login', 'disabled'];
const COLOURS = ['green', 'super-light-green', 'blue', 'orange', 'red', 'purple', 'dark-red'];
const WORDS: Record<number, [string, string]> = Object.fromEntries(
  RANKED.map((state, rank) => [rank, [state, COLOURS[rank] ?? 'red']]),
);
const STATES = RANKED.map((state, rank) => `${rank} * (sallyport_upstream_state{${OF_SERVER},state="${state}"} == 1)`)
  .toReversed()
  .join(' or ');

const CALLS = `mcp_client_operation_duration_seconds`;

export const upstream: Dashboard = {
  name: 'upstream',
  title: 'Upstream',
  description: 'The servers behind the gateway: their state, how they answer, how much room they have.',
  variables: ['server'],
  rows: [
    {
      title: 'State',
      panels: [
        {
          title: 'State of the servers',
          description: 'As the replicas see them; the worst counts. Stopped is well: nobody needs its process.',
          kind: 'states',
          unit: 'none',
          width: 12,
          queries: [
            {
              expr: `max by (server) (${STATES})`,
              legend: '{{server}}',
            },
          ],
          words: WORDS,
          alerts: [
            'SallyportServerUnhealthy',
            'SallyportServerDegraded',
            'SallyportServerNeedsLogin',
            'SallyportServerDisabled',
          ],
        },
        {
          title: 'Circuit breakers',
          description: 'Open: calls are refused at once. Half open: one call goes through to see.',
          kind: 'states',
          unit: 'none',
          width: 12,
          queries: [
            {
              expr: `max by (server) (2 * (sallyport_upstream_breaker_state{${OF_SERVER},state="open"} == 1) or 1 * (sallyport_upstream_breaker_state{${OF_SERVER},state="half-open"} == 1) or 0 * (sallyport_upstream_breaker_state{${OF_SERVER},state="closed"} == 1))`,
              legend: '{{server}}',
            },
          ],
          words: { 0: ['closed', 'green'], 1: ['half open', 'yellow'], 2: ['open', 'red'] },
          alerts: ['SallyportBreakerOpen'],
        },
        {
          title: 'Since when',
          description: 'How long each server has been in its present state.',
          kind: 'table',
          unit: 's',
          width: 24,
          height: 6,
          queries: [
            {
              expr: `(time() - sallyport_upstream_state_since_seconds{${OF_SERVER}}) * on (job, instance, server) group_left (state) (sallyport_upstream_state == 1)`,
            },
          ],
          columns: { server: 'server', state: 'state', instance: 'gateway', Value: 'for' },
        },
      ],
    },
    {
      title: 'How they answer',
      panels: [
        {
          title: 'Calls per second',
          description: 'Everything that leaves for a server.',
          kind: 'graph',
          unit: 'reqps',
          width: 8,
          queries: [
            {
              expr: `sum by (sallyport_server) (sallyport:server_calls:rate5m{${JOB},${SERVER}})`,
              legend: '{{sallyport_server}}',
            },
          ],
        },
        {
          title: 'Not served',
          description:
            'The share of calls that a server did not answer, or not with MCP. What tools say of themselves is not in it.',
          kind: 'graph',
          unit: 'percentunit',
          width: 8,
          queries: [
            {
              expr: `max by (sallyport_server) (sallyport:server_failures:ratio5m{${JOB},${SERVER}})`,
              legend: '{{sallyport_server}}',
            },
          ],
          thresholds: GOOD_TO_BAD(0.05, 0.1),
          alerts: ['SallyportServerErrors'],
        },
        {
          title: 'How long, p95',
          description:
            'Nineteen of twenty calls are answered within this time, attempts and waits between them included.',
          kind: 'graph',
          unit: 's',
          width: 8,
          queries: [
            {
              expr: `histogram_quantile(0.95, sum by (sallyport_server, le) (rate(${CALLS}_bucket{${HERE},${SERVER}}[$__rate_interval])))`,
              legend: '{{sallyport_server}}',
            },
          ],
        },
        {
          title: 'Errors by kind',
          description:
            'tool_error is what a tool says of itself; numbers are JSON-RPC codes of the server; words are what the gateway found.',
          kind: 'graph',
          unit: 'reqps',
          width: 12,
          stacked: true,
          queries: [
            {
              expr: `sum by (sallyport_server, error_type) (rate(${CALLS}_count{${HERE},${SERVER},error_type!=""}[$__rate_interval]))`,
              legend: '{{sallyport_server}} {{error_type}}',
            },
          ],
        },
        {
          title: 'Made again',
          description:
            'Attempts after the first, by the failure before. They hide trouble of a server from callers, and double its load.',
          kind: 'graph',
          unit: 'reqps',
          width: 12,
          stacked: true,
          queries: [
            {
              expr: `sum by (server, because) (rate(sallyport_upstream_retries_total{${OF_SERVER}}[$__rate_interval]))`,
              legend: '{{server}} {{because}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Room',
      panels: [
        {
          title: 'Calls in flight',
          description: 'Of the calls that a server may have at a time (maxInFlight).',
          kind: 'graph',
          unit: 'percentunit',
          width: 12,
          max: 1,
          queries: [
            {
              expr: `sallyport_upstream_calls_active{${OF_SERVER}} / sallyport_upstream_capacity`,
              legend: '{{server}} {{instance}}',
            },
          ],
          thresholds: GOOD_TO_BAD(0.8, 0.95),
          alerts: ['SallyportServerNearLimit'],
        },
        {
          title: 'Sessions and processes',
          description:
            'By what they do, and calls that wait for one. Waiting for long: raise pool.max, or the server is slow.',
          kind: 'graph',
          unit: 'short',
          width: 12,
          stacked: true,
          queries: [
            {
              expr: `sum by (server, state) (sallyport_upstream_connections{${OF_SERVER}})`,
              legend: '{{server}} {{state}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Processes of stdio servers',
      panels: [
        {
          title: 'CPU',
          description: 'Cores in use by the processes of a server.',
          kind: 'graph',
          unit: 'short',
          width: 8,
          queries: [
            {
              expr: `sum by (server) (rate(sallyport_upstream_process_cpu_seconds_total{${OF_SERVER}}[$__rate_interval]))`,
              legend: '{{server}}',
            },
          ],
        },
        {
          title: 'Memory',
          description: 'Resident memory of the processes of a server.',
          kind: 'graph',
          unit: 'bytes',
          width: 8,
          queries: [
            {
              expr: `sum by (server) (sallyport_upstream_process_resident_memory_bytes{${OF_SERVER}})`,
              legend: '{{server}}',
            },
          ],
        },
        {
          title: 'Starts, p95',
          description: 'How long a start takes. cold: a call waited for it; warm: a spare was made ahead.',
          kind: 'graph',
          unit: 's',
          width: 8,
          queries: [
            {
              expr: `histogram_quantile(0.95, sum by (server, kind, le) (rate(sallyport_upstream_process_start_duration_seconds_bucket{${OF_SERVER}}[1h])))`,
              legend: '{{server}} {{kind}}',
            },
          ],
        },
      ],
    },
  ],
};
