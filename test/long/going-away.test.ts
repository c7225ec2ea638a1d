/** Clients that go away without a word leave nothing behind: no process, no descriptor, no call that still runs. */

import { request as httpRequest } from 'node:http';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { verifyFile } from '../../packages/gateway/src/audit/verify.ts';
import { scriptPath, startChildServer, type ChildServer } from '../harness/child.ts';
import { readRecords } from '../harness/config-file.ts';
import { abandonable } from '../harness/exchange.ts';
import { startGates, type Gates } from '../harness/gates.ts';
import { startGatewayProcess, type Exit, type GatewayProcess } from '../harness/gateway-process.ts';
import { bearer, legacy, modern, send } from '../harness/http.ts';
import { descendantsOf, descriptorsOf, HAS_PROC } from '../harness/processes.ts';
import { until } from '../harness/until.ts';

const SESSIONS = 300;
const LEAVERS = 200;
const AT_ONCE = 20;
/** Kept connections to servers come and go; what grows with the number of clients is far above this. */
const SLACK = 10;

let gates: Gates;
const children: ChildServer[] = [];
let gateway: GatewayProcess;

beforeAll(async () => {
  gates = await startGates();
  const old = await startChildServer('matrix/legacy-upstream.ts', 'http');
  const remote = await startChildServer('long/fixtures/witness.ts', 'http', gates.url);
  children.push(old, remote);
  const allow = 'allow: [{ anyone: true, tools: ["*"] }]';
  const command = [process.execPath, scriptPath('long/fixtures/witness.ts'), 'stdio', gates.url];
  gateway = await startGatewayProcess({
    yaml: [
      'servers:',
      `  old: { url: "${old.url}", ${allow} }`,
      `  remote: { url: "${remote.url}", ${allow} }`,
      `  stdio: { command: ${JSON.stringify(command)}, ${allow} }`,
      // Longer than the test waits: were a call still in flight at the end, the gateway would wait for it.
      'drain: 10m',
    ].join('\n'),
  });
});

afterAll(async () => {
  await gateway?.close();
  await Promise.all(children.map((child) => child.close()));
  await gates?.close();
});

const SERVERS = ['old', 'remote', 'stdio'];
const credential = () => bearer(gateway.config.keys.alice ?? '');
const endpoint = (index: number): string => `${gateway.url}/servers/${SERVERS[index % SERVERS.length]}/mcp`;

/** Opens a session, uses it, and forgets it: no DELETE. */
async function sessionThatIsDropped(url: string): Promise<void> {
  const opening = legacy('initialize');
  const opened = await send(url, { ...opening, headers: { ...opening.headers, ...credential() } });
  const session = String(opened.headers['mcp-session-id']);
  // A tool of each server, so that the session reaches it.
  const params = url.includes('/old/') ? { name: 'echo', arguments: { text: 'x' } } : { name: 'note', arguments: {} };
  const call = legacy('tools/call', params, session);
  const called = await send(url, { ...call, headers: { ...call.headers, ...credential() } });
  expect(called.json?.result).toHaveProperty('content');
  await streamThatIsDropped(url, session);
}

function streamThatIsDropped(url: string, session: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { ...credential(), accept: 'text/event-stream', 'mcp-session-id': session };
    const request = httpRequest(url, { headers, agent: false }, (response) => {
      response.once('close', resolve).on('error', () => undefined);
      expect(response.statusCode).toBe(200);
      request.destroy();
    });
    request.on('error', reject).end();
  });
}

async function inTurns(count: number, work: (index: number) => Promise<void>): Promise<void> {
  for (let from = 0; from < count; from += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, index) => work(from + index)));
  }
}

const counts = () => ({
  processes: descendantsOf(gateway.pid).length,
  descriptors: descriptorsOf(gateway.pid),
});

async function metric(name: string): Promise<number> {
  const response = await fetch(`${gateway.operationsUrl}/metrics`);
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith(name));
  if (lines.length === 0) throw new Error(`there is no metric ${name}`);
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

describe.runIf(HAS_PROC)('clients that go away', () => {
  it(`${SESSIONS} dropped sessions and ${LEAVERS} callers that leave mid-call leave the gateway as it was`, async () => {
    await inTurns(AT_ONCE, (index) => sessionThatIsDropped(endpoint(index)));
    const before = counts();

    await inTurns(SESSIONS, (index) => sessionThatIsDropped(endpoint(index)));

    const leaver = (index: number) => {
      const { headers, body } = modern('tools/call', { name: 'gate', arguments: { name: 'never' } });
      return abandonable(endpoint(1 + (index % 2)), { headers: { ...headers, ...credential() }, body });
    };
    const leavers = Array.from({ length: LEAVERS }, (_, index) => leaver(index));
    await gates.reached('never', LEAVERS);
    const during = counts();
    for (const { leave } of leavers) leave();
    // That they left is told to the servers, of both transports, so nothing waits at the gate any more.
    await until('the servers to hear of it', () => gates.waiting('never') === 0, 30_000);

    const after = await until('the descriptors to be closed', () => {
      const now = counts();
      return now.descriptors <= before.descriptors + SLACK ? now : undefined;
    });
    console.log(
      `before ${JSON.stringify(before)}, with ${LEAVERS} calls ${JSON.stringify(during)}, after ${JSON.stringify(after)}`,
    );
    expect(during.descriptors).toBeGreaterThan(before.descriptors + LEAVERS);
    expect(after.processes).toBe(before.processes);
    await until('no stream to be open', async () => (await metric('sallyport_streams_active')) === 0);

    // Nothing is in flight: with ten minutes to drain it ends at once.
    gateway.signal('SIGTERM');
    let exit: Exit | undefined;
    void gateway.exited.then((how) => (exit = how));
    expect(await until('the end', () => exit, 20_000)).toEqual({ code: 0, signal: null });

    const codes = readRecords(gateway.config.auditFile).map((record) => record.status_code);
    expect(codes.filter((code) => code === 'cancelled')).toHaveLength(LEAVERS);
    expect(await verifyFile(gateway.config.auditFile)).toMatchObject({ ok: true });
  });
});
