/**
 * The official MCP conformance suite against the built product: fixture server, gateway with a key and a policy, and the
 * suite pointed at `/servers/fixture/mcp`.
 *
 * Its scenarios of the tasks extension run one by one against `/servers/tasks/mcp`: the official server has no tasks.
 *
 *     npm run conformance              through the gateway
 *     npm run conformance -- --direct  the fixture alone, to see what could be reached
 *     npm run conformance -- --verbose with the suite's own output
 *     npm run conformance -- --only tasks-lifecycle  what has this in its title
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { startChildServer } from '../test/harness/child.ts';
import { startTestGateway } from '../test/harness/gateway.ts';
import { startCredentialProxy } from './credential-proxy.ts';
import { startFixture } from './fixture/server.ts';
import { runSuite, type SuiteResult, type SuiteRun } from './suite.ts';

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** `legacy`: behind the gateway stands the same server, as one that knows no revision after 2025-11-25. */
type Run = SuiteRun & { readonly reachable: string; readonly server: 'fixture' | 'legacy' | 'tasks' };

/** Of an extension, so on no revision's list; with what the fixture reaches directly. */
const TASK_SCENARIOS = {
  'tasks-lifecycle': '9/0',
  'tasks-capability-negotiation': '5/0',
  'tasks-wire-fields': '4/0',
  'tasks-request-state-removal': '3/0',
  'tasks-mrtr-input': '4/0',
  'tasks-request-headers': '5/0',
  'tasks-required-task-error': '3/0',
  'tasks-mrtr-composition': '2/0',
  'tasks-dispatch-and-envelope': '9/0',
} as const;

const TASKS = Object.entries(TASK_SCENARIOS).map(([scenario, reachable]): Run => ({
  title: scenario,
  selection: ['--scenario', scenario, '--force', '--spec-version', '2026-07-28'],
  ...(scenario === 'tasks-required-task-error' ? { expectedFailures: here('expected-failures.tasks.yaml') } : {}),
  reachable,
  server: 'tasks',
}));

const RUNS: readonly Run[] = [
  {
    title: '2025-11-25',
    selection: ['--requirements', '2025-11-25'],
    expectedFailures: here('expected-failures.2025-11-25.yaml'),
    reachable: '84/0',
    server: 'fixture',
  },
  {
    title: '2025-11-25, legacy server',
    selection: ['--requirements', '2025-11-25'],
    expectedFailures: here('expected-failures.2025-11-25.yaml'),
    reachable: '84/0',
    server: 'legacy',
  },
  {
    title: '2026-07-28',
    selection: ['--suite', 'all', '--spec-version', '2026-07-28'],
    expectedFailures: here('expected-failures.2026-07-28.yaml'),
    reachable: '152/0',
    server: 'fixture',
  },
  ...TASKS,
];

const { values: flags } = parseArgs({
  options: {
    direct: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
});

const output = mkdtempSync(path.join(tmpdir(), 'sallyport-conformance-'));
const fixture = await startFixture(0);
const tasks = await startChildServer('fixtures/tasks-server.ts', 'http');
const target = flags.direct
  ? { urls: { fixture: fixture.url, legacy: legacyOf(fixture.url), tasks: tasks.url }, close: async () => undefined }
  : await startGateway(fixture.url, tasks.url);

const results: SuiteResult[] = [];
try {
  for (const { expectedFailures, reachable, server, ...run } of RUNS.filter(({ title }) =>
    title.includes(flags.only),
  )) {
    const url = target.urls[server];
    process.stdout.write(`${run.title}  running the official suite against ${url}\n`);
    const expected = flags.direct || expectedFailures === undefined ? {} : { expectedFailures };
    const result = await runSuite(url, { ...run, ...expected }, output);
    results.push(result);
    report(result, reachable);
  }
} finally {
  await target.close();
  await fixture.close();
  await tasks.close();
  rmSync(output, { recursive: true, force: true });
}

const passed = results.reduce((sum, result) => sum + result.passed, 0);
// A scenario whose failure is expected, with its reason in the file, is not this run's failure.
const unexpected = results.filter((result) => !result.ok).length;
const expectedFailed = results.reduce((sum, result) => sum + (result.ok ? result.failed : 0), 0);
const failed = results.reduce((sum, result) => sum + (result.ok ? 0 : Math.max(1, result.failed)), 0);
process.stdout.write(`${passed} passed, ${failed} failed, ${expectedFailed} skipped\n`);
process.exitCode = unexpected === 0 ? 0 : 1;

function report(result: SuiteResult, reachable: string): void {
  for (const scenario of result.scenarios.filter(({ failed: count }) => count > 0)) {
    process.stdout.write(`  ${scenario.name.padEnd(48)} ${scenario.passed} passed, ${scenario.failed} failed\n`);
  }
  const verdict = result.ok ? 'as expected' : 'NOT as expected';
  const total = `${result.passed}/${result.failed}`;
  process.stdout.write(`${result.title}  ${total} (the fixture directly: ${reachable}), ${verdict}\n\n`);
  if (flags.verbose || !result.ok) process.stdout.write(`${result.output.split('=== SUMMARY ===').at(-1) ?? ''}\n`);
}

type Target = { readonly urls: Readonly<Record<Run['server'], string>>; close: () => Promise<unknown> };

/** The suite cannot send a credential, so a proxy that only adds one stands before the gateway. */
async function startGateway(fixtureUrl: string, tasksUrl: string): Promise<Target> {
  const proxy = await startCredentialProxy();
  const allow = '[{ anyone: true, tools: ["*"], prompts: ["*"], resources: ["*"] }]';
  const gateway = await startTestGateway({
    users: { suite: [] },
    yaml: [
      `allowedHosts: ["localhost:${proxy.port}"]`,
      `allowedOrigins: ["http://localhost:${proxy.port}"]`,
      'servers:',
      `  fixture: { url: "${fixtureUrl}", allow: ${allow} }`,
      `  legacy: { url: "${legacyOf(fixtureUrl)}", allow: ${allow} }`,
      `  tasks: { url: "${tasksUrl}", allow: ${allow} }`,
    ].join('\n'),
  });
  proxy.forwardTo(Number(new URL(gateway.url).port), `Bearer ${gateway.keys.suite ?? ''}`);
  return {
    urls: {
      fixture: `http://localhost:${proxy.port}/servers/fixture/mcp`,
      legacy: `http://localhost:${proxy.port}/servers/legacy/mcp`,
      tasks: `http://localhost:${proxy.port}/servers/tasks/mcp`,
    },
    async close() {
      await proxy.close();
      await gateway.close();
    },
  };
}

function legacyOf(fixtureUrl: string): string {
  return new URL('/legacy', fixtureUrl).href;
}
