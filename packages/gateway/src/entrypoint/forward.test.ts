/** Requests about what is open in another replica are passed on to it, once, and by replicas alone. */

import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';

import { afterEach, describe, expect, it } from 'vitest';

import { until } from '../../../../test/harness/until.ts';
import { formQuestion } from '../model/elicitation.ts';
import type { JsonObject } from '../model/json.ts';
import type { Outcome } from '../model/outcome.ts';
import { createSealer } from '../seal/aead-sealer.ts';
import { newKeyRing } from '../seal/key-ring.ts';
import {
  DISCOVERED,
  eventsOf,
  legacyBody,
  modernBody,
  modernHeaders,
  open,
  openSession,
  promised,
  send,
  start,
  value,
  type Answering,
  type Received,
  type Running,
} from './entrypoint.fixtures.ts';
import { createForwardPasses, PASS_HEADER } from './forward-pass.ts';
import { replicaId, type OtherReplicas } from './forwarding.ts';
import { openSse } from './sse/sse.fixture.ts';

const NOW_MS = 1_800_000_000_000;
const running: Running[] = [];
afterEach(async () => {
  for (const { entrypoint } of running.splice(0)) await entrypoint.close(0);
});

const REQUESTS = { confirm: formQuestion('Really?', { type: 'object', properties: {} }) };

type World = { readonly a: Running; readonly b: Running; readonly sealer: ReturnType<typeof createSealer> };

/** Two replicas that know each other; what each does is the test's. */
async function replicas(answering: (name: 'a' | 'b') => Answering, reach = true): Promise<World> {
  const sealer = createSealer(newKeyRing(randomBytes), { now: () => NOW_MS, randomBytes });
  const ports = new Map<string, number>();
  const others = (other: 'a' | 'b'): OtherReplicas => ({
    names: [other],
    send: (_name, { path, headers, body, signal }) =>
      new Promise((resolve, reject) => {
        if (!reach) return resolve(undefined);
        const to = { host: '127.0.0.1', port: ports.get(other), path, method: 'POST', headers: [...headers], signal };
        const request = httpRequest(to, (response) => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response });
        });
        request.on('error', reject).end(body);
      }),
  });
  const one = async (name: 'a' | 'b', other: 'a' | 'b'): Promise<Running> => {
    const replica = replicaId(name, `process-${name}`);
    const started = await start(answering(name), { sealer, replica, otherReplicas: others(other), legacySse: true });
    ports.set(name, started.port);
    running.push(started);
    return started;
  };
  return { a: await one('a', 'b'), b: await one('b', 'a'), sealer };
}

const asking: Answering = ({ operation, answers }): Outcome => {
  if (operation.kind === 'discover') return DISCOVERED;
  if (operation.kind !== 'call-tool') return value({});
  if (answers !== undefined) return value({ answers: answers.responses });
  const owner = replicaId('a', 'process-a');
  const continuation = { kind: 'parked', server: 's', version: '1', owner, parkedCallId: 'p' } as const;
  return { kind: 'input-required', requests: REQUESTS, continuation };
};

const ANSWERS = { confirm: { action: 'accept', content: {} } };
const CALL = { name: 'echo', arguments: {} };

const callAt = (port: number, more: JsonObject = {}, key = 'alice-key'): Promise<Received> =>
  send(port, {
    headers: { ...modernHeaders('tools/call', 'echo'), authorization: `Bearer ${key}` },
    body: modernBody('tools/call', { ...CALL, ...more }),
  });

async function stateFrom(port: number): Promise<string> {
  const { result } = JSON.parse((await callAt(port)).text) as { result: { requestState: string } };
  return result.requestState;
}

const answered = async (world: World, key?: string): Promise<Received> => {
  const requestState = await stateFrom(world.a.port);
  return callAt(world.b.port, { requestState, inputResponses: ANSWERS }, key);
};

const callsAt = ({ seen }: Running) => seen.filter(({ operation }) => operation.kind === 'call-tool');

describe('the retry of a call that another replica has', () => {
  it('goes on there, and is nobody else’s request', async () => {
    const world = await replicas(() => asking);
    const { status, text } = await answered(world);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({ id: 1, result: { answers: ANSWERS } });
    expect(callsAt(world.a)).toHaveLength(2);
    expect(callsAt(world.b)).toEqual([]);
    expect(callsAt(world.a)[1]?.client.address).toBe(callsAt(world.a)[0]?.client.address);
  });

  it('is authenticated there: a state without its owner’s credential opens nothing', async () => {
    const world = await replicas(() => asking);
    const { text } = await answered(world, 'bob-key');
    expect(JSON.parse(text)).toMatchObject({ error: { code: -32_602 } });
    expect((await answered(world, 'no-key')).status).toBe(401);
    expect((await answered(world, 'no-key')).headers['www-authenticate']).toContain('Bearer');
  });

  it('comes back as a stream, as it happens, with what CORS wants from here', async () => {
    const gate = promised();
    const world = await replicas((name) => async (request, exchange) => {
      if (name === 'b' || request.answers === undefined) return asking(request, exchange);
      await exchange.channel.notify({ kind: 'progress', params: { progress: 1 } });
      await gate.promise;
      return asking(request, exchange);
    });
    const requestState = await stateFrom(world.a.port);
    const response = await open(world.b.port, {
      headers: { ...modernHeaders('tools/call', 'echo'), origin: 'https://app.example.com' },
      body: modernBody('tools/call', { ...CALL, requestState, inputResponses: ANSWERS }, { progressToken: 7 }),
    });
    expect(response.headers['content-type']).toBe('text/event-stream');
    expect(response.headers['access-control-allow-origin']).toBe('https://app.example.com');
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await until('the progress', () => text.includes('notifications/progress'));
    expect(text).not.toContain('"result"');
    gate.keep();
    await until('the result', () => text.includes('"result"'));
    expect(eventsOf(text)).toHaveLength(2);
  });

  it('is cancelled there when its client goes away here', async () => {
    const [begun, ended] = [promised(), promised()];
    const world = await replicas(() => async (request, exchange) => {
      if (request.answers === undefined) return asking(request, exchange);
      exchange.signal.addEventListener('abort', () => ended.keep());
      begun.keep();
      await ended.promise;
      return value({});
    });
    const requestState = await stateFrom(world.a.port);
    const body = modernBody('tools/call', { ...CALL, requestState, inputResponses: ANSWERS });
    const headers = {
      ...modernHeaders('tools/call', 'echo'),
      'content-type': 'application/json',
      authorization: 'Bearer alice-key',
    };
    const request = httpRequest({
      host: '127.0.0.1',
      port: world.b.port,
      path: '/mcp',
      method: 'POST',
      headers,
      agent: false,
    });
    request.on('error', () => undefined).end(JSON.stringify(body));
    await begun.promise;
    request.destroy();
    await ended.promise;
  });

  it('is answered here when the other cannot be reached, as by a gateway that is alone', async () => {
    const world = await replicas(() => asking, false);
    await answered(world);
    expect(callsAt(world.b)).toHaveLength(1);
  });

  it('that breaks off at the other says to call again', async () => {
    const world = await replicas((name) => (request, exchange) => {
      if (name === 'a' && request.answers !== undefined) void world.a.entrypoint.close(0);
      return request.answers === undefined ? asking(request, exchange) : new Promise<Outcome>(() => undefined);
    });
    const requestState = await stateFrom(world.a.port);
    const { text } = await callAt(world.b.port, { requestState, inputResponses: ANSWERS });
    expect(JSON.parse(text)).toMatchObject({
      error: { message: expect.stringMatching(/broke off.*Make the call again/u) },
    });
  });
});

describe('what a legacy client posts to another replica than the one that has its call', () => {
  const authorized = { authorization: 'Bearer alice-key' };

  it('an answer reaches the call that waits for it', async () => {
    const { a, b } = await replicas(() => asking);
    const session = await openSession(a.port);
    const stream = await open(a.port, { headers: session, body: legacyBody('tools/call', CALL, 'call') });
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    const [question] = await until('the question', () => {
      const events = eventsOf(text) as { id: string }[];
      return events.length > 0 && events;
    });
    const answer = { jsonrpc: '2.0', id: question?.id ?? '', result: ANSWERS.confirm };
    expect(
      (await send(b.port, { headers: { ...session, authorization: 'Bearer bob-key' }, body: answer })).status,
    ).toBe(404);
    expect((await send(b.port, { headers: { ...session, ...authorized }, body: answer })).status).toBe(202);
    await until('the result', () => text.includes('"answers"'));
    expect(b.seen.filter(({ operation }) => operation.kind === 'notify')).toEqual([]);
  });

  it('a cancellation ends the call, wherever it runs, and nobody else’s', async () => {
    const ended = promised<string>();
    const { a, b } = await replicas(() => async (request, exchange) => {
      if (request.operation.kind !== 'call-tool') return asking(request, exchange);
      exchange.signal.addEventListener('abort', () => ended.keep(request.client.session ?? ''));
      await ended.promise;
      return value({});
    });
    const [session, another] = [await openSession(a.port), await openSession(a.port)];
    const call = send(a.port, { headers: session, body: legacyBody('tools/call', CALL, 'call') });
    await until('the call to run', () => callsAt(a).length === 1);
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'call' } };
    const told = (): number => a.seen.filter(({ operation }) => operation.kind === 'notify').length;
    expect((await send(b.port, { headers: another, body: cancel })).status).toBe(202);
    await until('the other to be told', () => told() === 1);
    expect((await send(b.port, { headers: session, body: cancel })).status).toBe(202);
    expect(await ended.promise).toBe(callsAt(a)[0]?.client.session);
    expect((await call).status).toBe(202);
    expect(told()).toBe(2);
  });
});

describe('what a legacy client says for its whole session', () => {
  it('is said to all replicas, once, before it is answered', async () => {
    const { a, b } = await replicas(() => asking);
    const session = await openSession(a.port);
    const levels = ({ seen }: Running) => seen.filter(({ operation }) => operation.kind === 'set-log-level').length;
    expect(
      (await send(b.port, { headers: session, body: legacyBody('logging/setLevel', { level: 'info' }) })).status,
    ).toBe(200);
    expect([levels(a), levels(b)]).toEqual([1, 1]);
    expect(
      (await send(b.port, { headers: session, body: legacyBody('logging/setLevel', { level: 'loud' }) })).status,
    ).toBe(200);
    expect([levels(a), levels(b)]).toEqual([1, 1]);
  });

  it('is answered though another replica is away', async () => {
    const { b } = await replicas(() => asking, false);
    const session = await openSession(b.port);
    expect(
      (await send(b.port, { headers: session, body: legacyBody('logging/setLevel', { level: 'info' }) })).status,
    ).toBe(200);
  });
});

describe('a pass', () => {
  const refusedWith = async (pass: string, body: unknown = modernBody('tools/call', CALL), method = 'POST') => {
    const world = await replicas(() => asking);
    const headers = { ...modernHeaders('tools/call', 'echo'), [PASS_HEADER]: pass };
    return send(world.a.port, { method, headers, body });
  };

  it('that no replica made is refused', async () => {
    for (const pass of ['1', 'a.b', `${'A'.repeat(8)}.${'B'.repeat(200)}`]) {
      expect((await refusedWith(pass)).status).toBe(400);
    }
  });

  it.each([
    ['for another replica', 'b', { path: '/mcp' }],
    ['for another path', 'a', { path: '/servers/x/mcp' }],
    ['for another message', 'a', { path: '/mcp', body: '{}' }],
  ])('made %s is refused', async (_, to, made) => {
    const world = await replicas(() => asking);
    const body = JSON.stringify(modernBody('tools/call', CALL));
    const pass = createForwardPasses(world.sealer, 'b').issue(to, '10.9.8.7', { body, ...made });
    const headers = { ...modernHeaders('tools/call', 'echo'), [PASS_HEADER]: pass };
    const { status, text } = await send(world.a.port, { headers, body });
    expect([status, text]).toEqual([400, expect.stringContaining(PASS_HEADER)]);
    expect(callsAt(world.a)).toEqual([]);
  });

  it('is for messages alone, says where they came from, and lets nothing be passed on again', async () => {
    const world = await replicas(() => asking);
    const requestState = await stateFrom(world.a.port);
    const body = JSON.stringify(modernBody('tools/call', { ...CALL, requestState, inputResponses: ANSWERS }));
    // What `a` has comes to `b` with a pass, as if `b` had it: it stays there, and is never sent back and forth.
    const pass = createForwardPasses(world.sealer, 'a').issue('b', '10.9.8.7', { path: '/mcp', body });
    const headers = { ...modernHeaders('tools/call', 'echo'), [PASS_HEADER]: pass };
    expect((await send(world.b.port, { headers, body })).status).toBe(200);
    expect(callsAt(world.b).map(({ client }) => client.address)).toEqual(['10.9.8.7']);
    expect(callsAt(world.a)).toHaveLength(1);
    expect((await send(world.b.port, { method: 'GET', headers })).status).toBe(400);
  });
});

describe('a message of an HTTP+SSE session whose stream another replica has', () => {
  it('is passed on to it, and answered on the stream', async () => {
    const world = await replicas(
      () =>
        ({ operation }) =>
          operation.kind === 'discover' ? DISCOVERED : value({}),
    );
    const client = await openSse(world.a.port, '2024-11-05');
    const answer = await send(world.b.port, { path: client.uri, body: legacyBody('tools/call', CALL, 7) });
    expect(answer.status).toBe(202);
    expect(await client.answer(7)).toMatchObject({ result: {} });
    expect(callsAt(world.a)).toHaveLength(1);
    expect(callsAt(world.b)).toEqual([]);
  });

  it('is told to open its stream again when that replica cannot be reached', async () => {
    const world = await replicas(() => asking, false);
    const client = await openSse(world.a.port, '2024-11-05');
    const answer = await send(world.b.port, { path: client.uri, body: legacyBody('tools/call', CALL, 7) });
    expect([answer.status, answer.text]).toEqual([404, expect.stringContaining('Open it again')]);
  });
});
