/**
 * Two gateways that share a key ring, behind an nginx that sends one request to each in turn: everything works on either, for
 * every client, and nobody is bound to a replica. What is open in one of them is found by the other.
 */

import { Agent } from 'node:http';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { verifyFile } from '../../packages/gateway/src/audit/verify.ts';
import { connectAsked } from '../harness/asked-clients.ts';
import { scriptPath, startChildServer } from '../harness/child.ts';
import { openExchange } from '../harness/exchange.ts';
import { freePort } from '../harness/free-port.ts';
import { startAgain } from '../harness/gateway-process.ts';
import { bearer, legacy, modern, send, type HttpAnswer } from '../harness/http.ts';
import { NGINX, startNginx } from '../harness/nginx.ts';
import { writeReplicas, type Replicas } from '../harness/replicas.ts';
import { until } from '../harness/until.ts';
import { CLIENT_KINDS, connectClient, type ClientKind, type MatrixClient } from '../matrix/clients.ts';
import { TOOLS } from '../matrix/offer.ts';

if (NGINX === undefined) console.warn('SKIPPED: nginx is not installed, so no replicas behind it are tested.');

const CALLS = 10_000;
const MANY_TOOLS = 1_200;
const ASKING = ['ask-http', 'ask-stdio', 'legacy-ask-http', 'legacy-ask-stdio'] as const;
/** On a pipe the first questions of several calls could be anybody's (docs/questions.md): there one call at a time is made. */
const callersOf = (server: string): readonly number[] => (server === 'legacy-ask-stdio' ? [0] : [0, 1]);
/** Of one caller. */
const GREETINGS = 15;
const SERVERS = ['legacy-http', 'legacy-stdio', 'modern-http', 'modern-stdio'] as const;
/** One of each kind of client for each server. */
const CALLERS = SERVERS.length * (CLIENT_KINDS.length + 2);
const CALLS_OF_ONE = CALLS / CALLERS;
/** Then it leaves, and comes again as another one: for a legacy client, another session. */
const CALLS_OF_ONE_CLIENT = 50;

const closers: (() => Promise<void> | void)[] = [];
let replicas: Replicas;
let url: string;
let key: string;

beforeAll(async () => {
  if (NGINX === undefined) return;
  const old = await startChildServer('matrix/legacy-upstream.ts', 'http');
  const modernServer = await startChildServer('matrix/modern-upstream.ts', 'http');
  const many = await startChildServer('long/fixtures/many-tools.ts', 'http', String(MANY_TOOLS));
  const asking = await startChildServer('fixtures/asking-server.ts', 'http');
  const oldAsking = await startChildServer('fixtures/legacy-asking-server.ts', 'http');
  closers.push(...[old, modernServer, many, asking, oldAsking].map((server) => () => server.close()));
  const allow = 'allow: [{ anyone: true, tools: ["*"], prompts: ["*"], resources: ["*"] }]';
  const stdio = (script: string): string =>
    `command: ["${process.execPath}", "${scriptPath(script)}", stdio], sharing: shared`;
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  replicas = await writeReplicas({
    publicUrl: url,
    yaml: [
      'loopBreaker: off',
      'servers:',
      `  legacy-http: { url: "${old.url}", ${allow} }`,
      `  legacy-stdio: { ${stdio('matrix/legacy-upstream.ts')}, ${allow} }`,
      `  modern-http: { url: "${modernServer.url}", ${allow} }`,
      `  modern-stdio: { ${stdio('matrix/modern-upstream.ts')}, ${allow} }`,
      `  many: { url: "${many.url}", ${allow} }`,
      `  ask-http: { url: "${asking.url}", ${allow} }`,
      `  ask-stdio: { ${stdio('fixtures/asking-server.ts')}, ${allow} }`,
      `  legacy-ask-http: { url: "${oldAsking.url}", ${allow} }`,
      `  legacy-ask-stdio: { ${stdio('fixtures/legacy-asking-server.ts')}, ${allow} }`,
    ].join('\n'),
    own: (name, { a, b }) => [
      `replicas: { self: ${name}, peers: { a: "http://127.0.0.1:${a}", b: "http://127.0.0.1:${b}" } }`,
    ],
  });
  closers.push(() => replicas.remove());
  key = replicas.keys['alice'] ?? '';
  for (const { config } of replicas.both) {
    const gateway = await startAgain(config);
    closers.push(async () => {
      gateway.signal('SIGTERM');
      await gateway.exited;
    });
  }
  const [a, b] = replicas.both;
  const balancer = await startNginx(port, [a.port, b.port]);
  closers.push(() => balancer.close());
});

afterAll(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** What was done so far, by all callers together. */
type Tally = {
  readonly byReplica: Map<string, number>;
  readonly failed: string[];
  calls: number;
  /** Sessions that were opened at one replica and served by the other as well. */
  movedSessions: number;
};

const count = ({ byReplica }: Tally, replica: string | null | undefined): void => {
  const name = String(replica);
  byReplica.set(name, (byReplica.get(name) ?? 0) + 1);
};

/** One call and what it must come to, for whatever client there is. */
type Step = (client: MatrixClient, mark: string) => Promise<boolean>;

const firstText = (result: unknown): string | undefined =>
  (result as { readonly content: readonly { readonly text?: string }[] }).content[0]?.text;

const STEPS: readonly Step[] = [
  async (client, text) => firstText(await client.callTool({ name: 'echo', arguments: { text } })) === text,
  async (client) => {
    const { structuredContent } = await client.callTool({ name: 'sum', arguments: { a: 2, b: 3 } });
    return JSON.stringify(structuredContent) === '{"total":5}';
  },
  async (client) => (await client.listTools()).tools.length === TOOLS.length,
  async (client) => (await client.listPrompts()).prompts.length === 1,
  async (client, name) => {
    const { messages } = await client.getPrompt({ name: 'greet', arguments: { name } });
    return JSON.stringify(messages).includes(`Greet ${name}.`);
  },
  async (client) => (await client.listResources()).resources.length === 2,
  async (client) => JSON.stringify(await client.readResource({ uri: 'note://by-id/7' })).includes('Note 7.'),
  async (client) => {
    const ref = { type: 'ref/prompt' as const, name: 'greet' };
    const { completion } = await client.complete({ ref, argument: { name: 'name', value: 'a' } });
    return completion.values.length === 2;
  },
  async (client) => {
    const seen: number[] = [];
    const onprogress = ({ progress }: { progress: number }): void => void seen.push(progress);
    const text = firstText(await client.callTool({ name: 'count', arguments: {} }, { onprogress }));
    return text === 'counted' && seen.join() === '1,2,3';
  },
  async (client) => (await client.callTool({ name: 'fail', arguments: {} })).isError === true,
];

/** A caller with the client of an official SDK. */
async function callWithSdk(kind: ClientKind, server: string, tally: Tally): Promise<void> {
  for (let made = 0; made < CALLS_OF_ONE;) {
    const client = await connectClient(kind, `${url}/servers/${server}/mcp`, key);
    do {
      tally.calls += 1;
      const mark = `${kind} ${server} ${made}`;
      const right = await STEPS[made % STEPS.length]?.(client, mark).catch(String);
      if (right !== true) tally.failed.push(`${mark}: ${String(right)}`);
      made += 1;
    } while (made < CALLS_OF_ONE && made % CALLS_OF_ONE_CLIENT !== 0);
    await client.close();
  }
}

type Ask = (method: string, params: Record<string, unknown>) => Promise<HttpAnswer>;

/** Requests by hand on one connection that is kept; a legacy caller takes a new session now and then. */
async function callByHand(era: 'legacy' | 'modern', server: string, tally: Tally): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const to = `${url}/servers/${server}/mcp`;
  const post = async ({ headers, body }: ReturnType<typeof modern>): Promise<HttpAnswer> => {
    const answer = await send(to, { headers: { ...headers, ...bearer(key) }, body, agent });
    count(tally, String(answer.headers['x-replica']));
    return answer;
  };
  let session: string | undefined;
  let servedBy = new Set<unknown>();
  const ask: Ask = async (method, params) => {
    const answer = await post(era === 'modern' ? modern(method, params) : legacy(method, params, session));
    servedBy.add(answer.headers['x-replica']);
    return answer;
  };
  for (let made = 0; made < CALLS_OF_ONE; made++) {
    if (era === 'legacy' && made % CALLS_OF_ONE_CLIENT === 0) {
      if (servedBy.size === 2) tally.movedSessions += 1;
      const opened = await post(legacy('initialize'));
      session = String(opened.headers['mcp-session-id']);
      servedBy = new Set([opened.headers['x-replica']]);
    }
    tally.calls += 1;
    const text = `${era} by hand ${server} ${made}`;
    const { status, json } = await ask('tools/call', { name: 'echo', arguments: { text } });
    if (status !== 200 || firstText(json?.result ?? { content: [] }) !== text) {
      tally.failed.push(`${text}: ${status} ${JSON.stringify(json)}`);
    }
  }
  agent.destroy();
}

/** All pages of the long list, each wherever it falls; the tools and who served the pages. */
async function listAll(ask: Ask): Promise<{ readonly names: readonly string[]; readonly pages: readonly unknown[] }> {
  const names: string[] = [];
  const pages: unknown[] = [];
  let cursor: unknown;
  do {
    const answer = await ask('tools/list', cursor === undefined ? {} : { cursor });
    const result = answer.json?.result as { tools: { name: string }[]; nextCursor?: string } | undefined;
    if (result === undefined) throw new Error(`page ${pages.length + 1}: ${answer.status} ${answer.text}`);
    names.push(...result.tools.map(({ name }) => name));
    pages.push(answer.headers['x-replica']);
    cursor = result.nextCursor;
  } while (cursor !== undefined);
  return { names, pages };
}

const askMany =
  (session?: string): Ask =>
  (method, params) => {
    const { headers, body } = session === undefined ? modern(method, params) : legacy(method, params, session);
    return send(`${url}/servers/many/mcp`, { headers: { ...headers, ...bearer(key) }, body });
  };

async function openSession(server: string, capabilities = {}): Promise<{ readonly id: string; readonly at: unknown }> {
  const { headers, body: plain } = legacy('initialize');
  const message = JSON.parse(plain as string) as { params: object };
  const body = JSON.stringify({ ...message, params: { ...message.params, capabilities } });
  const answer = await send(`${url}/servers/${server}/mcp`, { headers: { ...headers, ...bearer(key) }, body });
  const id = answer.headers['mcp-session-id'];
  if (typeof id !== 'string') throw new Error(`no session: ${answer.text}`);
  return { id, at: answer.headers['x-replica'] };
}

describe.runIf(NGINX !== undefined)('two replicas behind a round-robin nginx', () => {
  it(`answer ${CALLS} calls of every client, over every transport, and none fails`, async () => {
    const tally: Tally = { byReplica: new Map(), failed: [], calls: 0, movedSessions: 0 };
    const began = performance.now();
    const { fetch } = globalThis;
    // What the SDKs' clients fetch with.
    vi.stubGlobal('fetch', async (...of: Parameters<typeof fetch>) => {
      const response = await fetch(...of);
      count(tally, response.headers.get('x-replica'));
      return response;
    });
    await Promise.all(
      SERVERS.flatMap((server) => [
        ...CLIENT_KINDS.map((kind) => callWithSdk(kind, server, tally)),
        callByHand('legacy', server, tally),
        callByHand('modern', server, tally),
      ]),
    );
    vi.unstubAllGlobals();
    expect(tally.failed).toEqual([]);
    expect(tally.calls).toBe(CALLS);
    const shares = [...tally.byReplica.values()];
    expect(shares).toHaveLength(2);
    const all = shares.reduce((sum, share) => sum + share, 0);
    for (const share of shares) expect(share / all).toBeGreaterThan(0.4);
    expect(tally.movedSessions).toBeGreaterThan(0);
    const seconds = Math.round((performance.now() - began) / 1000);
    console.log(
      `${tally.calls} calls in ${all} requests, ${shares.join(' and ')} at the replicas, none failed, in ${seconds} s; ` +
        `${tally.movedSessions} sessions by hand were served by both`,
    );
  });

  it.each(['modern', 'legacy'] as const)('a %s client gets the pages of one list from both', async (era) => {
    const seen = new Set<unknown>();
    for (let turn = 0; turn < 10; turn++) {
      const ask = askMany(era === 'legacy' ? (await openSession('many')).id : undefined);
      const { names, pages } = await listAll(ask);
      expect(pages.length).toBeGreaterThan(2);
      expect(new Set(names).size).toBe(MANY_TOOLS);
      expect(names).toHaveLength(MANY_TOOLS);
      for (const page of pages) seen.add(page);
      expect(new Set(pages).size).toBe(2);
    }
    expect(seen.size).toBe(2);
  });

  it('a session that its client ended at one is soon unknown at both, and stays so', async () => {
    const { id } = await openSession('modern-http');
    const to = `${url}/servers/modern-http/mcp`;
    const within = { 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25', ...bearer(key) };
    expect((await send(to, { method: 'DELETE', headers: within })).status).toBe(200);
    const refusedBy = new Set<unknown>();
    await until('both to refuse it', async () => {
      const { headers, body } = legacy('tools/list', {}, id);
      const answer = await send(to, { headers: { ...headers, ...bearer(key) }, body });
      if (answer.status === 404) refusedBy.add(answer.headers['x-replica']);
      else refusedBy.delete(answer.headers['x-replica']);
      return refusedBy.size === 2;
    });
  });

  it.each(CLIENT_KINDS)('find the call that a person of %s answers, wherever the answer comes', async (kind) => {
    const greeted: string[] = [];
    const answer = async (server: string, index: number): Promise<void> => {
      const [name, city] = [`${kind} ${server}`, `C${index}`];
      const client = await connectAsked({
        kind,
        url: `${url}/servers/${server}/mcp`,
        key,
        person: ({ message }) => ({
          action: 'accept',
          content: (message.includes('name') ? { name } : { city }) as never,
        }),
      });
      for (let turn = 0; turn < GREETINGS; turn++) {
        const { text } = await client.call('greet', { turn });
        if (text === `${name} of ${city}`) greeted.push(text);
        else throw new Error(`${name}, turn ${turn}: ${text}`);
      }
      await client.close();
    };
    const callers = ASKING.flatMap((server) => callersOf(server).map((index) => answer(server, index)));
    await Promise.all(callers);
    expect(greeted).toHaveLength(ASKING.flatMap(callersOf).length * GREETINGS);
    console.log(`${kind}: ${greeted.length} calls with two questions each, answered at either replica`);
  });

  it('find the call that a legacy client cancels at the other one', async () => {
    const { id: session } = await openSession('legacy-ask-http', { elicitation: {} });
    const to = `${url}/servers/legacy-ask-http/mcp`;
    const counts = async (): Promise<number> => {
      const { headers, body } = legacy('tools/call', { name: 'counts', arguments: {} }, session);
      const answer = await send(to, { headers: { ...headers, ...bearer(key) }, body });
      return (JSON.parse(firstText(answer.json?.result) ?? '{}') as { cancelled: number }).cancelled;
    };
    const before = await counts();
    let elsewhere = 0;
    for (let turn = 0; turn < 10; turn++) {
      const { headers, body } = legacy('tools/call', { name: 'greet', arguments: { turn } }, session);
      const exchange = await openExchange(to, { headers: { ...headers, ...bearer(key) }, body });
      await exchange.readUntil('elicitation/create');
      const cancel = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
      const told = await send(to, { headers: { ...headers, ...bearer(key) }, body: cancel });
      expect(told.status).toBe(202);
      if (told.headers['x-replica'] !== exchange.response.headers['x-replica']) elsewhere += 1;
      await exchange.drain();
    }
    expect(elsewhere).toBeGreaterThan(0);
    await until('the server to hear of all', async () => (await counts()) === before + 10);
  });

  it('keep a record each, and both are whole', async () => {
    for (const { config } of replicas.both) expect(await verifyFile(config.auditFile)).toMatchObject({ ok: true });
  });
});
