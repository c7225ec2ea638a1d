/** One tool, or all of them: how often, how long, how often it fails, how much it says, and what is usual. */

import { GOOD_TO_BAD, HERE, JOB, quantiles, SERVER, TOOL, type Dashboard } from './model.ts';

const CALLS = 'mcp_client_operation_duration_seconds';
const OF_TOOL = `${JOB},${SERVER},${TOOL}`;
const BY = 'sallyport_server, gen_ai_tool_name';
const NAME = '{{sallyport_server}}/{{gen_ai_tool_name}}';

export const tool: Dashboard = {
  name: 'tool',
  title: 'Tool',
  description: 'Tools: how often they are called, how long they take, how often they fail, and what is usual for them.',
  variables: ['server', 'tool'],
  rows: [
    {
      title: 'All that are chosen',
      panels: [
        {
          title: 'Tools',
          description:
            'By how often they are called. Sort by a column to find the slow, the failing, and those that tell most.',
          kind: 'table',
          unit: 'short',
          width: 24,
          height: 10,
          queries: [
            {
              expr: `sum by (${BY}) (rate(${CALLS}_count{${HERE},${SERVER},${TOOL},mcp_method_name="tools/call"}[$__range]))`,
            },
            { expr: `max by (${BY}) (sallyport:tool_duration_seconds:p95_10m{${OF_TOOL}})` },
            { expr: `max by (${BY}) (sallyport:tool_duration_seconds:p95_usual{${OF_TOOL}})` },
            { expr: `max by (${BY}) (sallyport:tool_errors:ratio10m{${OF_TOOL}})` },
            { expr: `max by (${BY}) (sallyport:tool_errors:ratio_usual{${OF_TOOL}})` },
          ],
          columns: {
            sallyport_server: 'server',
            gen_ai_tool_name: 'tool',
            'Value #A': 'calls per second',
            'Value #B': 'p95 now (s)',
            'Value #C': 'p95 usual (s)',
            'Value #D': 'fails now',
            'Value #E': 'fails usually',
          },
          alerts: ['SallyportToolSlowerThanUsual', 'SallyportToolFailsMoreThanUsual'],
        },
        {
          title: 'Calls per second',
          description: 'The fifteen that are called most.',
          kind: 'graph',
          unit: 'reqps',
          width: 12,
          stacked: true,
          queries: [{ expr: `topk(15, sum by (${BY}) (sallyport:tool_calls:rate5m{${OF_TOOL}}))`, legend: NAME }],
        },
        {
          title: 'The share that fails',
          description: 'The fifteen that fail most. Calls that were given up by their caller do not count.',
          kind: 'graph',
          unit: 'percentunit',
          width: 12,
          queries: [{ expr: `topk(15, max by (${BY}) (sallyport:tool_errors:ratio5m{${OF_TOOL}}))`, legend: NAME }],
          thresholds: GOOD_TO_BAD(0.1, 0.25),
          alerts: ['SallyportToolErrors'],
        },
      ],
    },
    {
      title: 'How long',
      panels: [
        {
          title: 'How long, all together',
          description: 'From the call leaving for the server until its answer was complete.',
          kind: 'graph',
          unit: 's',
          width: 12,
          queries: quantiles(CALLS, `${HERE},${SERVER},${TOOL},mcp_method_name="tools/call"`),
          alerts: ['SallyportToolLatencyP95', 'SallyportToolLatencyP99'],
        },
        {
          title: 'Against what is usual',
          description:
            'p95 of the last ten minutes, divided by that of its own last day or week. Above 3 an alert is near.',
          kind: 'graph',
          unit: 'short',
          width: 12,
          queries: [
            {
              expr: `topk(15, max by (${BY}) (sallyport:tool_duration_seconds:p95_10m{${OF_TOOL}} / sallyport:tool_duration_seconds:p95_usual{${OF_TOOL}}))`,
              legend: NAME,
            },
          ],
          thresholds: GOOD_TO_BAD(2, 3),
          alerts: ['SallyportToolSlowerThanUsual'],
        },
      ],
    },
    {
      title: 'What comes back',
      panels: [
        {
          title: 'Errors by kind',
          description:
            'tool_error is what a tool says of itself; numbers are JSON-RPC codes of its server; words are what the gateway found.',
          kind: 'graph',
          unit: 'reqps',
          width: 8,
          stacked: true,
          queries: [
            {
              expr: `sum by (gen_ai_tool_name, error_type) (rate(${CALLS}_count{${HERE},${SERVER},${TOOL},mcp_method_name="tools/call",error_type!=""}[$__rate_interval]))`,
              legend: '{{gen_ai_tool_name}} {{error_type}}',
            },
          ],
        },
        {
          title: 'Bytes per second',
          description: 'What tools return: the fifteen that return most.',
          kind: 'graph',
          unit: 'Bps',
          width: 8,
          queries: [
            {
              expr: `topk(15, sum by (server, tool) (rate(sallyport_response_size_bytes_total{${HERE},server=~"$server",tool=~"$tool"}[$__rate_interval])))`,
              legend: '{{server}}/{{tool}}',
            },
          ],
        },
        {
          title: 'Tokens per minute',
          description: 'Estimated: what agents have to read. A tool that tells too much costs more than its calls.',
          kind: 'graph',
          unit: 'short',
          width: 8,
          queries: [
            {
              expr: `topk(15, 60 * sum by (server, tool) (rate(sallyport_response_tokens_total{${HERE},server=~"$server",tool=~"$tool"}[$__rate_interval])))`,
              legend: '{{server}}/{{tool}}',
            },
          ],
        },
      ],
    },
  ],
};
