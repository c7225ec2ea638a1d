/** What did the agent do, and why: from calls through a running gateway to what a person reads in the record of them. */

import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startStoryServer, type StoryServer } from './fixtures/story-server.ts';
import { sallyport, type CommandEnded } from './harness/command-line.ts';
import { readRecords } from './harness/config-file.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { startAgain, startGatewayProcess } from './harness/gateway-process.ts';
import { bearer, modern, send, type HttpAnswer } from './harness/http.ts';
import { until } from './harness/until.ts';

const STDIO = fileURLToPath(new URL('./fixtures/misbehaving-stdio.ts', import.meta.url));
const RUN = 'nightly-42';

let server: StoryServer;
let gateway: TestGateway;

const ledger = (): readonly string[] => [
  'servers:',
  '  ledger:',
  `    url: "${server.url}"`,
  '    owner: finance',
  '    retries: 2',
  '    tools: { flaky: { idempotent: true } }',
  '    allow: [{ group: engineering, tools: [ok, flaky, broken, hang] }]',
];

const local = (): readonly string[] => [
  '  local:',
  `    command: ["${process.execPath}", "${STDIO}"]`,
  '    allow: [{ group: engineering, tools: ["*"] }]',
];

beforeAll(async () => {
  server = await startStoryServer();
  gateway = await startTestGateway({
    users: { alice: ['engineering'], bob: [] },
    policies:
      'permit (principal, action == Action::"callTool", resource == Tool::"ledger/ok");\n' +
      '@id("no-month-end")\n' +
      'forbid (principal, action, resource == Tool::"ledger/ok") when { context.arguments has month };\n',
    yaml: [...ledger(), ...local()].join('\n'),
  });
});

afterAll(async () => {
  await gateway?.close();
  await server?.close();
});

type Asked = {
  readonly tool: string;
  readonly on?: string;
  readonly as?: string;
  readonly arguments?: object;
  readonly purpose?: string;
};

async function call({
  tool,
  on = 'ledger',
  as = 'alice',
  purpose = 'Close the month',
  ...more
}: Asked): Promise<HttpAnswer> {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'month-end agent', version: '3' },
    'io.sallyport/run': RUN,
    'io.sallyport/purpose': purpose,
  };
  const request = modern('tools/call', { name: tool, arguments: more.arguments ?? {}, _meta: meta });
  return send(`${gateway.url}/servers/${on}/mcp`, {
    ...request,
    headers: { ...request.headers, ...bearer(gateway.keys[as] ?? '') },
  });
}

type Recorded = {
  readonly metadata: { readonly correlation_uid: string };
  readonly resources?: readonly { readonly uid: string }[];
  readonly actor: Record<string, unknown>;
  readonly unmapped: { readonly event: string; readonly claimed?: { readonly purpose?: string } };
};

/** The records of the newest request of a purpose, once its outcome is there. */
const recordsOf = (purpose: string): Promise<readonly Recorded[]> =>
  until(`the outcome of "${purpose}"`, () => {
    const all = gateway.records() as unknown as readonly Recorded[];
    const last = all.findLast(({ unmapped }) => unmapped.event === 'outcome' && unmapped.claimed?.purpose === purpose);
    return last && all.filter(({ metadata }) => metadata.correlation_uid === last.metadata.correlation_uid);
  });

async function story(purpose: string): Promise<CommandEnded> {
  const [record] = await recordsOf(purpose);
  return trace(record?.metadata.correlation_uid ?? '');
}

const trace = (id: string, ...more: readonly string[]): Promise<CommandEnded> =>
  sallyport(['trace', id, '--file', `${gateway.directory}/audit.jsonl`, ...more]);

describe('the story of a call', () => {
  test('that worked: who, through what, what for, why it was allowed, and which server it reached', async () => {
    await call({ tool: 'ok' });
    const records = await recordsOf('Close the month');
    const [intent, outcome] = records.filter(({ unmapped }) => unmapped.event !== 'authentication');
    const because = [{ decision: 'allowed', policy: { uid: 'ledger.allow[0]' } }, { decision: 'allowed' }];
    expect(intent).toMatchObject({ actor: { authorizations: because }, unmapped: { claimed: { run: RUN } } });
    expect(outcome?.unmapped).toMatchObject({
      claimed: { client_name: 'month-end agent', run: RUN, purpose: 'Close the month' },
      attempts: [
        {
          outcome: 'ok',
          credential: 'none',
          upstream: { revision: '2026-07-28', transport: 'http', name: 'story-server', version: '7.1.0' },
        },
      ],
    });
    const { out, code } = await story('Close the month');
    expect(code).toBe(0);
    expect(out).toMatch(/^tools\/call ledger\/ok {2}ok {2}in \d+ ms\n/u);
    expect(out).toMatch(/who +alice \(user alice of api-key\) in engineering\n/u);
    expect(out).toContain('through month-end agent 3, as it calls itself');
    expect(out).toMatch(/run +nightly-42, as the client claims\n +for: Close the month\n/u);
    expect(out).toMatch(/decision +allowed by ledger\.allow\[0\]/u);
    expect(out).toMatch(/attempts +\+[\d.]+ ms {2}ok {2}in [\d.]+ ms {2}http, MCP 2026-07-28, story-server 7\.1\.0/u);
  });

  test('run and purpose travel on to the server as they came', async () => {
    await call({ tool: 'ok', purpose: 'Close the year' });
    expect(server.meta.at(-1)).toMatchObject({ 'io.sallyport/run': RUN, 'io.sallyport/purpose': 'Close the year' });
  });

  test('that policy refused: which policy, and in which step', async () => {
    await call({ tool: 'ok', arguments: { month: 'May' }, purpose: 'Close May' });
    const { out } = await story('Close May');
    expect(out).toMatch(/^tools\/call ledger\/ok {2}refused: forbidden {2}in \d+ ms\n/u);
    expect(out).toMatch(/decision +denied by no-month-end\n +policies [0-9a-f]{12}…\n/u);
    expect(out).toMatch(/steps +\+[\d.]+ ms {2}authenticate[^]*authorize/u);
    expect(out).toMatch(/failure +in the step authorize; nothing reached the server\n/u);
    expect(out).not.toContain('attempts');
  });

  test('that nothing allowed says so', async () => {
    await call({ tool: 'broken', as: 'bob', purpose: 'Look around' });
    const { out } = await story('Look around');
    expect(out).toMatch(/refused: unknown-tool/u);
    expect(out).toMatch(/decision +denied: no policy allows it\n/u);
  });

  test('that the server answered with an error: its words, without the secret in them', async () => {
    await call({ tool: 'broken', purpose: 'Lock it' });
    const { out } = await story('Lock it');
    expect(out).toMatch(/failed: upstream-error/u);
    expect(out).toMatch(
      /the server answered -32050: The table is locked\.\n +data \{"table":"ledger","token":"\[redacted:[a-z-]+\]"\}\n/u,
    );
    expect(out).toMatch(/redacted: [a-z-]+/u);
    expect(JSON.stringify(gateway.records())).not.toContain('ghp_');
  });

  test('that the server died of: what it wrote to stderr meanwhile', async () => {
    await call({ tool: 'die', on: 'local', purpose: 'Kill it' });
    const { out } = await story('Kill it');
    expect(out).toMatch(/failed: upstream-closed/u);
    expect(out).toMatch(/in the step call; the server may have got it\n +The server process exited with code 3\./u);
    expect(out).toMatch(/the server wrote to stderr meanwhile:\n +out of memory, says the server\n/u);
    expect(out).toMatch(/upstream-closed {2}in [\d.]+ ms {2}stdio, MCP 2026-07-28/u);
  });

  test('that was tried again: every attempt with its time and end', async () => {
    const answer = await call({ tool: 'flaky', purpose: 'Insist' });
    expect(answer.json?.result).toBeDefined();
    const { out } = await story('Insist');
    expect(out).toMatch(/attempts +\+[\d.]+ ms {2}server-unavailable {2}in .*\n +\+[\d.]+ ms {2}ok {2}in /u);
  });

  test('is found by the id in the error that its caller got', async () => {
    const { json } = await call({ tool: 'broken', purpose: 'Break it' });
    const id = String(json?.error?.data?.requestId);
    await recordsOf('Break it');
    expect((await trace(id)).out).toContain(`request   ${id}\n`);
  });

  test('can be had as the records themselves', async () => {
    const [record] = await recordsOf('Close May');
    const { out } = await trace(record?.metadata.correlation_uid ?? '', '--json');
    const lines = out.trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as Recorded).unmapped.event)).toEqual(['outcome']);
  });

  test('that nobody recorded: says where ids stand, and what else it may be', async () => {
    const { code, err } = await trace('00000000-0000-4000-8000-000000000000');
    expect(code).toBe(1);
    expect(err).toMatch(/has no record of the request "0000[^]*audit search --since 1h --ids[^]*another replica/u);
  });
});

describe('a run', () => {
  test('is shown in order: what was done, whether it was allowed and why, and what for', async () => {
    await recordsOf('Close the year');
    const { out, err } = await sallyport([
      'audit',
      'search',
      `${gateway.directory}/audit.jsonl`,
      '--run',
      RUN,
      '--ids',
    ]);
    expect(out).toMatch(/^Run nightly-42 {2}as its client claims\n/u);
    expect(out).toMatch(/who +alice, through month-end agent; bob, through month-end agent\n/u);
    expect(out).toMatch(/calls +\d+: \d+ ok, \d+ refused, \d+ failed\n/u);
    expect(out).toMatch(/-- Close the month\n\+0 ms .*ledger\/ok +allowed +ledger\.allow\[0\], .* ok /u);
    expect(out).toMatch(/-- Close the year\n[^]*-- Close May\n.*ledger\/ok +denied +no-month-end +forbidden/u);
    expect(err).toContain('trace <request id>');
  });

  test('of another name has none of it', async () => {
    const { out } = await sallyport(['audit', 'search', `${gateway.directory}/audit.jsonl`, '--run', 'nightly-4']);
    expect(out).toBe('');
  });
});

test('a call that the gateway did not live to see the end of is explained by its intent', async () => {
  const started = await startGatewayProcess({ yaml: ledger().join('\n') });
  const { config } = started;
  const file = ['--file', config.auditFile];
  try {
    const request = modern('tools/call', { name: 'hang', arguments: {} });
    const key = bearer(config.keys.alice ?? '');
    const calling = send(`${started.url}/servers/ledger/mcp`, { ...request, headers: { ...request.headers, ...key } });
    const gone = calling.then(
      () => false,
      () => true,
    );
    const intentId = (): string | undefined =>
      (readRecords(config.auditFile) as unknown as readonly Recorded[]).find(
        ({ unmapped }) => unmapped.event === 'intent',
      )?.metadata.correlation_uid;
    const id = await until('the intent', intentId);
    expect((await sallyport(['trace', id, ...file])).out).toContain(
      'not ended: it is running, or the gateway was killed',
    );
    started.signal('SIGKILL');
    await started.exited;
    expect(await gone).toBe(true);
    const again = await startAgain(config);
    try {
      const { out } = await sallyport(['trace', id, ...file]);
      expect(out).toMatch(/^tools\/call ledger\/hang {2}interrupted: /u);
      expect(out).toMatch(/decision +allowed by ledger\.allow\[0\]\n/u);
    } finally {
      again.signal('SIGKILL');
      await again.exited;
    }
  } finally {
    await started.close();
  }
});
