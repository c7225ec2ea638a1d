/**
 * Two replicas behind a real load balancer (haproxy, active checks of /readyz, no retries of any kind), restarted one after
 * the other under load: every call is answered, every call is made exactly once, and sessions stick to nobody.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { verifyFile } from '../../packages/gateway/src/audit/verify.ts';
import { startChildServer, type ChildServer } from '../harness/child.ts';
import { docSnippets } from '../harness/doc-snippet.ts';
import { freePort } from '../harness/free-port.ts';
import { startGates, type Gates } from '../harness/gates.ts';
import { startAgain, type GatewayProcess } from '../harness/gateway-process.ts';
import { bearer, legacy, modern, send, type HttpAnswer } from '../harness/http.ts';
import { writeReplicas, type Replica } from '../harness/replicas.ts';
import { until } from '../harness/until.ts';

const HAPROXY = (process.env['PATH'] ?? '')
  .split(':')
  .map((folder) => path.join(folder, 'haproxy'))
  .find(existsSync);
if (HAPROXY === undefined) console.warn('SKIPPED: haproxy is not installed, so no rolling restart is tested.');

const folders: string[] = [];
const servers: { close(): Promise<void> }[] = [];
const gateways = new Map<string, GatewayProcess>();

afterEach(async () => {
  for (const gateway of gateways.values()) await gateway.close();
  for (const server of servers.splice(0).toReversed()) await server.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  gateways.clear();
});

const replicas = async (upstream: string, port: number): Promise<readonly [Replica, Replica]> => {
  const { both, directory } = await writeReplicas({
    publicUrl: `http://127.0.0.1:${port}`,
    users: { alice: ['staff'] },
    yaml: [
      'drainDelay: 1500ms',
      'servers:',
      `  remote: { url: "${upstream}", tools: { "read_*": { readOnly: true } }, allow: [{ group: staff, tools: ["*"] }] }`,
    ].join('\n'),
  });
  folders.push(directory);
  return both;
};

async function startBalancer(port: number, [a, b]: readonly [Replica, Replica]): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-balancer-'));
  folders.push(folder);
  const file = path.join(folder, 'haproxy.cfg');
  const [backend = ''] = docSnippets('replicas.md', 'haproxy');
  const here = backend
    .replace('10.0.0.7:8080 check addr 10.0.0.7 port 9090', `127.0.0.1:${a.port} check addr 127.0.0.1 port ${a.check}`)
    .replace('10.0.0.8:8080 check addr 10.0.0.8 port 9090', `127.0.0.1:${b.port} check addr 127.0.0.1 port ${b.check}`)
    .replaceAll('inter 1s', 'inter 100ms');
  const lines = [
    'defaults',
    '  mode http',
    '  timeout connect 2s',
    '  timeout client 30s',
    '  timeout check 1s',
    'frontend clients',
    `  bind 127.0.0.1:${port}`,
    '  default_backend gateways',
    '  http-response set-header x-replica %s',
    here,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const child: ChildProcess = spawn(HAPROXY ?? '', ['-db', '-q', '-f', file], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  servers.push({
    async close() {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  });
  return `http://127.0.0.1:${port}/servers/remote/mcp`;
}

type Load = {
  readonly answered: ReadonlySet<string>;
  readonly lost: readonly string[];
  /** Which replicas answered since it was last asked. */
  seen(): ReadonlySet<string>;
  stop(): Promise<void>;
};

/** Callers of both eras, each with calls of its own, one after the other without a pause. */
function startLoad(url: string, key: string): Load {
  const answered = new Set<string>();
  const lost: string[] = [];
  let seen = new Set<string>();
  const stopping = new AbortController();
  const ask = async (what: string, request: ReturnType<typeof modern>): Promise<HttpAnswer | undefined> => {
    try {
      const answer = await send(url, { ...request, headers: { ...request.headers, ...bearer(key) } });
      seen.add(String(answer.headers['x-replica']));
      if (answer.status === 200 && answer.json?.error === undefined) return answer;
      lost.push(`${what}: ${answer.status} ${answer.text.slice(0, 200)}`);
    } catch (error) {
      lost.push(`${what}: ${String(error)}`);
    }
    return undefined;
  };
  const caller = async (name: string, era: 'modern' | 'legacy'): Promise<void> => {
    const opened = era === 'legacy' ? await ask(`${name} opens`, legacy('initialize')) : undefined;
    const session = String(opened?.headers['mcp-session-id']);
    for (let count = 0; !stopping.signal.aborted; count++) {
      const params = { name: 'note', arguments: { id: `${name}-${count}` } };
      const request = era === 'modern' ? modern('tools/call', params) : legacy('tools/call', params, session);
      if ((await ask(`${name}-${count}`, request)) !== undefined) answered.add(`${name}-${count}`);
    }
  };
  const callers = Array.from({ length: 4 }, (_, index) => [
    caller(`modern-${index}`, 'modern'),
    caller(`legacy-${index}`, 'legacy'),
  ]).flat();
  return {
    answered,
    lost,
    seen() {
      const now = seen;
      seen = new Set();
      return now;
    },
    async stop() {
      stopping.abort();
      await Promise.all(callers);
    },
  };
}

async function start(replica: Replica): Promise<void> {
  gateways.set(replica.name, await startAgain(replica.config));
}

async function restart(replica: Replica, load: Load): Promise<void> {
  const gateway = gateways.get(replica.name);
  gateway?.signal('SIGTERM');
  expect(await gateway?.exited).toEqual({ code: 0, signal: null });
  await start(replica);
  load.seen();
  await until(`replica ${replica.name} to be back in rotation`, () => load.seen().has(replica.name));
}

describe.runIf(HAPROXY !== undefined)('a rolling restart behind a load balancer', () => {
  it('loses no call, makes none twice, and asks for no sticky sessions', async () => {
    const gates: Gates = await startGates();
    servers.push(gates);
    const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-witness-'));
    folders.push(folder);
    const witness = path.join(folder, 'witness.jsonl');
    const upstream: ChildServer = await startChildServer('long/fixtures/witness.ts', 'http', gates.url, witness);
    servers.push(upstream);
    const port = await freePort();
    const both = await replicas(upstream.url, port);
    for (const replica of both) await start(replica);
    const url = await startBalancer(port, both);
    const key = both[0].config.keys['alice'] ?? '';
    await until('the balancer to have found a replica', async () => {
      const { headers, body } = modern('tools/list');
      const answer = await send(url, { headers: { ...headers, ...bearer(key) }, body }).catch(() => undefined);
      return answer?.status === 200;
    });

    const load = startLoad(url, key);
    const [a, b] = both;
    const seen = new Set<string>();
    await until('both replicas at work', () => {
      for (const name of load.seen()) seen.add(name);
      return seen.has('a') && seen.has('b') && load.answered.size > 100;
    });
    await restart(a, load);
    await restart(b, load);
    await restart(a, load);
    await load.stop();

    expect(load.lost).toEqual([]);
    const made = readFileSync(witness, 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { arguments: { id: string } }).arguments.id);
    expect(made.toSorted()).toEqual([...load.answered].toSorted());
    console.log(`${load.answered.size} calls through three restarts: none lost, none made twice`);
    for (const { config } of both) expect(await verifyFile(config.auditFile)).toMatchObject({ ok: true });
  });
});
