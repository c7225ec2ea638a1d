import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { Refusal, refuse } from '../../model/failure.ts';
import { cleanUp, connectTo, failureOf, JSON_TYPE, messageOf, raw, RESULT } from '../testing/http-kit.ts';
import { asModern, json, resultOf, serveRpc } from '../testing/http-servers.ts';
import type { Cleanups, Respond } from '../testing/http-servers.ts';
import { callTool, resultText, sendOptions, testCall } from '../testing/test-kit.ts';

const cleanups: Cleanups = [];
afterEach(() => cleanUp(cleanups));

const serveModern = (respond: Respond) => serveRpc(cleanups, asModern(respond));

const BIG_TEXT = 'x'.repeat(1024);

/** Writes `pieces` kibibytes of one result, as fast as it is read. */
async function writeBig(response: ServerResponse, opening: string, pieces: number, closing: string): Promise<void> {
  response.write(opening);
  for (let index = 0; index < pieces; index += 1) {
    if (!response.write(BIG_TEXT)) await once(response, 'drain');
  }
  response.end(closing);
}

describe('a large result', () => {
  const opening = (id: unknown): string =>
    `{"jsonrpc":"2.0","id":${String(id)},"result":{"resultType":"complete","content":[{"type":"text","text":"`;
  const closing = '"}]}}';

  test.each([
    ['JSON', 'application/json', '', ''],
    ['an event', 'text/event-stream', 'data: ', '\n\n'],
  ])('in %s is handed on before its end, whole and unchanged', async (_name, type, before, after) => {
    const pieces = 3000;
    const server = await serveModern((asked, response) => {
      response.writeHead(200, { 'content-type': type });
      void writeBig(response, before + opening(asked.id), pieces, closing + after);
    });
    const upstream = await connectTo(cleanups, server.url, { maxBufferedBytes: 200_000 });
    const outcome = await upstream.send(callTool('big'), sendOptions());
    const { head, rest, members } = messageOf(outcome);
    expect(head.length).toBeLessThan(300_000);
    expect([...members.keys()]).toEqual(['resultType']);
    expect(rest).toBeDefined();
    const text = await resultText(outcome);
    expect(JSON.parse(text)).toEqual({
      resultType: 'complete',
      content: [{ type: 'text', text: BIG_TEXT.repeat(pieces) }],
    });
    // The connection is kept: the next call needs no other.
    expect(failureOf(await upstream.send(testCall({ kind: 'end-session' }), sendOptions())).code).toBe(
      'method-not-found',
    );
  });

  test('that nobody reads stops the server from writing', async () => {
    let accepted = 0;
    const server = await serveModern((asked, response) => {
      if (asked.params['name'] !== 'big') {
        json(response, resultOf(asked, RESULT));
        return;
      }
      response.writeHead(200, JSON_TYPE);
      response.write(opening(asked.id));
      const pump = (): void => {
        while (accepted < 32_000) {
          accepted += 1;
          if (!response.write(BIG_TEXT)) {
            response.once('drain', pump);
            return;
          }
        }
        response.end(closing);
      };
      pump();
    });
    const upstream = await connectTo(cleanups, server.url);
    const outcome = await upstream.send(callTool('big'), sendOptions());
    for (let index = 0; index < 200; index += 1) await upstream.send(callTool('small'), sendOptions());
    expect(accepted).toBeLessThan(16_000);
    expect((await resultText(outcome)).length).toBeGreaterThan(32_000 * BIG_TEXT.length);
  });

  test('that breaks off fails its reader', async () => {
    const server = await serveModern((asked, response) => {
      response.writeHead(200, JSON_TYPE);
      response.write(opening(asked.id) + BIG_TEXT.repeat(200), () => response.destroy());
    });
    const outcome = await (await connectTo(cleanups, server.url)).send(callTool('big'), sendOptions());
    await expect(resultText(outcome)).rejects.toBeInstanceOf(Refusal);
  });

  test('whose reader leaves, or whose caller does, lets go of the server', async () => {
    const closed: Promise<unknown>[] = [];
    const server = await serveModern((asked, response) => {
      closed.push(once(response, 'close'));
      response.writeHead(200, JSON_TYPE);
      response.write(opening(asked.id) + BIG_TEXT.repeat(200));
    });
    const upstream = await connectTo(cleanups, server.url);
    const left = messageOf(await upstream.send(callTool('big'), sendOptions()));
    for await (const piece of left.rest ?? []) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    const abort = new AbortController();
    const aborted = await upstream.send(callTool('big'), sendOptions({ signal: abort.signal }));
    abort.abort(refuse('upstream-timeout'));
    await expect(resultText(aborted)).rejects.toThrow('did not answer in time');
    await Promise.all(closed);
    expect(closed).toHaveLength(2);
  });

  test('that says too late what it is is buffered, and refused beyond the limit', async () => {
    const late = (asked: { id: unknown }, size: number): string =>
      `{"result":{"content":[{"type":"text","text":"${'y'.repeat(size)}"}],"resultType":"complete"},"jsonrpc":"2.0","id":${String(asked.id)}}`;
    const server = await serveModern((asked, response) =>
      raw(200, JSON_TYPE, late(asked, (asked.params['arguments'] as { size: number }).size))(asked, response),
    );
    const upstream = await connectTo(cleanups, server.url, { maxBufferedBytes: 500_000 });
    const held = await upstream.send(callTool('late', { size: 400_000 }), sendOptions());
    expect(messageOf(held).resultEnd).toBeGreaterThan(400_000);
    const refused = failureOf(await upstream.send(callTool('late', { size: 600_000 }), sendOptions()));
    expect(refused).toMatchObject({
      code: 'result-too-large',
      sent: 'yes',
      message: expect.stringMatching(/500000 bytes/),
    });
  });
});
