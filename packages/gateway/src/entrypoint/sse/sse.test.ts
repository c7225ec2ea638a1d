/** HTTP+SSE for clients of 2024-11-05: the stream, the POSTs, and who may use which. */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';

import { afterEach, describe, expect, test } from 'vitest';

import { until } from '../../../../../test/harness/until.ts';
import { formQuestion } from '../../model/elicitation.ts';
import { failure } from '../../model/failure.ts';
import type { Outcome } from '../../model/outcome.ts';
import { somebody } from '../../model/principal.fixture.ts';
import type { Pipeline } from '../../pipeline/pipeline.ts';
import { createSealer } from '../../seal/aead-sealer.ts';
import { newKeyRing } from '../../seal/key-ring.ts';
import type { Answering, Running } from '../entrypoint.fixtures.ts';
import { DISCOVERED, initializeBody, legacyBody, open, promised, send, start, value } from '../entrypoint.fixtures.ts';
import { openSse } from './sse.fixture.ts';

let running: Running | undefined;
afterEach(() => running?.entrypoint.close(0));

type Limits = NonNullable<Parameters<typeof start>[1]>['limits'];

async function started(answering?: Answering, limits: Limits = {}, legacySse = true): Promise<Running> {
  const own: Answering | undefined =
    answering &&
    ((request, exchange) => (request.operation.kind === 'discover' ? DISCOVERED : answering(request, exchange)));
  running = await start(own, { limits, legacySse });
  return running;
}

const call = (id: number | string, name = 'echo') => legacyBody('tools/call', { name, arguments: {} }, id);
const STREAM = { method: 'GET', path: '/sse', headers: { accept: 'text/event-stream', 'content-type': undefined } };
const BOB = { headers: { authorization: 'Bearer bob-key' } };

describe('the stream', () => {
  test('names where to post as its first event, and carries what is answered', async () => {
    const { port, seen, streams } = await started();
    const client = await openSse(port, '2024-11-05');
    expect(client.text()).toMatch(/^:\n\nevent: endpoint\ndata: \/sse\/messages\?session=[\w.~-]+\n\n/u);
    expect(await client.answer('init')).toMatchObject({ result: { protocolVersion: '2024-11-05' } });
    const posted = await client.post(call(1));
    expect(posted).toMatchObject({ status: 202, text: '' });
    expect(await client.answer(1)).toMatchObject({ result: { content: [] } });
    expect(seen.at(-1)).toMatchObject({
      endpoint: { kind: 'aggregate' },
      client: { era: 'legacy', revision: '2025-03-26', info: { name: 'test-client' }, session: expect.any(String) },
    });
    expect(streams.open).toBe(1);
    client.response.destroy();
    await until('the stream is forgotten', () => streams.open === 0);
    expect((await client.post(call(2))).status).toBe(404);
  });

  test('leads to one server at /servers/{id}/sse, for newer revisions as well', async () => {
    const { port, seen } = await started();
    const client = await openSse(port, '2025-11-25', { path: '/servers/files/sse' });
    expect(client.uri).toMatch(/^\/servers\/files\/sse\/messages\?session=/u);
    expect(await client.answer('init')).toMatchObject({ result: { protocolVersion: '2025-11-25' } });
    expect(seen.at(-1)).toMatchObject({ endpoint: { kind: 'server', server: 'files' } });
  });

  test('is not there unless it is switched on', async () => {
    const { port } = await started(undefined, {}, false);
    const nowhere = await send(port, { ...STREAM, path: '/nowhere' });
    const withoutId = (text: string): string => text.replace(/"requestId":"[^"]*"/u, '');
    for (const path of ['/sse', '/sse/messages', '/servers/files/sse', '/servers/files/sse/messages']) {
      const answer = await send(port, { ...STREAM, path });
      expect([answer.status, withoutId(answer.text)]).toEqual([nowhere.status, withoutId(nowhere.text)]);
    }
  });

  test.each([
    ['without a credential', { authorization: undefined }, 401],
    ['with a wrong one', { authorization: 'Bearer nobody-key' }, 401],
    ['from a page of strangers', { origin: 'https://evil.example' }, 403],
    ['for another host', { host: 'evil.example' }, 403],
    ['that wants JSON', { accept: 'application/json' }, 406],
  ])('%s is refused', async (_name, headers, status) => {
    const { port, streams } = await started();
    const answer = await send(port, { ...STREAM, headers: { ...STREAM.headers, ...headers } });
    expect(answer.status).toBe(status);
    if (status === 401) expect(answer.headers['www-authenticate']).toContain('resource_metadata');
    expect(streams.open).toBe(0);
  });

  test.each([
    ['/sse', 'POST', 'GET'],
    ['/sse', 'DELETE', 'GET'],
    ['/sse/messages', 'GET', 'POST'],
  ])('%s does not take %s, and says so to clients that try the newer transport first', async (path, method, allow) => {
    const { port } = await started();
    const answer = await send(port, {
      method,
      path,
      body: method === 'POST' ? initializeBody('2025-11-25') : undefined,
    });
    expect(answer).toMatchObject({ status: 405, headers: { allow } });
  });

  test('is counted among those that one caller may have', async () => {
    const { port } = await started(undefined, { maxStreamsPerPrincipal: 2 });
    const first = await openSse(port);
    await openSse(port);
    expect((await send(port, STREAM)).status).toBe(429);
    first.response.destroy();
    await until('there is room again', async () => {
      const response = await open(port, STREAM);
      response.destroy();
      return response.statusCode === 200;
    });
  });

  test('ends with its session', async () => {
    const { port, streams, noted } = await started(undefined, { sessionLifetimeMs: 300 });
    const client = await openSse(port, '2024-11-05');
    await client.ended;
    await until('it is forgotten', () => streams.open === 0);
    expect(noted.filter(({ kind }) => kind === 'session')).toMatchObject([{ change: 'opened' }, { change: 'closed' }]);
  });

  test('says that it is alive', async () => {
    const { port } = await started(undefined, { keepAliveMs: 20 });
    const client = await openSse(port);
    await until('two comments came', () => client.text().split(':\n\n').length > 3);
  });
});

describe('a message', () => {
  test.each<[string, (uri: string) => string, number]>([
    ['without a session', () => '/sse/messages', 404],
    ['with an empty one', () => '/sse/messages?session=', 404],
    ['with two', (uri) => `${uri}&session=x`, 404],
    ['with one bit flipped', (uri) => uri.slice(0, -1) + (uri.endsWith('A') ? 'B' : 'A'), 404],
    ['for another endpoint', (uri) => uri.replace('/sse/', '/servers/files/sse/'), 404],
  ])('%s is turned away', async (_name, change, status) => {
    const { port, seen } = await started();
    const client = await openSse(port, '2024-11-05');
    const before = seen.length;
    const answer = await send(port, { path: change(client.uri), body: call(1) });
    expect(answer.status).toBe(status);
    expect(answer.text).toContain('Open it again with GET');
    expect(seen).toHaveLength(before);
  });

  test('sealed under the same keys for a stream of another process is turned away with what to do', async () => {
    const sealer = createSealer(newKeyRing(randomBytes), { now: () => 1_800_000_000_000, randomBytes });
    const elsewhere = await start(undefined, { legacySse: true, sealer });
    const client = await openSse(elsewhere.port, '2024-11-05');
    running = await start(undefined, { legacySse: true, sealer });
    const answer = await send(running.port, { path: client.uri, body: call(1) });
    expect(answer).toMatchObject({ status: 404, text: expect.stringContaining('no event stream here') });
    await elsewhere.entrypoint.close(0);
  });

  test('of somebody else is refused like a session that is unknown, and says nothing on the stream', async () => {
    const { port } = await started();
    const client = await openSse(port, '2024-11-05');
    const before = client.text();
    expect((await client.post(call(7), BOB)).status).toBe(404);
    expect((await client.post(call(7), { headers: { authorization: undefined } })).status).toBe(401);
    expect((await client.post({ jsonrpc: '2.0', method: 'notifications/x' }, BOB)).status).toBe(404);
    expect((await client.post({ ...initializeBody('2024-11-05'), id: 7 }, BOB)).text).toContain('"error"');
    await client.post(call(8));
    await client.answer(8);
    expect(client.text().slice(before.length)).not.toContain('"id":7');
  });

  test('whose sender is found out late is acknowledged, and says nothing on a stream that is not its own', async () => {
    const found = promised();
    const pipeline: Pipeline = {
      async handle({ operation, presented }) {
        if (presented.bearer?.expose() !== 'bob-key') {
          return { outcome: operation.kind === 'discover' ? DISCOVERED : value({}), principal: somebody('alice') };
        }
        await found.promise;
        return { outcome: { kind: 'failed', failure: failure('unknown-session') }, principal: somebody('bob') };
      },
    };
    running = await start(undefined, { legacySse: true, pipeline });
    const client = await openSse(running.port, '2024-11-05');
    expect((await client.post(call(7), BOB)).status).toBe(202);
    found.keep();
    await client.post(call(8));
    await client.answer(8);
    expect(client.messages.some(({ id }) => id === 7)).toBe(false);
  });

  test.each<[string, unknown, Record<string, string>, number]>([
    ['that is no JSON', '{', {}, 400],
    ['that is no JSON-RPC', { hello: 1 }, {}, 400],
    ['that is a batch', [call(1)], {}, 400],
    ['of another type', call(1), { 'content-type': 'text/plain' }, 415],
    ['that is compressed', call(1), { 'content-encoding': 'gzip' }, 415],
    ['that is too long', { ...call(1), fill: 'x'.repeat(5000) }, {}, 413],
    ['with an initialize that says no version', legacyBody('initialize', {}, 9), {}, 202],
    ['with a second initialize', { ...initializeBody('2024-11-05'), id: 9 }, {}, 202],
    ['for a method that old clients do not have', legacyBody('server/discover', {}, 9), {}, 202],
    ['for a log level that there is none of', legacyBody('logging/setLevel', { level: 'loud' }, 9), {}, 202],
  ])('%s is answered with its status', async (_name, body, headers, status) => {
    const { port } = await started(undefined, { maxBodyBytes: 4000 });
    const client = await openSse(port, '2024-11-05');
    const answer = await client.post(body, { headers });
    expect([answer.status, answer.text]).toEqual([status, expect.anything()]);
    if (status === 202) expect(await client.answer(9)).toMatchObject({ error: { code: expect.any(Number) } });
  });

  test('before initialize is refused', async () => {
    const { port } = await started();
    const client = await openSse(port);
    expect(await client.post(call(1))).toMatchObject({
      status: 400,
      text: expect.stringContaining('Send initialize first'),
    });
  });

  test('that cancels is heard: its call gets no answer', async () => {
    const aborted = promised();
    const { port } = await started(async (request, exchange) => {
      if (request.operation.kind !== 'call-tool') return value({});
      await once(exchange.signal, 'abort');
      aborted.keep();
      return value({ content: [] });
    });
    const client = await openSse(port, '2024-11-05');
    expect((await client.post(call('slow'))).status).toBe(202);
    const params = { requestId: 'slow' };
    expect((await client.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params })).status).toBe(202);
    await aborted.promise;
    await client.post(legacyBody('ping', {}, 'after'));
    await client.answer('after');
    expect(client.messages.some(({ id }) => id === 'slow')).toBe(false);
  });
});

describe('what comes back', () => {
  const FORM = { confirm: formQuestion('Really?', { type: 'object', properties: {} }) };
  const asking: Answering = ({ operation, answers }): Outcome => {
    if (operation.kind !== 'call-tool') return value({});
    if (answers !== undefined) return value({ answers: answers.responses });
    return { kind: 'input-required', requests: FORM, continuation: { kind: 'approval', approvalId: 'a1' } };
  };

  test('can be a question, and the answer is posted', async () => {
    const { port } = await started(asking);
    const client = await openSse(port, '2025-11-25');
    expect((await client.post(call('asks'))).status).toBe(202);
    await until('it is asked', () => client.messages.some(({ method }) => method === 'elicitation/create'));
    const id = client.messages.find(({ method }) => method === 'elicitation/create')?.id;
    expect((await client.post({ jsonrpc: '2.0', id, result: { action: 'accept' } }, BOB)).status).toBe(404);
    expect((await client.post({ jsonrpc: '2.0', id, result: { action: 'accept' } })).status).toBe(202);
    expect(await client.answer('asks')).toMatchObject({ result: { answers: { confirm: { action: 'accept' } } } });
  });

  test('of a client that goes away in the middle of a question ends the question', async () => {
    const { port, entrypoint } = await started(asking);
    const client = await openSse(port, '2025-11-25');
    await client.post(call('asks'));
    await until('it is asked', () => entrypoint.counts().openQuestions === 1);
    client.response.destroy();
    await until('nobody is asked any more', () => entrypoint.counts().openQuestions === 0);
    await until('the call is over', () => entrypoint.calls === 0);
  });

  test('in pieces is not cut by another answer', async () => {
    const go = promised();
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('"half');
      await go.promise;
      yield Buffer.from(' and half"}}');
    }
    const head = Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"text":');
    const span = { start: head.indexOf('1,"result"'), end: head.indexOf('1,"result"') + 1 };
    const message = {
      era: 'legacy',
      head,
      id: span,
      resultStart: head.indexOf('{"text"'),
      members: new Map(),
    } as const;
    const { port } = await started(({ operation }) =>
      operation.kind === 'call-tool'
        ? { kind: 'complete', result: { kind: 'message', message: { ...message, rest: pieces() } } }
        : value({ small: true }),
    );
    const client = await openSse(port, '2025-11-25');
    await client.post(call('large'));
    await until('the first half is there', () => client.text().includes('"half'));
    await client.post(legacyBody('ping', {}, 'small'));
    go.keep();
    expect(await client.answer('large')).toMatchObject({ result: { text: 'half and half' } });
    expect(await client.answer('small')).toMatchObject({ result: {} });
  });

  test('waits for a client that reads slowly, within a bound, and then no more is taken from it', async () => {
    const large = 'x'.repeat(512 * 1024);
    const { port, streams } = await started(() => value({ large }), {
      maxPendingNoticeBytes: 256 * 1024,
      writeTimeoutMs: 500,
    });
    const client = await openSse(port, '2025-11-25');
    client.response.pause();
    const statuses: number[] = [];
    for (let id = 1; id <= 40; id += 1) statuses.push((await client.post(call(id))).status);
    expect(statuses).toContain(503);
    // The operating system may take some of it: whoever goes on asking is cut off.
    await until('a client that does not read at all is cut off', async () => {
      await client.post(call('more'));
      return streams.open === 0;
    });
  });

  test('is bounded in how much is at work', async () => {
    const go = promised();
    const { port } = await started(async ({ operation }) => {
      if (operation.kind === 'call-tool') await go.promise;
      return value({ content: [] });
    });
    const client = await openSse(port, '2025-11-25');
    const posted = await Promise.all(Array.from({ length: 70 }, (_, id) => client.post(call(id))));
    expect(posted.filter(({ status }) => status === 503)).toHaveLength(6);
    go.keep();
    await until('all others are answered', () => client.messages.length === 65);
  });

  test('comes while the gateway drains, and the stream ends behind it', async () => {
    const go = promised();
    const { port, entrypoint } = await started(async ({ operation }) => {
      if (operation.kind === 'call-tool') await go.promise;
      return value({ content: [] });
    });
    const client = await openSse(port, '2025-11-25');
    await client.post(call('last'));
    const closing = entrypoint.close(5000);
    go.keep();
    expect(await client.answer('last')).toMatchObject({ result: {} });
    await client.ended;
    await closing;
  });
});
