import { text } from 'node:stream/consumers';

import { afterEach, describe, expect, test } from 'vitest';

import type { JsonObject } from '../model/json.ts';
import type { Running } from './entrypoint.fixtures.ts';
import { DISCOVERED, legacyBody, open, openSession, promised, send, start, value } from './entrypoint.fixtures.ts';

let running: Running | undefined;
afterEach(() => running?.entrypoint.close(0));

/** A gateway whose calls run until they are cancelled, or until `finish`. */
async function startWaiting() {
  const { promise: begun, keep: begin } = promised();
  const { promise: finished, keep: finish } = promised();
  const aborted: boolean[] = [];
  running = await start(async ({ operation }, { channel, signal }) => {
    if (operation.kind === 'discover') return DISCOVERED;
    if (operation.kind !== 'call-tool') return value({});
    const { promise: ended, keep: end } = promised();
    signal.addEventListener('abort', () => end());
    if (operation.name === 'chatty') void channel.notify({ kind: 'progress', params: { progress: 1 } });
    begin();
    await Promise.race([ended, finished]);
    aborted.push(signal.aborted);
    return signal.aborted ? { kind: 'failed', failure: { code: 'cancelled', sent: 'maybe' } } : value({ content: [] });
  });
  return { port: running.port, begun, finish, aborted };
}

const cancelled = (requestId: unknown): JsonObject => ({
  jsonrpc: '2.0',
  method: 'notifications/cancelled',
  params: { requestId: requestId as string },
});

const call = (name: string, id: number | string): JsonObject =>
  legacyBody('tools/call', { name, arguments: {}, _meta: { progressToken: 1 } }, id);

describe('a legacy client that cancels', () => {
  test('is obeyed on whichever connection it says so, and gets no answer', async () => {
    const { port, begun, aborted } = await startWaiting();
    const headers = await openSession(port);
    const answer = send(port, { headers, body: call('quiet', 5) });
    await begun;
    expect((await send(port, { headers, body: cancelled(5) })).status).toBe(202);
    expect(await answer).toMatchObject({ status: 202, text: '' });
    expect(aborted).toEqual([true]);
  });

  test('sees a stream that has begun end without a result', async () => {
    const { port, begun } = await startWaiting();
    const headers = await openSession(port);
    const stream = await open(port, { headers, body: call('chatty', 5) });
    await begun;
    await send(port, { headers, body: cancelled(5) });
    const events = await text(stream);
    expect(events).toContain('notifications/progress');
    expect(events).not.toContain('"id":5');
  });

  test.each([
    ['an id of another type', '5'],
    ['an id that no call has', 6],
    ['no id', null],
  ])('with %s cancels nothing', async (_, id) => {
    const { port, begun, finish } = await startWaiting();
    const headers = await openSession(port);
    const answer = send(port, { headers, body: call('quiet', 5) });
    await begun;
    expect((await send(port, { headers, body: cancelled(id) })).status).toBe(202);
    finish();
    expect(JSON.parse((await answer).text)).toMatchObject({ id: 5, result: { content: [] } });
  });

  test('cannot cancel the call of another session', async () => {
    const { port, begun, finish } = await startWaiting();
    const [mine, theirs] = [await openSession(port), await openSession(port)];
    const answer = send(port, { headers: mine, body: call('quiet', 5) });
    await begun;
    await send(port, { headers: theirs, body: cancelled(5) });
    finish();
    expect((await answer).status).toBe(200);
  });

  test('gets the other answers of a batch', async () => {
    const { port, begun } = await startWaiting();
    const headers = await openSession(port, '2025-03-26');
    const batch = [call('quiet', 5), legacyBody('ping', {}, 6)];
    const answer = send(port, { headers, body: batch });
    await begun;
    await send(port, { headers, body: cancelled(5) });
    expect(JSON.parse((await answer).text)).toEqual([{ jsonrpc: '2.0', id: 6, result: {} }]);
  });
});
