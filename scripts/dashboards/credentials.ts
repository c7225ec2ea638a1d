/** Who comes in, with what, and for how long it is good; and what the gateway depends on. */

import { HERE, JOB, type Dashboard } from './model.ts';

const LEFT = `min by (credential, kind) (sallyport_credential_expiry_seconds{${HERE}})`;

export const credentials: Dashboard = {
  name: 'credentials',
  title: 'Credentials',
  description:
    'How long credentials, certificates and keys are good, who fails with theirs, and what the gateway depends on.',
  variables: [],
  rows: [
    {
      title: 'What ends',
      panels: [
        {
          title: 'Ends first',
          description:
            'Everything that the gateway holds or presents and that has an end, soonest first. Below zero: it has ended.',
          kind: 'table',
          unit: 's',
          width: 12,
          height: 10,
          queries: [{ expr: `sort(${LEFT})` }],
          columns: { kind: 'kind', credential: 'credential', Value: 'ends in' },
          thresholds: [
            [null, 'red'],
            [86_400, 'yellow'],
            [604_800, 'green'],
          ],
          alerts: [
            'SallyportCredentialExpired',
            'SallyportCredentialExpiresIn1Day',
            'SallyportCredentialExpiresIn7Days',
          ],
        },
        {
          title: 'Time that is left',
          description: 'A line that jumps up was renewed; one that only falls is forgotten.',
          kind: 'graph',
          unit: 's',
          width: 12,
          height: 10,
          queries: [{ expr: `bottomk(15, ${LEFT})`, legend: '{{kind}} {{credential}}' }],
        },
      ],
    },
    {
      title: 'People who consented',
      panels: [
        {
          title: 'People who have to log in again',
          description: 'A step is an issuer that refuses many at once; a slow rise is people who do not come back.',
          kind: 'graph',
          unit: 'none',
          width: 12,
          queries: [{ expr: `max by (server) (sallyport_grants{${HERE},status="needs-login"})`, legend: '{{server}}' }],
          alerts: ['SallyportGrantsNeedLogin'],
        },
        {
          title: 'People who are logged in',
          description: 'Tokens that are good, or can be renewed when they are used next.',
          kind: 'graph',
          unit: 'none',
          width: 12,
          queries: [{ expr: `max by (server) (sallyport_grants{${HERE},status="good"})`, legend: '{{server}}' }],
        },
      ],
    },
    {
      title: 'Who fails',
      panels: [
        {
          title: 'Credentials that fail, by code',
          description:
            'expired-credential after a change of keys is ordinary; invalid-credential in waves is somebody who tries.',
          kind: 'graph',
          unit: 'reqps',
          width: 12,
          stacked: true,
          queries: [
            {
              expr: `sum by (code) (rate(sallyport_refusals_total{${HERE},code=~"unauthenticated|invalid-credential|expired-credential|wrong-audience|insufficient-scope|identity-unavailable"}[$__rate_interval]))`,
              legend: '{{code}}',
            },
          ],
          alerts: ['SallyportAuthenticationFailures'],
        },
        {
          title: 'Against what is usual',
          description: 'The second line is the average of the last day.',
          kind: 'graph',
          unit: 'reqps',
          width: 12,
          queries: [
            { expr: `sum(sallyport:authentication_failures:rate10m{${JOB}})`, legend: 'failed' },
            { expr: `sum(sallyport:authentication_failures:rate_usual{${JOB}})`, legend: 'usual' },
          ],
          alerts: ['SallyportAuthenticationFailures'],
        },
      ],
    },
    {
      title: 'What it depends on',
      panels: [
        {
          title: 'Dependencies',
          description: 'Database, identity issuers, record, sinks and collectors, for each replica.',
          kind: 'states',
          unit: 'none',
          width: 24,
          queries: [{ expr: `sallyport_dependency_up{${HERE}}`, legend: '{{kind}} {{dependency}} {{instance}}' }],
          words: { 0: ['away', 'red'], 1: ['answers', 'green'] },
          alerts: ['SallyportDependencyDown'],
        },
      ],
    },
  ],
};
