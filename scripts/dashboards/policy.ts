/** What is allowed and refused: decisions, trials, limits, arguments, approvals, and the policies themselves. */

import { GOOD_TO_BAD, HERE, JOB, type Dashboard } from './model.ts';

export const policy: Dashboard = {
  name: 'policy',
  title: 'Policy',
  description: 'What is allowed and what is refused, by policy, by limits, by people.',
  variables: [],
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Policies',
          description:
            'Do the files say what decides? Refused: they cannot be used, and the set from before them is in force.',
          kind: 'number',
          unit: 'none',
          width: 6,
          queries: [{ expr: `max(sallyport_policy_refused{${HERE}})` }],
          words: { 0: ['in force', 'green'], 1: ['refused', 'red'] },
          thresholds: GOOD_TO_BAD(1, 1),
          alerts: ['SallyportPoliciesRefused'],
        },
        {
          title: 'Denied',
          description: 'The share of decisions that denied. Lists are not in it.',
          kind: 'number',
          unit: 'percentunit',
          width: 6,
          queries: [
            {
              expr: `sum(rate(sallyport_authorization_decisions_total{${HERE},effect="deny"}[$__rate_interval])) / sum(rate(sallyport_authorization_decisions_total{${HERE}}[$__rate_interval]))`,
            },
          ],
          thresholds: [[null, 'text']],
        },
        {
          title: 'Approvals that wait',
          description: 'Calls that a person has to approve.',
          kind: 'number',
          unit: 'none',
          width: 6,
          queries: [{ expr: `sum(sallyport_approvals_pending{${HERE}}) or vector(0)` }],
          thresholds: GOOD_TO_BAD(1, 20),
          alerts: ['SallyportApprovalsWait'],
        },
        {
          title: 'Definitions that changed',
          description: 'Tools that are not what they were when they were first seen.',
          kind: 'number',
          unit: 'none',
          width: 6,
          queries: [{ expr: `sum(max by (server) (sallyport_definition_drift{${HERE}})) or vector(0)` }],
          thresholds: GOOD_TO_BAD(1, 1),
          alerts: ['SallyportDefinitionDrift'],
        },
      ],
    },
    {
      title: 'Decisions',
      panels: [
        {
          title: 'Decisions',
          description: 'Per second, by their effect.',
          kind: 'graph',
          unit: 'reqps',
          width: 8,
          stacked: true,
          queries: [
            {
              expr: `sum by (effect) (rate(sallyport_authorization_decisions_total{${HERE}}[$__rate_interval]))`,
              legend: '{{effect}}',
            },
          ],
        },
        {
          title: 'What policies on trial would have changed',
          description:
            'Of policies in observe mode, by the effect that the decision would have had. Zero for days: it can be enforced.',
          kind: 'graph',
          unit: 'reqps',
          width: 8,
          queries: [
            {
              expr: `sum by (effect) (rate(sallyport_authorization_observed_total{${HERE}}[$__rate_interval]))`,
              legend: 'would {{effect}}',
            },
          ],
        },
        {
          title: 'Refused, against what is usual',
          description: 'By policy, scope and limits; the second line is the average of the last day.',
          kind: 'graph',
          unit: 'reqps',
          width: 8,
          queries: [
            { expr: `sum(sallyport:refusals:rate10m{${JOB}})`, legend: 'refused' },
            { expr: `sum(sallyport:refusals:rate_usual{${JOB}})`, legend: 'usual' },
          ],
          alerts: ['SallyportRefusals'],
        },
      ],
    },
    {
      title: 'Limits and arguments',
      panels: [
        {
          title: 'Over a limit',
          description: 'Requests that were refused by a limit, by the limit as it stands in the configuration.',
          kind: 'graph',
          unit: 'reqps',
          width: 12,
          stacked: true,
          queries: [
            {
              expr: `sum by (limit) (rate(sallyport_quota_refusals_total{${HERE}}[$__rate_interval]))`,
              legend: '{{limit}}',
            },
          ],
        },
        {
          title: 'Arguments that do not match',
          description:
            "Calls refused because of their arguments, by server. Many: agents misread the tool's description.",
          kind: 'graph',
          unit: 'reqps',
          width: 12,
          stacked: true,
          queries: [
            {
              expr: `sum by (server) (rate(sallyport_schema_rejections_total{${HERE}}[$__rate_interval]))`,
              legend: '{{server}}',
            },
          ],
        },
      ],
    },
    {
      title: 'People and files',
      panels: [
        {
          title: 'Words on approvals',
          description: 'Per hour, by verdict and by how they were given.',
          kind: 'graph',
          unit: 'short',
          width: 12,
          queries: [
            {
              expr: `3600 * sum by (verdict, how) (rate(sallyport_approvals_decided_total{${HERE}}[1h]))`,
              legend: '{{verdict}} ({{how}})',
            },
          ],
        },
        {
          title: 'Changes of policy files',
          description: 'By what became of them.',
          kind: 'graph',
          unit: 'short',
          width: 12,
          queries: [
            {
              expr: `sum by (result) (increase(sallyport_policy_reloads_total{${HERE}}[$__rate_interval]))`,
              legend: '{{result}}',
            },
          ],
          alerts: ['SallyportPoliciesRefused'],
        },
      ],
    },
  ],
};
