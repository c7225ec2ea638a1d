/**
 * A stream's first event is not held back. Not timed, because a loaded machine would decide: the server sends it and
 * waits for the test, and the test lets it go on only when the client has the event. The time it took is printed.
 */

import { afterAll, beforeAll, expect, it } from 'vitest';

import { scriptPath, startChildServer, type ChildServer } from '../harness/child.ts';
import { openExchange } from '../harness/exchange.ts';
import { startGates, type Gates } from '../harness/gates.ts';
import { startTestGateway, type TestGateway } from '../harness/gateway.ts';
import { bearer, legacy, modern, send, type HttpRequest } from '../harness/http.ts';

const ROUNDS = 20;

let gates: Gates;
let upstream: ChildServer;
let gateway: TestGateway;

beforeAll(async () => {
  gates = await startGates();
  upstream = await startChildServer('long/fixtures/witness.ts', 'http', gates.url);
  const allow = 'allow: [{ anyone: true, tools: ["*"] }]';
  const command = `["${process.execPath}", "${scriptPath('long/fixtures/witness.ts')}", stdio, "${gates.url}"]`;
  gateway = await startTestGateway({
    yaml: [
      'servers:',
      `  http: { url: "${upstream.url}", ${allow} }`,
      `  stdio: { command: ${command}, ${allow} }`,
    ].join('\n'),
  });
});

afterAll(async () => {
  await gateway?.close();
  await Promise.all([upstream?.close(), gates?.close()]);
});

const credential = () => bearer(gateway.keys.alice ?? '');

async function openSession(url: string): Promise<string> {
  const { headers, body } = legacy('initialize');
  const answer = await send(url, { headers: { ...headers, ...credential() }, body });
  const session = answer.headers['mcp-session-id'];
  if (typeof session !== 'string') throw new Error(`no session: ${answer.text}`);
  return session;
}

/** A call that waits at a gate of its own and wants to hear of its progress. */
function gatedCall(gate: string, session: string | undefined): HttpRequest {
  const params = { name: 'gate', arguments: { name: gate } };
  const { headers, body } =
    session === undefined ? modern('tools/call', params) : legacy('tools/call', params, session);
  const message = JSON.parse(String(body)) as { params: { _meta?: Record<string, unknown> } };
  message.params._meta = { ...message.params._meta, progressToken: gate };
  return { headers: { ...headers, ...credential() }, body: JSON.stringify(message) };
}

it.each([
  ['modern', 'http'],
  ['modern', 'stdio'],
  ['legacy', 'http'],
  ['legacy', 'stdio'],
])('a %s client has the first event of a server over %s before the server sends another', async (era, server) => {
  const url = `${gateway.url}/servers/${server}/mcp`;
  const session = era === 'legacy' ? await openSession(url) : undefined;
  const tookMs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const gate = `${era}-${server}-${round}`;
    const exchange = await openExchange(url, gatedCall(gate, session));
    const text = await exchange.readUntil('sent at ');
    const whole = await exchange.readUntil('\n\n');
    const sentAtMs = Number(/sent at (\d+)/u.exec(whole)?.[1]);
    if (Number.isFinite(sentAtMs)) tookMs.push(Date.now() - sentAtMs);
    expect(text).toContain(`"progressToken":"${gate}"`);
    expect(text).not.toContain(`done ${gate}`);
    await gates.reached(gate);
    gates.open(gate);
    expect(await exchange.readUntil(`done ${gate}`)).toContain('"result"');
    await exchange.drain();
  }
  const sorted = tookMs.toSorted((a, b) => a - b);
  console.log(`${era} from ${server}: median ${sorted[Math.floor(sorted.length / 2)]} ms, most ${sorted.at(-1)} ms`);
});
