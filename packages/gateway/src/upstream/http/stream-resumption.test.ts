/** A legacy server that closes the stream of a call before it has answered is asked for the rest; a modern one is not. */

import type { ServerResponse } from 'node:http';

import { afterEach, describe, expect, test } from 'vitest';

import { cleanUp, connectTo, failureOf } from '../testing/http-kit.ts';
import { asLegacy, asModern, event, openEvents, resultOf, serveRpc, SESSION_ID } from '../testing/http-servers.ts';
import type { Asked, Cleanups, Respond } from '../testing/http-servers.ts';
import { callTool, collectNotices, resultText, sendOptions } from '../testing/test-kit.ts';

const cleanups: Cleanups = [];
afterEach(() => cleanUp(cleanups));

const DONE = { content: [{ type: 'text', text: 'done' }] };

const withId = (id: string, text: string): string => `id: ${id}\n${text}`;

const progress = (asked: Asked, value: number): string => {
  const { progressToken } = asked.params['_meta'] as { progressToken: number };
  return event({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress: value } });
};

/** `onGet` has the call, the id that was come back with, and which time it is. */
async function server(
  onCall: (asked: Asked, response: ServerResponse) => void,
  onGet: (call: Asked, lastEventId: string, response: ServerResponse, time: number) => void,
  as: (respond: Respond) => Respond = asLegacy,
) {
  let call: Asked | undefined;
  let times = 0;
  const served = await serveRpc(
    cleanups,
    as((asked, response) => {
      if (asked.method === 'tools/call') {
        call = asked;
        openEvents(response);
        onCall(asked, response);
      } else if (asked.http === 'GET' && call !== undefined) {
        times += 1;
        onGet(call, String(asked.headers['last-event-id']), response, times);
      }
    }),
  );
  const upstream = await connectTo(cleanups, served.url);
  return { ...served, upstream };
}

describe('a legacy server that closes the stream of a call', () => {
  test('is asked for the rest after as long as it said, as often as it does so, and nothing is told twice', async () => {
    const began: number[] = [];
    const { upstream, asked } = await server(
      (call, response) => {
        response.end(`id: a\nretry: 60\ndata: \n\n${withId('b', progress(call, 1))}`);
        began.push(performance.now());
      },
      (call, lastEventId, response, time) => {
        began.push(performance.now());
        openEvents(response);
        if (time === 1) response.end(withId(`${lastEventId}+`, progress(call, 2)));
        else response.write(withId(`${lastEventId}+`, event(resultOf(call, DONE))));
      },
    );
    const channel = collectNotices(true);
    expect(await resultText(await upstream.send(callTool('slow'), sendOptions({ channel })))).toContain('done');
    expect(channel.notices.map(({ params }) => params['progress'])).toEqual([1, 2]);
    const gets = asked.filter(({ http }) => http === 'GET');
    expect(gets.map(({ headers }) => headers['last-event-id'])).toEqual(['b', 'b+']);
    expect(gets[0]?.headers).toMatchObject({ 'mcp-session-id': SESSION_ID, 'mcp-protocol-version': '2025-11-25' });
    // A timer may run a fraction of a millisecond early.
    expect((began[1] ?? 0) - (began[0] ?? 0)).toBeGreaterThanOrEqual(59);
    expect(asked.filter(({ method }) => method === 'tools/call')).toHaveLength(1);
  });

  test('is gone on with behind the last event that was whole', async () => {
    const { upstream, asked } = await server(
      (call, response) => {
        response.write(`${withId('whole', progress(call, 1))}id: half\nretry: 1\ndata: {"jsonrpc":`, () =>
          response.destroy(),
        );
      },
      (call, _lastEventId, response) => {
        openEvents(response);
        response.end(event(resultOf(call, DONE)));
      },
    );
    expect(
      await resultText(await upstream.send(callTool('slow'), sendOptions({ channel: collectNotices(true) }))),
    ).toContain('done');
    expect(asked.find(({ http }) => http === 'GET')?.headers['last-event-id']).toBe('whole');
  });

  test('and then has nothing new to tell, or refuses, has lost the call', async () => {
    const close = (_call: Asked, response: ServerResponse): void => void response.end('id: a\nretry: 1\ndata: \n\n');
    const empty = await server(close, (_call, _id, response) => {
      openEvents(response);
      response.end();
    });
    expect(failureOf(await empty.upstream.send(callTool('slow'), sendOptions()))).toMatchObject({
      code: 'upstream-closed',
      sent: 'yes',
    });
    expect(empty.asked.filter(({ http }) => http === 'GET')).toHaveLength(4);
    const refusing = await server(close, (_call, _id, response) => void response.writeHead(405).end());
    expect(failureOf(await refusing.upstream.send(callTool('slow'), sendOptions()))).toMatchObject({ sent: 'yes' });
    expect(refusing.asked.filter(({ http }) => http === 'GET')).toHaveLength(1);
  });

  test('without an id has lost the call, and one of 2026-07-28 has with one', async () => {
    const never = (): void => {
      throw new Error('nobody should come back');
    };
    const nameless = await server((_call, response) => void response.end('retry: 1\ndata: \n\n'), never);
    expect(failureOf(await nameless.upstream.send(callTool('slow'), sendOptions()))).toMatchObject({ sent: 'yes' });
    const modern = await server((_call, response) => void response.end('id: a\nretry: 1\ndata: \n\n'), never, asModern);
    expect(failureOf(await modern.upstream.send(callTool('slow'), sendOptions()))).toMatchObject({ sent: 'yes' });
    expect(modern.asked.filter(({ http }) => http === 'GET')).toEqual([]);
  });

  test('is not asked for what its caller gave up meanwhile', async () => {
    const gone = new AbortController();
    const { upstream, asked } = await server(
      (_call, response) => {
        response.end('id: a\nretry: 50\ndata: \n\n');
        setTimeout(() => gone.abort(), 10);
      },
      () => undefined,
    );
    const outcome = await upstream.send(callTool('slow'), sendOptions({ signal: gone.signal }));
    expect(failureOf(outcome)).toMatchObject({ code: 'cancelled' });
    await upstream.close();
    expect(asked.filter(({ http }) => http === 'GET')).toEqual([]);
    expect(asked.some(({ method }) => method === 'notifications/cancelled')).toBe(true);
  });
});
