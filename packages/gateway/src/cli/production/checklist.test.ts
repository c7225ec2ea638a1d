/** Each row of the deployment checklist in each of its states: what is changed of a world in which all is well, and what follows. */

import { describe, expect, it } from 'vitest';

import { AUDIT, facts, NOW_MS, OPERATIONS, RUNNING, there, type Changes } from './checklist.fixture.ts';
import { judge } from './checklist.ts';
import type { Verdict } from './row.ts';

const apiKey = (more: string): string => `{ apiKeys: [{ name: ci, hash: "sha256:${'e'.repeat(64)}"${more} }] }`;
const crm = (more: string): string => `{ crm: { url: "https://crm.example.com/mcp"${more} } }`;
const OTHERS = { listen: '0.0.0.0:8080' };

/** Row, what is changed, the verdict, and a piece of the evidence that leads to it. */
const CASES: readonly (readonly [string, string, Changes, Verdict, string])[] = [
  ['authentication', 'an issuer', {}, 'pass', 'tokens of https://login.example.com'],
  ['authentication', 'a key alone', { yaml: { identity: apiKey('') } }, 'pass', '1 API key of the configuration'],
  ['authentication', 'a stored key alone', { yaml: { identity: '{}' } }, 'pass', '2 stored API keys'],
  [
    'authentication',
    'nobody',
    { yaml: { identity: '{}' }, storedKeys: { state: 'none' } },
    'fail',
    'Nobody can come in',
  ],
  [
    'authentication',
    'nobody, and stored keys were not looked at',
    { yaml: { identity: '{}' }, storedKeys: { state: 'not-asked' } },
    'unknown',
    'stored API keys were not looked at',
  ],
  ['authentication', 'plain HTTP for others', { yaml: OTHERS }, 'fail', 'in the clear'],
  [
    'authentication',
    'plain HTTP on loopback behind a proxy',
    { yaml: { publicUrl: 'https://mcp.example.com' } },
    'pass',
    'behind a proxy',
  ],
  [
    'authentication',
    'plain HTTP for others behind a proxy',
    { yaml: { ...OTHERS, publicUrl: 'https://mcp.example.com' } },
    'unknown',
    'whether anybody but the proxy reaches it',
  ],
  [
    'authentication',
    'TLS',
    { yaml: { ...OTHERS, tls: '{ certificate: ./c.pem, key: ./k.pem }' } },
    'pass',
    'TLS on 0.0.0.0:8080',
  ],

  ['authorization', 'policies', {}, 'pass', '3 policies'],
  [
    'authorization',
    'policies that cannot be used',
    { policies: { count: undefined, permitEverything: [] } },
    'fail',
    'cannot be used',
  ],
  [
    'authorization',
    'a policy that permits everything',
    { policies: { count: 1, permitEverything: ['all.cedar'] } },
    'fail',
    'all.cedar lets everybody',
  ],
  [
    'authorization',
    'everything of a server for anyone',
    { yaml: { servers: crm(', allow: [{ anyone: true, tools: ["*"] }]') } },
    'fail',
    'every tool of crm',
  ],
  [
    'authorization',
    'everything of a server below a ceiling for anyone',
    { yaml: { servers: crm(', readOnly: true, allow: [{ anyone: true, tools: ["*"] }]') } },
    'pass',
    'denied',
  ],
  [
    'authorization',
    'a policy file that others may write',
    { ownFiles: [there('/etc/policy.cedar', 0o666)] },
    'fail',
    'chmod go-w /etc/policy.cedar',
  ],

  ['credential-rotation', 'files that are read again', {}, 'pass', 'Read again when they change: file:/secrets/crm'],
  ['credential-rotation', 'a key without an end', { yaml: { identity: apiKey('') } }, 'fail', 'never end: ci'],
  [
    'credential-rotation',
    'a key with an end',
    { yaml: { identity: apiKey(', expires: "2027-06-01T00:00:00Z"') } },
    'pass',
    'each with an end',
  ],
  [
    'credential-rotation',
    'a key that ends this week',
    { yaml: { identity: apiKey(', expires: "2027-01-03T00:00:00Z"') } },
    'fail',
    'Ends within a week: API key ci',
  ],
  [
    'credential-rotation',
    'a key that ended',
    { yaml: { identity: apiKey(', expires: "2026-12-03T00:00:00Z"') } },
    'fail',
    'Expired: API key ci',
  ],
  [
    'credential-rotation',
    'a certificate that ends this week',
    {
      running: {
        ...RUNNING,
        credentials: [{ credential: 'listener', kind: 'tls-certificate', expiresAtMs: NOW_MS + 86_400_000 }],
      },
    },
    'fail',
    'tls-certificate listener',
  ],
  [
    'credential-rotation',
    'a stored key without an end',
    { storedKeys: { state: 'read', good: 2, endless: ['bob'] } },
    'fail',
    'never end: bob',
  ],
  ['credential-rotation', 'stored keys not looked at', { storedKeys: { state: 'not-asked' } }, 'unknown', '--storage'],
  [
    'credential-rotation',
    'stored keys that do not answer',
    { storedKeys: { state: 'away', reason: 'connection refused' } },
    'unknown',
    'connection refused',
  ],
  [
    'credential-rotation',
    'a variable',
    { references: [{ name: 'env:TOKEN', usedBy: 'servers.crm.env.TOKEN', kind: 'env' }] },
    'unknown',
    'with a restart only: env:TOKEN',
  ],
  [
    'credential-rotation',
    'a variable that is not set',
    {
      references: [{ name: 'env:TOKEN', usedBy: 'servers.crm.env.TOKEN', kind: 'env', fault: 'env:TOKEN is not set.' }],
    },
    'unknown',
    'env:TOKEN is not set',
  ],
  [
    'credential-rotation',
    'a file that is not there',
    {
      references: [
        { name: 'file:/x', usedBy: 'servers.crm.env.TOKEN', kind: 'file', fault: 'file:/x does not exist.' },
      ],
    },
    'fail',
    'does not exist',
  ],
  [
    'credential-rotation',
    'a secret that others may read',
    { references: [{ name: 'file:/x', usedBy: 'servers.crm.env.TOKEN', kind: 'file', mode: 0o644 }] },
    'fail',
    'mode 0644',
  ],

  ['monitoring', 'a Prometheus with rules', {}, 'pass', '30 alert rules'],
  ['monitoring', 'no operations listener', { yaml: { operations: 'off' } }, 'fail', 'The operations listener is off'],
  [
    'monitoring',
    'no running gateway',
    { running: { state: 'away', url: OPERATIONS } },
    'unknown',
    `No gateway answers at ${OPERATIONS}`,
  ],
  [
    'monitoring',
    'metrics that are none',
    { running: { ...RUNNING, series: undefined } },
    'fail',
    'does not answer with',
  ],
  ['monitoring', 'no Prometheus named', { prometheus: { state: 'not-asked' } }, 'unknown', 'cannot be seen from here'],
  [
    'monitoring',
    'a Prometheus that does not answer',
    { prometheus: { state: 'away', url: 'http://p', reason: 'connect ECONNREFUSED' } },
    'fail',
    'ECONNREFUSED',
  ],
  [
    'monitoring',
    'a Prometheus without the rules',
    { prometheus: { state: 'answers', url: 'http://p', rules: 0, scraped: 1 } },
    'fail',
    'no alert rule',
  ],
  [
    'monitoring',
    'a Prometheus that does not collect',
    { prometheus: { state: 'answers', url: 'http://p', rules: 3, scraped: 0 } },
    'fail',
    'collects from no Sallyport gateway',
  ],

  ['logging', 'a disk with room', {}, 'pass', '50 GiB are free'],
  ['logging', 'a full disk', { audit: { ...AUDIT, freeBytes: 1000 } }, 'fail', 'Only 1000 bytes are free'],
  ['logging', 'memory', { audit: { ...AUDIT, medium: 'memory' } }, 'fail', 'is in memory'],
  ['logging', 'a layer of a container', { audit: { ...AUDIT, medium: 'container' } }, 'fail', 'layers of a container'],
  ['logging', 'a network file system', { audit: { ...AUDIT, medium: 'network' } }, 'unknown', 'network file system'],
  ['logging', 'who knows what', { audit: { ...AUDIT, medium: 'unknown' } }, 'unknown', 'What kind of disk'],
  ['logging', 'no right to write', { audit: { ...AUDIT, writable: false } }, 'fail', 'cannot be written'],
  [
    'logging',
    'a record that cannot be read',
    { audit: { ...AUDIT, file: { path: '/data/audit.jsonl', state: 'unreadable', reason: 'EACCES' } } },
    'fail',
    'EACCES',
  ],
  [
    'logging',
    'a record that others may read',
    { audit: { ...AUDIT, file: there('/data/audit.jsonl', 0o644) } },
    'fail',
    'it says who did what',
  ],

  ['rate-limiting', 'a limit for everyone', {}, 'pass', '600/minute per principal'],
  ['rate-limiting', 'none', { yaml: { limits: '[]' } }, 'fail', 'There is none'],
  [
    'rate-limiting',
    'one for a server only',
    { yaml: { limits: '[{ per: principal, server: crm, rate: 6/minute }]' } },
    'fail',
    'There are only 6/minute per principal on crm',
  ],
  ['rate-limiting', 'no loop breaker', { yaml: { loopBreaker: 'off' } }, 'fail', 'goes in circles'],

  ['input-validation', 'the usual bounds', {}, 'pass', 'bodies of 4 MiB, 64 deep'],
  ['input-validation', 'enormous requests', { yaml: { requests: '{ maxBody: 1GiB }' } }, 'fail', 'bodies of 1 GiB'],

  ['graceful-shutdown', 'both times', {}, 'pass', 'must wait 30 s'],
  ['graceful-shutdown', 'no time', { yaml: { drain: '10ms' } }, 'fail', 'less than a second'],
  ['graceful-shutdown', 'no delay on loopback', { yaml: { drainDelay: 'off' } }, 'pass', 'on loopback only'],
  [
    'graceful-shutdown',
    'no delay for others',
    { yaml: { ...OTHERS, drainDelay: 'off' } },
    'unknown',
    'Whether a load balancer would notice',
  ],

  ['health-checks', 'a gateway that is well', {}, 'pass', `${OPERATIONS} is ready`],
  ['health-checks', 'no operations listener', { yaml: { operations: 'off' } }, 'fail', 'listener is off'],
  ['health-checks', 'probes that others cannot reach', { yaml: OTHERS }, 'unknown', 'is on loopback'],
  ['health-checks', 'nobody who runs', { running: { state: 'away', url: undefined } }, 'unknown', 'No running gateway'],
  ['health-checks', 'one that is not ready', { running: { ...RUNNING, notReady: 'draining' } }, 'fail', 'draining'],
  [
    'health-checks',
    'another configuration',
    { running: { ...RUNNING, otherFile: '/other.yaml' } },
    'unknown',
    'runs another configuration: /other.yaml',
  ],
  [
    'health-checks',
    'a server that is unhealthy',
    { running: { ...RUNNING, unwell: [{ id: 'crm', state: 'unhealthy', reason: 'ECONNREFUSED' }] } },
    'fail',
    'crm is unhealthy: ECONNREFUSED',
  ],
  [
    'health-checks',
    'a dependency that is away',
    {
      running: {
        ...RUNNING,
        dependencies: [{ name: 'storage', kind: 'database', up: false, sinceMs: 1, reason: 'no answer' }],
      },
    },
    'fail',
    'database storage is away: no answer',
  ],
  [
    'health-checks',
    'policies refused',
    { running: { ...RUNNING, policiesRefused: true } },
    'fail',
    'older ones are in force',
  ],
  [
    'health-checks',
    'no breaker',
    { yaml: { servers: crm(', breaker: off') } },
    'fail',
    'Without a circuit breaker: crm',
  ],
  [
    'health-checks',
    'a server that is disabled',
    { yaml: { servers: '{ crm: { url: "https://crm.example.com/mcp", bogus: 1 } }' } },
    'fail',
    'crm is disabled',
  ],
  [
    'health-checks',
    'another problem of the file',
    { problems: [{ path: 'identity.apiKeys[0].hash', message: 'is not a hash.' }] },
    'fail',
    'is not a hash',
  ],

  ['backup-plan', 'fresh copies', {}, 'pass', '/backup has /data/keys.json as it is'],
  ['backup-plan', 'copies not looked at', { backup: { state: 'not-asked' } }, 'unknown', 'cannot be seen'],
  [
    'backup-plan',
    'no backup there',
    { backup: { state: 'missing', folder: '/backup', reason: 'it does not exist' } },
    'fail',
    'it does not exist',
  ],
  ...(['missing', 'differs'] as const).map(
    (state) =>
      [
        'backup-plan',
        `a copy that is ${state}`,
        { backup: { state: 'there', folder: '/backup', copies: [{ of: '/data/keys.json', state }] } },
        'fail',
        state === 'missing' ? 'has no copy of /data/keys.json' : 'is of another state',
      ] as const,
  ),
  [
    'backup-plan',
    'an old copy',
    { backup: { state: 'there', folder: '/b', copies: [{ of: 'x', state: 'aged', ageMs: 5 * 86_400_000 }] } },
    'fail',
    '5.0 days old',
  ],
  ['backup-plan', 'no key ring yet', { keyRing: { path: '/k', state: 'missing' } }, 'unknown', 'is not made yet'],
  ['backup-plan', 'a key ring for all', { keyRing: there('/k', 0o640) }, 'fail', 'mode 0640'],
  [
    'backup-plan',
    'a key ring that cannot be read',
    { keyRing: { path: '/k', state: 'unreadable', reason: 'EACCES' } },
    'fail',
    'EACCES',
  ],
  ['backup-plan', 'memory', { yaml: { storage: '{ url: "memory:" }' } }, 'fail', 'end with the process'],
];

describe('the deployment checklist', () => {
  it('has ten rows, and every one of them is shown to pass and to fail', () => {
    const rows = judge(facts({})).map(({ id }) => id);
    expect(rows).toHaveLength(10);
    for (const id of rows) {
      const verdicts = new Set(CASES.filter(([row]) => row === id).map(([, , , verdict]) => verdict));
      expect([...verdicts], id).toEqual(expect.arrayContaining(['pass', 'fail']));
    }
  });

  it('passes whole where all is well', () => {
    expect(judge(facts({})).map(({ id, verdict }) => [id, verdict])).toEqual(
      judge(facts({})).map(({ id }) => [id, 'pass']),
    );
  });

  it.each(CASES)('%s: %s', (...[id, , changes, verdict, evidence]) => {
    const row = judge(facts(changes)).find((one) => one.id === id);
    const said = row?.findings.map((finding) => `${finding.verdict}: ${finding.evidence} ${finding.mend ?? ''}`) ?? [];
    expect(row?.verdict, said.join('\n')).toBe(verdict);
    expect(said.filter((line) => line.startsWith(verdict)).join('\n')).toContain(evidence);
    for (const finding of row?.findings ?? []) {
      expect(finding.verdict === 'pass' || (finding.mend ?? '') !== '', 'says how to mend it').toBe(true);
    }
  });
});
