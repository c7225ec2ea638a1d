/**
 * A thousand calls that wait for people who never come back: after their time no process, connection, stream, session or
 * memory of them is left in the gateway, and their servers were told of each.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { scriptPath, startChildServer, type ChildServer } from '../harness/child.ts';
import { startGatewayProcess, type GatewayProcess } from '../harness/gateway-process.ts';
import { bearer, modern, send } from '../harness/http.ts';
import { descendantsOf, descriptorsOf, HAS_PROC, residentBytes } from '../harness/processes.ts';
import { until } from '../harness/until.ts';

const CALLS = 1000;
const AT_ONCE = 25;
const TRANSPORTS = ['stdio', 'http', 'sse'] as const;
/** Kept connections to servers come and go; what grows with the number of calls is far above this. */
const SLACK = 24;
/** The collector lets it go up and down by this much. 48 kB of each call would be seen: a socket, a stream, a session. */
const MEMORY_SLACK = 48 * 1024 * 1024;

const FIXTURE = 'fixtures/legacy-asking-server.ts';
const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-parked-'));
const journalOf = (transport: string): string => path.join(folder, transport);
const children: ChildServer[] = [];
let gateway: GatewayProcess;

beforeAll(async () => {
  for (const transport of ['http', 'sse']) {
    children.push(await startChildServer(FIXTURE, transport, journalOf(transport)));
  }
  const [http, sse] = children;
  const allow = 'allow: [{ anyone: true, tools: ["*"] }], sharing: shared';
  const command = JSON.stringify([process.execPath, scriptPath(FIXTURE), 'stdio', journalOf('stdio')]);
  gateway = await startGatewayProcess({
    yaml: [
      'loopBreaker: off',
      `questions: { answer: 20s, maxParked: ${2 * CALLS}, maxParkedPerPrincipal: ${2 * CALLS} }`,
      'servers:',
      `  stdio: { command: ${command}, ${allow} }`,
      `  http: { url: "${http?.url}", ${allow} }`,
      `  sse: { url: "${sse?.url}", ${allow} }`,
    ].join('\n'),
  });
});

afterAll(async () => {
  await gateway?.close();
  await Promise.all(children.map((child) => child.close()));
  rmSync(folder, { recursive: true, force: true });
});

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
};

async function park(transport: string): Promise<unknown> {
  const { headers, body } = modern('tools/call', { name: 'greet', arguments: {}, _meta: META });
  const credential = bearer(gateway.config.keys['alice'] ?? '');
  const url = `${gateway.url}/servers/${transport}/mcp`;
  return (await send(url, { headers: { ...headers, ...credential }, body })).json?.result?.['resultType'];
}

async function parkAll(transport: string): Promise<void> {
  // Before a server has asked for the first time nobody knows that it asks.
  expect(await park(transport)).toBe('input_required');
  for (let made = 1; made < CALLS; made += AT_ONCE) {
    const kinds = await Promise.all(Array.from({ length: Math.min(AT_ONCE, CALLS - made) }, () => park(transport)));
    expect(new Set(kinds)).toEqual(new Set(['input_required']));
  }
}

const live = async (): Promise<Record<string, number>> =>
  (await (await fetch(`${gateway.operationsUrl}/live`)).json()) as Record<string, number>;

const cancelled = (transport: string): number =>
  readFileSync(journalOf(transport), 'utf8')
    .split('\n')
    .filter((deed) => deed === 'cancelled').length;

async function leftBehind(): Promise<{ processes: number; descriptors: number; memory: number }> {
  await until(
    'nothing to wait any more',
    async () => {
      const { parkedCalls, requests, openQuestions } = await live();
      return parkedCalls === 0 && requests === 0 && openQuestions === 0;
    },
    60_000,
  );
  const { pid } = gateway;
  return { processes: descendantsOf(pid).length, descriptors: descriptorsOf(pid), memory: residentBytes(pid) };
}

describe.runIf(HAS_PROC).each(TRANSPORTS)('a thousand calls over %s that nobody answers', (transport) => {
  it('are cancelled after their time, and leave nothing behind', async () => {
    const before = await leftBehind();
    await parkAll(transport);
    const first = await leftBehind();
    await until('the server to hear of each', () => cancelled(transport) === CALLS, 60_000);
    await parkAll(transport);
    const second = await leftBehind();
    await until('the server to hear of each again', () => cancelled(transport) === 2 * CALLS, 60_000);

    console.log(`${transport}: before ${told(before)}, after 1,000 ${told(first)}, after 2,000 ${told(second)}`);
    // One process more may be there: that of the clients that can be asked.
    expect(second.processes).toBeLessThanOrEqual(before.processes + 1);
    await until('connections to be given back', () => descriptorsOf(gateway.pid) <= before.descriptors + SLACK, 60_000);
    expect(second.memory).toBeLessThan(first.memory + MEMORY_SLACK);
    expect(await park(transport)).toBe('input_required');
  });
});

const told = ({ processes, descriptors, memory }: Awaited<ReturnType<typeof leftBehind>>): string =>
  `${processes} processes, ${descriptors} descriptors, ${Math.round(memory / 1024 / 1024)} MB`;
