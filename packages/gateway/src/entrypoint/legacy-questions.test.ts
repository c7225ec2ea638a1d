/** Questions on the stream of a legacy client's own POST, and what becomes of the answers that are posted back. */

import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

import { afterEach, describe, expect, test } from 'vitest';

import { until } from '../../../../test/harness/until.ts';
import { formQuestion, linkQuestion } from '../model/elicitation.ts';
import { failure } from '../model/failure.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { InputRequests, Outcome } from '../model/outcome.ts';
import { createSealer } from '../seal/aead-sealer.ts';
import { newKeyRing } from '../seal/key-ring.ts';
import type { Answering, Received, Running } from './entrypoint.fixtures.ts';
import {
  DISCOVERED,
  initializeBody,
  legacyBody,
  open,
  openSession,
  send,
  start,
  value,
} from './entrypoint.fixtures.ts';

let running: Running | undefined;
afterEach(() => running?.entrypoint.close(0));

const FORM: InputRequests = { confirm: formQuestion('Really?', { type: 'object', properties: {} }) };
const LINK: InputRequests = { link: linkQuestion('Please open', 'https://gw.example.com/approvals/a1') };
const OTHERWISE = failure('approval-required', { message: 'Ask somebody.' });

const CALL = legacyBody('tools/call', { name: 'echo', arguments: {} }, 'call');

const question = (requests: InputRequests): Outcome => ({
  kind: 'input-required',
  requests,
  continuation: { kind: 'approval', approvalId: 'a1' },
  otherwise: OTHERWISE,
});

/** Asks until it is answered, then shows what came back. */
const asking =
  (requests: InputRequests): Answering =>
  ({ operation, answers }) => {
    if (operation.kind === 'discover') return DISCOVERED;
    if (operation.kind !== 'call-tool') return value({});
    return answers === undefined ? question(requests) : value({ answers: answers.responses });
  };

async function started(
  answering: Answering,
  limits: NonNullable<Parameters<typeof start>[1]>['limits'] = {},
  resumption: NonNullable<Parameters<typeof start>[1]>['resumption'] = {},
) {
  running = await start(answering, { limits, resumption });
  return running;
}

type Conversation = {
  /** Every message of the stream so far. */
  readonly messages: JsonObject[];
  readonly response: IncomingMessage;
  /** The n-th question, once it is there. */
  asked(count?: number): Promise<JsonObject>;
  /** The answer of the call, once the stream has ended. */
  readonly result: Promise<JsonObject | undefined>;
};

async function call(port: number, headers: Record<string, string | undefined>): Promise<Conversation> {
  const response = await open(port, { headers, body: CALL });
  const messages: JsonObject[] = [];
  let buffered = '';
  const ended = Promise.withResolvers<JsonObject | undefined>();
  response.setEncoding('utf8').on('data', (chunk: string) => {
    buffered += chunk;
    for (let end = buffered.indexOf('\n\n'); end >= 0; end = buffered.indexOf('\n\n')) {
      const data = /^data: (.+)$/mu.exec(buffered.slice(0, end))?.[1];
      buffered = buffered.slice(end + 2);
      if (data === undefined) continue;
      const parsed: unknown = JSON.parse(data);
      if (isJsonObject(parsed)) messages.push(parsed);
    }
  });
  response.on('close', () => ended.resolve(messages.find(({ id }) => id === 'call')));
  const questions = (): JsonObject[] => messages.filter(({ method }) => method === 'elicitation/create');
  return {
    messages,
    response,
    result: ended.promise,
    async asked(count = 1) {
      await until(`question ${count}`, () => questions().length >= count);
      return questions()[count - 1] ?? {};
    },
  };
}

const capable = (revision: string, elicitation: JsonObject): JsonObject => {
  const body = initializeBody(revision);
  const params = isJsonObject(body.params) ? body.params : {};
  return { ...body, params: { ...params, capabilities: { elicitation } } };
};

async function session(
  port: number,
  revision = '2025-11-25',
  elicitation: JsonObject = { form: {}, url: {} },
  key = 'alice-key',
) {
  const authorization = `Bearer ${key}`;
  const answer = await send(port, { body: capable(revision, elicitation), headers: { authorization } });
  const id = answer.headers['mcp-session-id'];
  return { 'mcp-session-id': String(id), 'mcp-protocol-version': revision, authorization };
}

const post = (port: number, headers: Record<string, string>, body: unknown): Promise<Received> =>
  send(port, { headers, body });

const accepted = (id: unknown): JsonObject => ({
  jsonrpc: '2.0',
  id: typeof id === 'string' ? id : '',
  result: { action: 'accept', content: { confirm: true } },
});

const textOf = (result: JsonObject | undefined): string => JSON.stringify(result);

describe('a question to a legacy client', () => {
  test.each(['2025-06-18', '2025-11-25'])(
    'is a request on the stream of its POST (%s), and its answer goes on',
    async (revision) => {
      const { port, seen } = await started(asking(FORM));
      const headers = await session(port, revision);
      const talk = await call(port, headers);
      const asked = await talk.asked();
      expect(asked).toMatchObject({
        jsonrpc: '2.0',
        params: { message: 'Really?', requestedSchema: { type: 'object' } },
      });
      // Sealed: nobody can guess it, and no proxy can read it.
      expect(asked.id).toMatch(/^[\w-]{8}\.[\w-]{100,250}$/u);
      // 2025-06-18 has no word for it: forms are all there is.
      expect(isJsonObject(asked.params) && asked.params.mode).toBe(revision === '2025-06-18' ? undefined : 'form');
      expect((await post(port, headers, accepted(asked.id))).status).toBe(202);
      expect(await talk.result).toMatchObject({
        result: { answers: { confirm: { action: 'accept', content: { confirm: true } } } },
      });
      const calls = seen.filter(({ operation }) => operation.kind === 'call-tool');
      expect(calls.map(({ id }) => id)).toEqual([calls[0]?.id, calls[0]?.id]);
      expect(calls[1]?.answers?.continuation).toEqual({ kind: 'approval', approvalId: 'a1' });
    },
  );

  test('about a link carries an id for the link, which 2025-11-25 wants', async () => {
    const { port } = await started(asking(LINK));
    const headers = await session(port);
    const talk = await call(port, headers);
    const { id, params } = await talk.asked();
    expect(params).toMatchObject({ mode: 'url', url: 'https://gw.example.com/approvals/a1', elicitationId: id });
    await post(port, headers, { jsonrpc: '2.0', id, result: { action: 'accept' } });
    expect(await talk.result).toMatchObject({ result: { answers: { link: { action: 'accept' } } } });
  });

  test('is answered from its own session alone, once, and by its id', async () => {
    const { port } = await started(asking(FORM));
    const headers = await session(port);
    const another = await session(port);
    const bobs = await session(port, '2025-11-25', {}, 'bob-key');
    const talk = await call(port, headers);
    const { id } = await talk.asked();
    for (const wrong of [another, bobs]) expect((await post(port, wrong, accepted(id))).status).toBe(202);
    expect((await post(port, { ...headers, authorization: 'Bearer bob-key' }, accepted(id))).status).toBe(404);
    for (const other of ['1', 'call', `${JSON.stringify(id).slice(1, -1)}x`])
      await post(port, headers, accepted(other));
    expect(talk.messages.filter((message) => message.id === 'call')).toEqual([]);
    await post(port, headers, accepted(id));
    expect(await talk.result).toHaveProperty('result.answers');
    expect((await post(port, headers, accepted(id))).status).toBe(202);
  });

  test('of one caller does not get the answer of another who is asked at the same time', async () => {
    const { port } = await started(asking(FORM));
    const [ofAlice, ofBob] = [await session(port), await session(port, '2025-11-25', {}, 'bob-key')];
    const [alice, bob] = await Promise.all([call(port, ofAlice), call(port, ofBob)]);
    const [askedAlice, askedBob] = [await alice.asked(), await bob.asked()];
    await post(port, ofBob, { jsonrpc: '2.0', id: askedBob.id, result: { action: 'decline' } });
    await post(port, ofAlice, accepted(askedAlice.id));
    expect(await alice.result).toMatchObject({ result: { answers: { confirm: { action: 'accept' } } } });
    expect(await bob.result).toMatchObject({ result: { answers: { confirm: { action: 'decline' } } } });
  });

  test.each([
    ['an error', { error: { code: -32_603, message: 'no dialog here' } }],
    ['a result that is no object', { result: 'yes' }],
  ])('that is answered with %s ends the call with what a person can do', async (_, answer) => {
    const { port } = await started(asking(FORM));
    const headers = await session(port);
    const talk = await call(port, headers);
    const { id } = await talk.asked();
    await post(port, headers, { jsonrpc: '2.0', id, ...answer });
    const ended = await talk.result;
    expect(ended).toMatchObject({ result: { isError: true } });
    expect(textOf(ended)).toContain('answered the question with an error. Ask somebody.');
  });

  test('is not waited for longer than the operator said', async () => {
    const { port } = await started(asking(FORM), { answerTimeoutMs: 20 });
    const talk = await call(port, await session(port));
    expect(textOf(await talk.result)).toContain('not answered in time. Ask somebody.');
  });

  test('is asked a few times at most, whatever comes back', async () => {
    const { port } = await started(({ operation }) =>
      operation.kind === 'discover' ? DISCOVERED : operation.kind === 'call-tool' ? question(FORM) : value({}),
    );
    const headers = await session(port);
    const talk = await call(port, headers);
    for (let round = 1; round <= 8; round += 1) await post(port, headers, accepted((await talk.asked(round)).id));
    expect(textOf(await talk.result)).toContain('Ask somebody.');
    expect(talk.messages.filter(({ method }) => method !== undefined)).toHaveLength(8);
  });

  test('that nobody needs to answer only waits, and not for ever', async () => {
    let turns = 0;
    const { port } = await started(({ operation }) => {
      if (operation.kind !== 'call-tool') return operation.kind === 'discover' ? DISCOVERED : value({});
      turns += 1;
      return question({});
    });
    const talk = await send(port, {
      headers: await session(port),
      body: legacyBody('tools/call', { name: 'echo', arguments: {} }),
    });
    expect(talk.text).toContain('Ask somebody.');
    expect(turns).toBeLessThan(30);
  });

  test('goes with a client that does not come back, and gives its place back', async () => {
    const { port, seen } = await started(asking(FORM), { maxOpenQuestions: 1 }, { awayMs: 50 });
    const headers = await session(port);
    const talk = await call(port, headers);
    await talk.asked();
    talk.response.destroy();
    await until('another question can be asked', async () => {
      const next = await open(port, { headers, body: CALL });
      next.destroy();
      return next.headers['content-type'] === 'text/event-stream';
    });
    expect(seen.filter(({ answers }) => answers !== undefined)).toEqual([]);
  });

  test('goes with its session', async () => {
    const { port } = await started(asking(FORM));
    const headers = await session(port);
    const talk = await call(port, headers);
    await talk.asked();
    expect((await send(port, { method: 'DELETE', headers: { ...headers, 'content-type': undefined } })).status).toBe(
      200,
    );
    expect(textOf(await talk.result)).toContain('session ended');
  });

  test('is told that nobody takes its answer when the gateway stops', async () => {
    const { port, entrypoint } = await started(asking(FORM));
    const talk = await call(port, await session(port));
    await talk.asked();
    const closed = entrypoint.close(60_000);
    expect(textOf(await talk.result)).toContain('shutting down');
    await closed;
  });

  test('is not asked when too many are open', async () => {
    const { port } = await started(asking(FORM), { maxOpenQuestions: 1 });
    const headers = await session(port);
    const first = await call(port, headers);
    const { id } = await first.asked();
    const second = await send(port, { headers, body: CALL });
    expect(second.text).toContain('too many open questions to ask another one. Ask somebody.');
    await post(port, headers, accepted(id));
    expect(await first.result).toHaveProperty('result.answers');
  });

  test('of a server behind us is not ours to ask', async () => {
    const { port } = await started(({ operation }) =>
      operation.kind === 'discover' ? DISCOVERED : { kind: 'input-required', requests: FORM },
    );
    const headers = await openSession(port);
    const answer = await send(port, { headers, body: legacyBody('tools/call', { name: 'echo', arguments: {} }) });
    expect(answer.text).toContain('upstream-invalid');
  });
});

describe('an answer at a replica that did not ask', () => {
  const replicas = async () => {
    const sealer = createSealer(newKeyRing(randomBytes), { now: () => 1_800_000_000_000, randomBytes });
    const one = await start(asking(FORM), { sealer, replica: 'one' });
    const other = await start(asking(FORM), { sealer, replica: 'other' });
    return { one, other, close: () => Promise.all([one.entrypoint.close(0), other.entrypoint.close(0)]) };
  };

  test('is refused with what to do, recorded, and leaves the question open', async () => {
    const { one, other, close } = await replicas();
    const headers = await session(one.port);
    const talk = await call(one.port, headers);
    const { id } = await talk.asked();
    const received = await post(other.port, headers, accepted(id));
    expect(received.status).toBe(400);
    expect(JSON.parse(received.text)).toMatchObject({
      error: { message: expect.stringMatching(/Make the call again/u) },
    });
    expect(other.refused).toEqual(['invalid-state']);
    expect(other.noted.filter(({ kind }) => kind === 'refused-early')).toHaveLength(1);
    expect((await post(one.port, headers, accepted(id))).status).toBe(202);
    expect(await talk.result).toHaveProperty('result.answers');
    await close();
  });

  test('says nothing to another session', async () => {
    const { one, other, close } = await replicas();
    const talk = await call(one.port, await session(one.port));
    const { id } = await talk.asked();
    expect((await post(other.port, await session(one.port), accepted(id))).status).toBe(202);
    await close();
  });

  test('in a batch is let go like any other', async () => {
    const { one, other, close } = await replicas();
    const headers = await session(one.port, '2025-03-26');
    const { 'mcp-protocol-version': _none, ...within } = headers;
    const talk = await call(one.port, within);
    const { id } = await talk.asked();
    expect((await post(other.port, within, [accepted(id)])).status).toBe(202);
    expect((await post(one.port, within, [accepted(id)])).status).toBe(202);
    expect(await talk.result).toHaveProperty('result.answers');
    await close();
  });
});

describe('an answer that nobody waits for', () => {
  test.each([
    ['a result', { result: { action: 'accept' } }],
    ['an error', { error: { code: 1, message: 'no' } }],
  ])('is taken and let go: %s', async (_, answer) => {
    const { port } = await started(asking(FORM));
    const received = await post(port, await session(port), { jsonrpc: '2.0', id: 'unknown', ...answer });
    expect([received.status, received.text]).toEqual([202, '']);
  });
});
