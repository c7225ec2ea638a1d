/** At a glance: is it well, how much is going on, who waits. The first page to open. */

import { GOOD_TO_BAD, HERE, JOB, quantiles, type Dashboard } from './model.ts';

const CALLS = `mcp_server_operation_duration_seconds_count{${HERE}}`;
/** What is not the caller's own doing. */
const OURS =
  'error_type=~"server-unavailable|upstream-.*|result-too-large|internal|overloaded|record-unavailable|identity-unavailable|approvals-unavailable"';

export const overview: Dashboard = {
  name: 'overview',
  title: 'Overview',
  description: 'Is the gateway well, how much is going on, and who waits.',
  variables: [],
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Gateways',
          description: 'Replicas that tell their metrics.',
          kind: 'number',
          unit: 'none',
          width: 3,
          queries: [{ expr: `count(sallyport_build_info{${HERE}})` }],
          thresholds: [
            [null, 'red'],
            [1, 'green'],
          ],
          alerts: ['SallyportDown', 'SallyportAbsent'],
        },
        {
          title: 'Requests per second',
          description: 'Of clients, of every method.',
          kind: 'number',
          unit: 'reqps',
          width: 3,
          queries: [{ expr: `sum(rate(${CALLS}[$__rate_interval]))` }],
        },
        {
          title: 'Not served',
          description: 'The share of requests that failed by no fault of the caller: ours, or that of a server.',
          kind: 'number',
          unit: 'percentunit',
          width: 3,
          queries: [
            {
              expr: `sum(rate(mcp_server_operation_duration_seconds_count{${HERE},${OURS}}[$__rate_interval])) / sum(rate(${CALLS}[$__rate_interval]))`,
            },
          ],
          thresholds: GOOD_TO_BAD(0.01, 0.05),
          alerts: ['SallyportServerErrors', 'SallyportInternalErrors'],
        },
        {
          title: 'Tool calls, p95',
          description: 'Nineteen of twenty tool calls are answered within this time.',
          kind: 'number',
          unit: 's',
          width: 3,
          queries: [
            {
              expr: `histogram_quantile(0.95, sum by (le) (rate(mcp_server_operation_duration_seconds_bucket{${HERE},mcp_method_name="tools/call"}[$__rate_interval])))`,
            },
          ],
          thresholds: GOOD_TO_BAD(5, 10),
          alerts: ['SallyportToolLatencyP95'],
        },
        {
          title: 'Servers not healthy',
          description:
            'Servers that are degraded, unhealthy, in need of a login or disabled, as any replica sees them.',
          kind: 'number',
          unit: 'none',
          width: 3,
          queries: [
            {
              expr: `count(max by (server) (sallyport_upstream_state{${HERE},state=~"degraded|unhealthy|needs-login|disabled"} == 1)) or vector(0)`,
            },
          ],
          thresholds: GOOD_TO_BAD(1, 1),
          alerts: ['SallyportServerUnhealthy', 'SallyportServerDegraded', 'SallyportServerDisabled'],
        },
        {
          title: 'Dependencies away',
          description: 'Database, identity issuers, record, sinks and collectors that do not answer.',
          kind: 'number',
          unit: 'none',
          width: 3,
          queries: [{ expr: `count(sallyport_dependency_up{${HERE}} == 0) or vector(0)` }],
          thresholds: GOOD_TO_BAD(1, 1),
          alerts: ['SallyportDependencyDown'],
        },
        {
          title: 'First credential ends in',
          description: 'The time that is left for the credential, certificate or key that ends first.',
          kind: 'number',
          unit: 's',
          width: 3,
          queries: [{ expr: `min(sallyport_credential_expiry_seconds{${HERE}})` }],
          thresholds: [
            [null, 'red'],
            [86_400, 'yellow'],
            [604_800, 'green'],
          ],
          alerts: ['SallyportCredentialExpired', 'SallyportCredentialExpiresIn1Day'],
        },
        {
          title: 'Approvals that wait',
          description: 'Calls that a person has to approve.',
          kind: 'number',
          unit: 'none',
          width: 3,
          queries: [{ expr: `sum(sallyport_approvals_pending{${HERE}}) or vector(0)` }],
          thresholds: GOOD_TO_BAD(1, 20),
          alerts: ['SallyportApprovalsWait'],
        },
        {
          title: 'Alerts that fire',
          description: 'Each has its page: what it means, where to look first, what to do.',
          kind: 'table',
          unit: 'none',
          width: 24,
          height: 6,
          queries: [{ expr: 'ALERTS{alertname=~"Sallyport.*",alertstate="firing"}' }],
          columns: {
            alertname: 'alert',
            severity: 'severity',
            instance: 'gateway',
            server: 'server',
            sallyport_server: 'server of the tool',
            gen_ai_tool_name: 'tool',
            credential: 'credential',
            dependency: 'dependency',
          },
        },
      ],
    },
    {
      title: 'Traffic',
      panels: [
        {
          title: 'Requests by method',
          description: 'What clients ask for. Many lists and few calls: clients that connect again and again.',
          kind: 'graph',
          unit: 'reqps',
          width: 8,
          stacked: true,
          queries: [
            { expr: `sum by (mcp_method_name) (rate(${CALLS}[$__rate_interval]))`, legend: '{{mcp_method_name}}' },
          ],
        },
        {
          title: 'Requests that failed, by code',
          description:
            'Failure codes of the gateway. forbidden and unknown-… are policy; server-unavailable and upstream-… are servers.',
          kind: 'graph',
          unit: 'reqps',
          width: 8,
          stacked: true,
          queries: [
            {
              expr: `sum by (code) (rate(sallyport_refusals_total{${HERE}}[$__rate_interval])) > 0`,
              legend: '{{code}}',
            },
          ],
          alerts: ['SallyportRefusals', 'SallyportAuthenticationFailures'],
        },
        {
          title: 'Tool calls, how long',
          description: 'From the request reaching the gateway until its answer left.',
          kind: 'graph',
          unit: 's',
          width: 8,
          queries: quantiles('mcp_server_operation_duration_seconds', `${HERE},mcp_method_name="tools/call"`),
        },
        {
          title: 'Calls by server',
          description: 'What leaves for each server, lists on our own account included.',
          kind: 'graph',
          unit: 'reqps',
          width: 12,
          stacked: true,
          queries: [
            {
              expr: `sum by (sallyport_server) (sallyport:server_calls:rate5m{${JOB}})`,
              legend: '{{sallyport_server}}',
            },
          ],
        },
        {
          title: 'Open now',
          description: 'Connections, event streams, legacy sessions, and requests at work.',
          kind: 'graph',
          unit: 'short',
          width: 12,
          queries: [
            { expr: `sum(sallyport_connections_active{${HERE}})`, legend: 'connections' },
            { expr: `sum(sallyport_streams_active{${HERE}})`, legend: 'streams' },
            { expr: `sum(sallyport_sessions_active{${HERE}})`, legend: 'sessions' },
            { expr: `sum(sallyport_calls_active{${HERE}})`, legend: 'requests at work' },
          ],
          alerts: ['SallyportNearRequestLimit', 'SallyportNearStreamLimit'],
        },
      ],
    },
    {
      title: 'The processes',
      panels: [
        {
          title: 'CPU',
          description: 'Cores in use. A gateway is one process: near 1 it is at its end, add a replica.',
          kind: 'graph',
          unit: 'short',
          width: 6,
          queries: [
            { expr: `rate(sallyport_process_cpu_seconds_total{${HERE}}[$__rate_interval])`, legend: '{{instance}}' },
          ],
          thresholds: GOOD_TO_BAD(0.7, 0.9),
        },
        {
          title: 'Memory',
          description: 'Resident memory of the gateway itself; stdio servers are apart.',
          kind: 'graph',
          unit: 'bytes',
          width: 6,
          queries: [{ expr: `sallyport_process_resident_memory_bytes{${HERE}}`, legend: '{{instance}}' }],
          alerts: ['SallyportMemoryGrows'],
        },
        {
          title: 'Event loop held up',
          description: 'What everything waits, one time in a hundred. Above 0.1 s something blocks.',
          kind: 'graph',
          unit: 's',
          width: 6,
          queries: [{ expr: `sallyport_event_loop_delay_seconds{${HERE},quantile="0.99"}`, legend: '{{instance}}' }],
          thresholds: GOOD_TO_BAD(0.05, 0.1),
          alerts: ['SallyportEventLoopDelay'],
        },
        {
          title: 'Up since',
          description: 'How long each replica has been running, and what runs there.',
          kind: 'table',
          unit: 's',
          width: 6,
          queries: [
            {
              expr: `(time() - sallyport_process_start_time_seconds{${HERE}}) * on (job, instance) group_left (version, node) sallyport_build_info`,
            },
          ],
          columns: { instance: 'gateway', version: 'version', node: 'node', Value: 'up' },
          alerts: ['SallyportRestarting'],
        },
      ],
    },
  ],
};
