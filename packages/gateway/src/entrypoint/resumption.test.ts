/** A legacy client loses the stream of a call and comes back with `Last-Event-ID`: nothing is lost, and nothing is anybody else's. */

import { setImmediate } from 'node:timers/promises';

import { afterEach, describe, expect, test } from 'vitest';

import type { ClientChannel } from '../model/outcome.ts';
import { LEGACY_REVISIONS } from '../model/revision.ts';
import type { Running } from './entrypoint.fixtures.ts';
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
afterEach(() => running?.entrypoint.close(0));

/** Calls that tell and answer when the test says so. */
async function started(resumption: NonNullable<Parameters<typeof start>[1]>['resumption'] = {}) {
  const called: { readonly channel: ClientChannel; readonly answer: () => void; readonly aborted: () => boolean }[] =
    [];
  const { port, noted, streams, entrypoint, logged } = (running = await start(
    async ({ operation }, { channel, signal }) => {
      if (operation.kind === 'discover') return DISCOVERED;
      if (operation.kind !== 'call-tool') return value({});
      const { promise, keep } = promised();
      called.push({ channel, answer: keep, aborted: () => signal.aborted });
      void channel.notify({ kind: 'progress', params: { progress: 1 } });
      await promise;
      return value({ content: [] });
    },
    { resumption },
  ));
  return { port, noted, streams, entrypoint, logged, called };
}

const CALL = legacyBody('tools/call', { name: 'echo', arguments: {}, _meta: { progressToken: 'p' } }, 'call');

type Headers = Record<string, string | undefined>;

/** Reads the stream of a call until its first progress, and is cut off. */
async function cutOff(port: number, headers: Headers, { open: left }: { open: number }, streams: { open: number }) {
  const response = await open(port, { headers, body: CALL });
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    if (text.includes('notifications/progress')) break;
  }
  response.on('error', () => undefined).destroy();
  while (streams.open > left) await setImmediate();
  return { text, ids: [...text.matchAll(/^id: (.+)$/gmu)].map(([, id]) => id ?? '') };
}

const comeBack = (port: number, headers: Headers, id: string) =>
  send(port, {
    method: 'GET',
    headers: { ...headers, accept: 'text/event-stream', 'content-type': undefined, 'last-event-id': id },
  });

async function sessionAt(port: number, revision: string): Promise<Headers> {
  const opened = await send(port, { body: initializeBody(revision) });
  return { 'mcp-session-id': String(opened.headers['mcp-session-id']), 'mcp-protocol-version': revision };
}

describe.each(LEGACY_REVISIONS)('a client of %s that lost the stream of its call', (revision) => {
  test('comes back for what it missed and for the rest, while the call goes on', async () => {
    const { port, called, streams } = await started();
    const headers = await sessionAt(port, revision);
    const { text, ids } = await cutOff(port, headers, { open: 0 }, streams);
    // Clients before 2025-11-25 stumble over an event without data.
    expect(/^id: \S+\nretry: 1000\ndata: \n\n/mu.test(text)).toBe(revision === '2025-11-25');
    expect(called[0]?.aborted()).toBe(false);
    void called[0]?.channel.notify({ kind: 'progress', params: { progress: 2 } });
    const back = comeBack(port, headers, ids.at(-1) ?? '');
    while (streams.open === 0) await setImmediate();
    void called[0]?.channel.notify({ kind: 'progress', params: { progress: 3 } });
    called[0]?.answer();
    expect(eventsOf((await back).text)).toMatchObject([
      { params: { progress: 2, progressToken: 'p' } },
      { params: { progress: 3 } },
      { id: 'call', result: { content: [] } },
    ]);
  });
});

test('what a client has had is not told again, and a stream that has ended is told to its end', async () => {
  const { port, called, streams } = await started();
  const headers = await openSession(port);
  const { ids } = await cutOff(port, headers, { open: 0 }, streams);
  called[0]?.answer();
  const first = await comeBack(port, headers, ids[0] ?? '');
  expect(eventsOf(first.text)).toMatchObject([{ params: { progress: 1 } }, { id: 'call' }]);
  const again = await comeBack(port, headers, ids.at(-1) ?? '');
  expect(eventsOf(again.text)).toMatchObject([{ id: 'call' }]);
});

test('two streams of one session are told apart', async () => {
  const { port, called, streams } = await started();
  const headers = await openSession(port);
  const one = await cutOff(port, headers, { open: 0 }, streams);
  const two = await cutOff(port, headers, { open: 0 }, streams);
  void called[0]?.channel.notify({ kind: 'progress', params: { progress: 11 } });
  void called[1]?.channel.notify({ kind: 'progress', params: { progress: 22 } });
  for (const { answer } of called) answer();
  const [first, second] = await Promise.all(
    [one, two].map(async ({ ids }) => eventsOf((await comeBack(port, headers, ids.at(-1) ?? '')).text)),
  );
  expect(first).toMatchObject([{ params: { progress: 11 } }, { id: 'call' }]);
  expect(second).toMatchObject([{ params: { progress: 22 } }, { id: 'call' }]);
});

test("an id that is altered, unknown, another session's or another person's is refused alike, and recorded", async () => {
  const { port, called, streams, noted, logged } = await started();
  const headers = await openSession(port);
  const { ids } = await cutOff(port, headers, { open: 0 }, streams);
  called[0]?.answer();
  const id = ids.at(-1) ?? '';
  const bobs = { authorization: 'Bearer bob-key' };
  const bob = { ...(await openSession(port, '2025-11-25', { headers: bobs })), ...bobs };
  const answers = await Promise.all([
    comeBack(port, headers, `${id}9`),
    comeBack(port, headers, `A${id.slice(1)}`),
    comeBack(port, headers, 'event-7'),
    comeBack(port, await openSession(port), id),
    comeBack(port, bob, id),
  ]);
  const errors = answers.map(({ status, text }) => {
    const { error } = JSON.parse(text) as { error: { message: string; data: { reason: string } } };
    return [status, error.message, error.data.reason];
  });
  expect(new Set(errors.map(String)).size).toBe(1);
  expect(errors[0]).toEqual([400, expect.stringContaining('Call again'), 'invalid-state']);
  expect(noted.filter((event) => event.kind === 'refused-early' && event.code === 'invalid-state')).toHaveLength(5);
  expect(logged.join('\n')).toContain("the stream is another session's");
  // Stolen with the session id and without its credential, it opens nothing either.
  expect((await comeBack(port, { ...headers, authorization: 'Bearer bob-key' }, id)).status).toBe(404);
});

test('memory is given back: with the session, and after the time for which it is kept', async () => {
  const { port, called, streams, entrypoint } = await started({ keepMs: 20 });
  const [headers, other] = [await openSession(port), await openSession(port)];
  await cutOff(port, headers, { open: 0 }, streams);
  await cutOff(port, other, { open: 0 }, streams);
  expect(entrypoint.counts()).toMatchObject({ keptStreams: 2 });
  expect(entrypoint.counts().keptBytes).toBeGreaterThan(0);
  await send(port, { method: 'DELETE', headers: { ...headers, 'content-type': undefined } });
  expect(entrypoint.counts()).toMatchObject({ keptStreams: 1 });
  for (const { answer } of called) answer();
  while (entrypoint.counts().keptStreams > 0) await setImmediate();
  expect(entrypoint.counts()).toMatchObject({ keptStreams: 0, keptBytes: 0 });
});

test('a call that answers at once keeps nothing, and neither does a batch', async () => {
  const { port, called, entrypoint } = await started();
  const headers = await sessionAt(port, '2025-03-26');
  await send(port, { headers, body: legacyBody('tools/list') });
  expect(entrypoint.counts()).toMatchObject({ keptStreams: 0 });
  const batch = send(port, { headers, body: [CALL] });
  while (called.length === 0) await setImmediate();
  called[0]?.answer();
  const { text } = await batch;
  expect([eventsOf(text).length, text.includes('id: ')]).toEqual([2, false]);
  expect(entrypoint.counts()).toMatchObject({ keptStreams: 0 });
});
