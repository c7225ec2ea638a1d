import { text } from 'node:stream/consumers';

import { afterEach, describe, expect, test } from 'vitest';

import { LEGACY_REVISIONS } from '../model/revision.ts';
import { createMemoryLegacySessions } from './legacy-sessions.ts';
import type { Answering, Running } from './entrypoint.fixtures.ts';
import {
  DISCOVERED,
  eventsOf,
  initializeBody,
  legacyBody,
  open,
  openSession,
  promised,
  send,
  start,
  value,
} from './entrypoint.fixtures.ts';

let running: Running | undefined;

async function started(answering?: Answering, chosen: Parameters<typeof start>[1] = {}): Promise<Running> {
  running = await start(answering, chosen);
  return running;
}

afterEach(() => running?.entrypoint.close(0));

describe('initialize', () => {
  test.each(LEGACY_REVISIONS)('opens a session of revision %s', async (revision) => {
    const { port, seen } = await started();
    const answer = await send(port, { body: initializeBody(revision) });
    expect(JSON.parse(answer.text)).toMatchObject({ id: 1, result: { protocolVersion: revision } });
    const id = answer.headers['mcp-session-id'];
    expect(id).toMatch(/^[\x21-\x7e]{1,2047}$/);

    const call = await send(port, {
      headers: { 'mcp-session-id': id },
      body: legacyBody('tools/call', { name: 'echo', arguments: {} }, 'two'),
    });
    expect(JSON.parse(call.text)).toMatchObject({ id: 'two', result: { content: [] } });
    expect(seen[1]?.client).toMatchObject({
      era: 'legacy',
      revision,
      info: { name: 'test-client', version: '1' },
      capabilities: { roots: {} },
    });
  });

  test('offers the newest legacy revision to a client that asks for another', async () => {
    const { port } = await started();
    const answer = await send(port, { body: initializeBody('1999-01-01') });
    expect(JSON.parse(answer.text)).toMatchObject({ result: { protocolVersion: '2025-11-25' } });
  });

  test('that fails opens no session', async () => {
    const { port } = await started();
    const answer = await send(port, { headers: { authorization: undefined }, body: initializeBody('2025-11-25') });
    expect(answer.status).toBe(401);
    expect(answer.headers['mcp-session-id']).toBeUndefined();
  });

  test('names the session in records by something that opens nothing', async () => {
    const { port, seen } = await started();
    const headers = await openSession(port);
    await send(port, { headers, body: legacyBody('ping') });
    const named = seen[1]?.client.session ?? '';
    expect(named).not.toBe('');
    const stolen = { ...headers, 'mcp-session-id': named };
    expect((await send(port, { headers: stolen, body: legacyBody('ping') })).status).toBe(404);
  });
});

describe('a message in a session', () => {
  test('that is a notification is 202', async () => {
    const { port, seen } = await started();
    const headers = await openSession(port);
    const body = { jsonrpc: '2.0', method: 'notifications/initialized' };
    expect(await send(port, { headers, body })).toMatchObject({ status: 202, text: '' });
    expect(seen[1]?.operation).toMatchObject({ kind: 'notify', method: 'notifications/initialized' });
  });

  test('that is a response is 202 after the caller was authenticated', async () => {
    const { port } = await started();
    const headers = await openSession(port);
    const body = { jsonrpc: '2.0', id: 5, result: {} };
    expect((await send(port, { headers, body })).status).toBe(202);
    const unknown = { ...headers, authorization: 'Bearer nobody-key' };
    expect((await send(port, { headers: unknown, body })).status).toBe(401);
  });

  test('may name any legacy revision in its version header, or none', async () => {
    const { port } = await started();
    const headers = await openSession(port, '2025-11-25');
    for (const version of [undefined, '2025-03-26', '2025-11-25']) {
      const answer = await send(port, {
        headers: { ...headers, 'mcp-protocol-version': version },
        body: legacyBody('ping'),
      });
      expect(answer.status).toBe(200);
    }
  });

  test('is refused once the session has expired', async () => {
    const { port, clock } = await started(undefined, { limits: { sessionLifetimeMs: 1_000 } });
    const headers = await openSession(port);
    clock.nowMs += 1_000;
    expect((await send(port, { headers, body: legacyBody('ping') })).status).toBe(404);
  });

  test('continues a list with the cursor that the list gave out, for the same caller only', async () => {
    const page = { of: 'tools', entries: [], freshness: { ttlMs: 0, scope: 'private' }, missing: [] } as const;
    const { port, seen } = await started(({ operation }) =>
      operation.kind === 'list'
        ? { kind: 'listed', page: { ...page, next: { offset: 100, generation: 'g1' } } }
        : DISCOVERED,
    );
    const headers = await openSession(port);
    const first: unknown = JSON.parse((await send(port, { headers, body: legacyBody('tools/list') })).text);
    expect(first).toMatchObject({ result: { nextCursor: expect.any(String) } });
    const cursor = (first as { result: { nextCursor: string } }).result.nextCursor;

    const next = legacyBody('tools/list', { cursor });
    expect((await send(port, { headers, body: next })).status).toBe(200);
    expect(seen.at(-1)?.operation).toEqual({ kind: 'list', of: 'tools', cursor: { offset: 100, generation: 'g1' } });

    const bob = await openSession(port, '2025-11-25', { headers: { authorization: 'Bearer bob-key' } });
    const stolen = await send(port, { headers: { ...bob, authorization: 'Bearer bob-key' }, body: next });
    expect(stolen.text).toContain('error');
    const invented = await send(port, { headers, body: legacyBody('tools/list', { cursor: 'made-up' }) });
    expect(JSON.parse(invented.text)).toMatchObject({ error: { code: -32602, data: { reason: 'invalid-cursor' } } });
  });
});

describe('DELETE', () => {
  test('ends the session, and only that one', async () => {
    const { port } = await started();
    const [ended, other] = [await openSession(port), await openSession(port)];
    expect((await send(port, { method: 'DELETE', headers: ended })).status).toBe(200);
    expect((await send(port, { headers: ended, body: legacyBody('ping') })).status).toBe(404);
    expect((await send(port, { method: 'DELETE', headers: ended })).status).toBe(404);
    expect((await send(port, { headers: other, body: legacyBody('ping') })).status).toBe(200);
  });

  test('by another caller ends nothing', async () => {
    const { port } = await started();
    const headers = await openSession(port);
    const bob = { ...headers, authorization: 'Bearer bob-key' };
    expect((await send(port, { method: 'DELETE', headers: bob })).status).toBe(404);
    expect((await send(port, { headers, body: legacyBody('ping') })).status).toBe(200);
  });

  test('is refused, not forgotten, when no more ended sessions can be remembered', async () => {
    const { port } = await started(undefined, {
      sessions: { ...createMemoryLegacySessions({ now: Date.now }), revoke: () => false, isRevoked: async () => false },
    });
    const headers = await openSession(port);
    expect((await send(port, { method: 'DELETE', headers })).status).toBe(503);
    expect((await send(port, { headers, body: legacyBody('ping') })).status).toBe(200);
  });
});

describe('GET', () => {
  const streamHeaders = { accept: 'text/event-stream', 'content-type': undefined };

  test('opens a stream that stays open, with comments, until the client leaves', async () => {
    const { port, seen, streams } = await started(undefined, { limits: { keepAliveMs: 5 } });
    const headers = { ...(await openSession(port)), ...streamHeaders };
    const response = await open(port, { method: 'GET', headers });
    expect(response).toMatchObject({ statusCode: 200, headers: { 'content-type': 'text/event-stream' } });
    expect(seen.at(-1)?.operation).toMatchObject({ kind: 'listen', filter: { toolsListChanged: true } });
    const { promise, keep } = promised();
    let received = '';
    response
      .on('error', () => undefined)
      .on('data', (chunk: Buffer) => {
        received += chunk.toString();
        if (received.length > 6) keep();
      });
    await promise;
    expect(received).toMatch(/^(:\n\n)+$/);
    expect(streams.open).toBe(1);
    response.destroy();
    await expect.poll(() => streams.open).toBe(0);
  });

  test('needs a credential, an Accept header and a session that is open', async () => {
    const { port } = await started();
    const headers = { ...(await openSession(port)), ...streamHeaders };
    const ask = async (changed: object): Promise<number> =>
      (await send(port, { method: 'GET', headers: { ...headers, ...changed } })).status;
    expect(await ask({ authorization: undefined })).toBe(401);
    expect(await ask({ accept: 'application/json' })).toBe(406);
    expect(await ask({ 'mcp-session-id': 'made-up' })).toBe(404);
  });

  test('is refused beyond the streams that one caller may hold, until one is given back', async () => {
    const { port, streams } = await started(undefined, { limits: { maxStreamsPerPrincipal: 1 } });
    const headers = { ...(await openSession(port)), ...streamHeaders };
    const first = await open(port, { method: 'GET', headers });
    const second = await send(port, { method: 'GET', headers });
    expect(second.status).toBe(429);
    expect(JSON.parse(second.text)).toMatchObject({ error: { data: { reason: 'too-many-streams' } } });

    first.on('error', () => undefined).destroy();
    await expect.poll(() => streams.open).toBe(0);
    const third = await open(port, { method: 'GET', headers });
    expect(third.statusCode).toBe(200);
    third.on('error', () => undefined).destroy();
  });

  test('ends with its session', async () => {
    const { port } = await started(undefined, { limits: { sessionLifetimeMs: 30 } });
    const headers = { ...(await openSession(port)), ...streamHeaders };
    const response = await open(port, { method: 'GET', headers });
    expect(await text(response)).toBe(':\n\n');
  });
});

describe('a batch', () => {
  test('is taken apart, run at once, and answered as one array', async () => {
    const { promise: second, keep: secondCame } = promised();
    const { port, seen } = await started(async ({ operation }) => {
      if (operation.kind === 'call-tool' && operation.name === 'first') await second;
      if (operation.kind === 'call-tool' && operation.name === 'second') secondCame();
      return operation.kind === 'discover' ? DISCOVERED : value({ content: [] });
    });
    const headers = await openSession(port, '2025-03-26');
    const answer = await send(port, {
      headers,
      body: [
        legacyBody('tools/call', { name: 'first' }, 'a'),
        { jsonrpc: '2.0', method: 'notifications/x' },
        legacyBody('tools/call', { name: 'second' }, 'b'),
        legacyBody('tools/call', { name: 3 }, 'c'),
      ],
    });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject([
      { id: 'a', result: { content: [] } },
      { id: 'b', result: { content: [] } },
      { id: 'c', error: { code: -32602 } },
    ]);
    expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length);
  });

  test('of notifications alone is 202', async () => {
    const { port } = await started();
    const headers = await openSession(port, '2025-03-26');
    const body = [{ jsonrpc: '2.0', method: 'notifications/x' }];
    expect(await send(port, { headers, body })).toMatchObject({ status: 202, text: '' });
  });

  test('without a credential is 401 as a whole', async () => {
    const { port } = await started();
    const headers = { ...(await openSession(port, '2025-03-26')), authorization: undefined };
    const answer = await send(port, { headers, body: [legacyBody('ping'), legacyBody('ping', {}, 2)] });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toContain('resource_metadata');
  });

  test('becomes a stream with an event for each answer when there are notices', async () => {
    const { port } = await started(({ operation }, { channel }) => {
      if (operation.kind === 'discover') return DISCOVERED;
      void channel.notify({ kind: 'progress', params: { progress: 1 } });
      return value({ content: [] });
    });
    const headers = await openSession(port, '2025-03-26');
    const call = { name: 'echo', _meta: { progressToken: 'p' } };
    const answer = await send(port, { headers, body: [legacyBody('tools/call', call, 1), legacyBody('ping', {}, 2)] });
    expect(eventsOf(answer.text)).toMatchObject([{ method: 'notifications/progress' }, { id: 1 }, { id: 2 }]);
  });

  test('waits for a part that is still arriving where it stands', async () => {
    async function* rest(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('1');
      yield Buffer.from(']}}');
    }
    const head = '{"jsonrpc":"2.0","id":9,"result":{"content":[';
    const { port } = await started(({ operation }) => {
      if (operation.kind === 'discover') return DISCOVERED;
      if (operation.kind === 'ping') return value({});
      const message = {
        era: 'legacy' as const,
        head: Buffer.from(head),
        rest: rest(),
        id: { start: head.indexOf('9'), end: head.indexOf('9') + 1 },
        resultStart: head.indexOf('{"content"'),
        members: new Map(),
      };
      return { kind: 'complete', result: { kind: 'message', message } };
    });
    const headers = await openSession(port, '2025-03-26');
    const body = [legacyBody('x/one', {}, 1), legacyBody('ping', {}, 2)];
    expect(JSON.parse((await send(port, { headers, body })).text)).toMatchObject([
      { id: 1, result: { content: [1] } },
      { id: 2, result: {} },
    ]);
  });
});
