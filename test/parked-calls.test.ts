/** Calls that wait for a person while their server waits, too: whoever may answer, once; and what ends without an answer. */

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { loadConfig } from '../packages/gateway/src/config/load.ts';
import { startGateway, type Gateway } from '../packages/gateway/src/gateway.ts';
import { startChildServer, scriptPath, type ChildServer } from './harness/child.ts';
import { writeTestConfig } from './harness/config-file.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern, send, type HttpAnswer } from './harness/http.ts';
import { until } from './harness/until.ts';

const USERS = { alice: ['staff'], bob: ['staff'], carol: ['careful'] };
const POLICIES = [
  'permit (principal in Group::"staff", action, resource);',
  '@approval("caller") permit (principal in Group::"careful", action, resource);',
].join('\n');

const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-parked-'));
const script = scriptPath('fixtures/legacy-asking-server.ts');
const command = `["${process.execPath}", "${script}", stdio, "${path.join(folder, 'stdio')}"]`;
const servers = (url: string): readonly string[] => [
  // The tests look again and again.
  'loopBreaker: off',
  'servers:',
  `  http: { url: "${url}" }`,
  `  stdio: { command: ${command}, sharing: shared }`,
];

let upstream: ChildServer;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startChildServer('fixtures/legacy-asking-server.ts', 'http', path.join(folder, 'http'));
  const yaml = ['questions: { maxParkedPerPrincipal: 3, maxRounds: 4 }', ...servers(upstream.url)].join('\n');
  gateway = await startTestGateway({ users: USERS, policies: POLICIES, yaml: `resumption: { away: 100ms }\n${yaml}` });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
  rmSync(folder, { recursive: true, force: true });
});

type At = { readonly url: string; readonly keys: Readonly<Record<string, string>> };

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
};

type Params = { readonly inputResponses?: object; readonly requestState?: unknown; readonly arguments?: object };

/** A client of 2026-07-28, by hand: what a library would never send has to be sent, too. */
const client = (server: string, who = 'alice', at: At = gateway) => {
  const url = `${at.url}/servers/${server}/mcp`;
  const asked = (tool: string, more: Params = {}, _meta: object = META) => {
    const { headers, body } = modern('tools/call', { name: tool, arguments: {}, ...more, _meta });
    return { headers: { ...headers, ...bearer(at.keys[who] ?? '') }, body };
  };
  const call = (tool: string, more: Params = {}): Promise<HttpAnswer> => send(url, asked(tool, more));
  return { url, asked, call, counts: async () => JSON.parse(textOf(await call('counts'))) as Record<string, number> };
};

const textOf = ({ json, text }: HttpAnswer): string =>
  (json?.result?.['content'] as readonly { text: string }[] | undefined)?.[0]?.text ?? text;

/** The questions of an answer, and how the call is made again with `content` for all of them. */
function questionsOf(answer: HttpAnswer) {
  const result = answer.json?.result ?? {};
  expect(result['resultType'], answer.text).toBe('input_required');
  const requests = result['inputRequests'] as Record<string, { params: { message: string } }>;
  const requestState = result['requestState'];
  const all = (response: object): object => Object.fromEntries(Object.keys(requests).map((key) => [key, response]));
  return {
    messages: Object.values(requests).map(({ params }) => params.message),
    requestState,
    answered: (content: object): Params => ({
      requestState,
      inputResponses: all({ action: 'accept', content }),
    }),
    responding: (response: object): Params => ({ requestState, inputResponses: all(response) }),
  };
}

describe.each(['http', 'stdio'])('a call that its server over %s keeps open', (server) => {
  it('goes on once: of two answers at the same time one is taken, and nothing is done twice', async () => {
    const { call, counts } = client(server);
    const before = await counts();
    const { answered } = questionsOf(await call('greet'));
    const answers = await Promise.all([
      call('greet', answered({ name: 'Al' })),
      call('greet', answered({ name: 'Bo' })),
    ]);
    const [taken, ...others] = answers.filter(({ json }) => json?.result !== undefined);
    expect(others).toEqual([]);
    expect(answers.find(({ json }) => json?.error !== undefined)?.json?.error).toMatchObject({
      code: -32_602,
      message: expect.stringMatching(/answered already.*Call again/),
    });
    if (taken === undefined) throw new Error('no answer was taken');
    const last = await call('greet', questionsOf(taken).answered({ city: 'Aachen' }));
    expect(textOf(last)).toMatch(/^(Al|Bo) of Aachen$/);
    const after = await counts();
    expect(after['begun']).toBe((before['begun'] ?? 0) + 1);
    expect(after['finished']).toBe((before['finished'] ?? 0) + 1);
  });

  it.each([
    ['of somebody else', (state: Params) => client(server, 'bob').call('greet', state)],
    ['of another tool', (state: Params) => client(server).call('slow', state)],
    ['of other arguments', (state: Params) => client(server).call('greet', { ...state, arguments: { a: 1 } })],
    ['of another endpoint', (state: Params) => client(server === 'http' ? 'stdio' : 'http').call('greet', state)],
    [
      'that was altered',
      (state: Params) => client(server).call('greet', { ...state, requestState: `${String(state.requestState)}x` }),
    ],
  ])('a state %s is refused and recorded, and the call stays open for its owner', async (_, sent) => {
    const { call } = client(server);
    const { answered } = questionsOf(await call('greet'));
    const before = gateway.records().length;
    const { error } = (await sent(answered({ name: 'Eve' }))).json ?? {};
    expect(error?.code).toBe(-32_602);
    await until('the record to say so', () =>
      gateway
        .records()
        .slice(before)
        .some(({ status_code: code }) => code === 'invalid-state'),
    );
    const next = questionsOf(await call('greet', answered({ name: 'Al' })));
    expect(textOf(await call('greet', next.responding({ action: 'decline' })))).toBe('city: decline');
  });

  it.each([
    ['nothing', {}],
    [
      'an answer to what was never asked',
      { inputResponses: { other: { action: 'accept', content: { name: 'Eve' } } } },
    ],
  ])('is asked again when the answer is %s', async (_, given) => {
    const { call } = client(server);
    const first = questionsOf(await call('greet'));
    const again = questionsOf(await call('greet', { requestState: first.requestState, ...given }));
    expect(again.messages).toEqual(first.messages);
    const next = questionsOf(await call('greet', again.answered({ name: 'Al' })));
    expect(textOf(await call('greet', next.answered({ city: 'Bonn' })))).toBe('Al of Bonn');
  });

  it.each([[{ action: 'maybe' }], [{ content: { name: 'x' } }], [{ action: 'accept', content: 'x' }]])(
    'is asked again when the answer has another shape: %o',
    async (shape) => {
      const { call } = client(server);
      const first = questionsOf(await call('greet'));
      const again = questionsOf(await call('greet', first.responding(shape)));
      expect(textOf(await call('greet', again.responding({ action: 'cancel' })))).toBe('name: cancel');
    },
  );

  it('ends when it was asked again too often', async () => {
    const { call, counts } = client(server);
    const { cancelled = 0 } = await counts();
    let answer = await call('greet');
    for (let round = 0; round < 4; round += 1) {
      answer = await call('greet', { requestState: questionsOf(answer).requestState });
    }
    expect(answer.json?.error?.message).toMatch(/asked 4 times in this call.*cancelled/);
    await until('the server to hear it', async () => ((await counts())['cancelled'] ?? 0) > cancelled);
  });

  it('is refused when its caller has as many open as may be', async () => {
    const { call } = client(server);
    const open = [await call('greet'), await call('greet'), await call('greet')].map(questionsOf);
    const { error } = (await call('greet')).json ?? {};
    expect(error?.message).toMatch(/3 of your calls wait for an answer/);
    for (const { responding } of open) await call('greet', responding({ action: 'cancel' }));
    const another = questionsOf(await call('greet'));
    expect(textOf(await call('greet', another.responding({ action: 'cancel' })))).toBe('name: cancel');
  });

  it('is believed when its server did not wait', async () => {
    const { call, counts } = client(server);
    const { finished = 0 } = await counts();
    const { answered } = questionsOf(await call('impatient'));
    await until('the server to give up', async () => ((await counts())['finished'] ?? 0) > finished);
    expect(textOf(await call('impatient', answered({})))).toBe('nobody answered');
  });

  it('needs no second approval: what was approved goes on', async () => {
    const { counts } = client(server, 'alice');
    const { begun = 0 } = await counts();
    const carol = client(server, 'carol');
    const approval = questionsOf(await carol.call('greet'));
    const question = questionsOf(await carol.call('greet', approval.answered({ confirm: true })));
    expect(question.messages).toEqual(['What is your name?']);
    const next = questionsOf(await carol.call('greet', question.answered({ name: 'Carol' })));
    expect(textOf(await carol.call('greet', next.answered({ city: 'Cologne' })))).toBe('Carol of Cologne');
    expect((await counts())['begun']).toBe(begun + 1);
  });

  it('tells its progress to whoever waits at the moment, and keeps none', async () => {
    const { url, asked } = client(server);
    const withToken = (token: string) => ({ ...META, progressToken: token });
    const first = await send(url, asked('slow', {}, withToken('first')));
    expect(first.text).toContain('"progress":1');
    const then = await send(url, asked('slow', questionsOf(first).answered({ answer: 'yes' }), withToken('second')));
    expect(then.text).toContain('"progress":3');
    expect(then.text).not.toContain('first');
    expect(textOf(then)).toBe('done');
  });

  it('is cancelled when the client that waits for it goes away', async () => {
    const { url, asked, call, counts } = client(server);
    const { cancelled = 0 } = await counts();
    const { headers, body } = asked('linger', questionsOf(await call('linger')).answered({ answer: 'yes' }));
    const waiting = httpRequest(url, { method: 'POST', headers, agent: false }).on('error', () => undefined);
    waiting.end(body);
    await until(
      'the answer to be taken',
      async () => (await call('linger', (JSON.parse(String(body)) as { params: Params }).params)).json?.error,
    );
    waiting.destroy();
    await until('the server to hear it', async () => ((await counts())['cancelled'] ?? 0) > cancelled);
  });

  it.each(['cancels its call', 'goes away'])(
    'is cancelled when a client of 2025-11-25 %s instead of answering',
    async (how) => {
      const { counts, url } = client(server);
      const { cancelled = 0 } = await counts();
      const legacy = new Client({ name: 'old', version: '1' }, { capabilities: { elicitation: {} } });
      const gone = new AbortController();
      legacy.setRequestHandler(ElicitRequestSchema, async () => {
        if (how === 'goes away') await transport.close();
        else gone.abort();
        return new Promise<never>(() => undefined);
      });
      const requestInit = { headers: bearer(gateway.keys['alice'] ?? '') };
      const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit });
      await legacy.connect(transport);
      await expect(
        legacy.callTool({ name: 'greet', arguments: {} }, undefined, { signal: gone.signal }),
      ).rejects.toThrow(/abort|closed/i);
      await until('the server to hear it', async () => ((await counts())['cancelled'] ?? 0) > cancelled);
      await legacy.close();
    },
  );
});

describe('as many open calls as the gateway keeps', () => {
  it.each(['http', 'stdio'])(
    'are refused to everyone beyond the bound, over %s, until one is answered',
    async (server) => {
      const yaml = ['questions: { maxParked: 2, maxParkedPerPrincipal: 2 }', ...servers(upstream.url)].join('\n');
      const small = await startTestGateway({ users: USERS, policies: POLICIES, yaml });
      try {
        const [alice, bob] = [client(server, 'alice', small), client(server, 'bob', small)];
        const { cancelled = 0 } = await alice.counts();
        const open = [await alice.call('greet'), await bob.call('greet')].map(questionsOf);
        const { error } = (await bob.call('greet')).json ?? {};
        expect(error?.message).toMatch(
          /2 calls wait for an answer, as many as the gateway keeps.*cancelled at the server/,
        );
        await until('the server to hear it', async () => ((await alice.counts())['cancelled'] ?? 0) > cancelled);
        const [first] = open;
        if (first === undefined) throw new Error('nothing is open');
        expect(textOf(await alice.call('greet', first.responding({ action: 'cancel' })))).toBe('name: cancel');
        const another = questionsOf(await bob.call('greet'));
        expect(textOf(await bob.call('greet', another.responding({ action: 'decline' })))).toBe('name: decline');
      } finally {
        await small.close();
      }
    },
  );
});

describe('a call that nobody answers', () => {
  it.each(['http', 'stdio'])(
    'is cancelled at its server over %s after its time, and its state has expired',
    async (server) => {
      const yaml = ['questions: { answer: 300ms }', 'approvals: { lifetime: 300ms }', ...servers(upstream.url)].join(
        '\n',
      );
      const brief = await startTestGateway({ users: USERS, policies: POLICIES, yaml });
      try {
        const { call, counts } = client(server, 'alice', brief);
        const { cancelled = 0 } = await counts();
        const { answered } = questionsOf(await call('greet'));
        await until('the server to hear it', async () => ((await counts())['cancelled'] ?? 0) > cancelled);
        const late = await call('greet', answered({ name: 'Al' }));
        expect(late.json?.error?.code).toBe(-32_602);
        await until('the record to say so', () =>
          brief.records().some(({ status_code: code }) => code === 'invalid-state'),
        );
      } finally {
        await brief.close();
      }
    },
  );

  it('ends with its server, and whoever answers it hears to call again', async () => {
    const { call } = client('stdio');
    const { answered } = questionsOf(await call('die'));
    await until('the process to be gone', () => gateway.log.some(({ message }) => /exited with code 1/.test(message)));
    const { error } = (await call('die', answered({ words: 'none' }))).json ?? {};
    expect(error?.message).toMatch(/exited with code 1.*Call again; the server may have done a part/);
    expect(textOf(await call('work'))).toBe('worked');
  });

  it.each(['http', 'stdio'])(
    'ends with the gateway: its server over %s is told, and the next process says to call again',
    async (server) => {
      const yaml = [...servers(upstream.url), 'drain: 1s'].join('\n');
      const { file, keys } = writeTestConfig({ users: USERS, policies: POLICIES, yaml });
      const loaded = loadConfig(file, { env: process.env });
      if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
      const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
      const start = (): Promise<Gateway> => startGateway(loaded.value, { logger: silent });
      const http = client('http');
      const { cancelled = 0 } = await http.counts();

      const first = await start();
      const { answered } = questionsOf(await client(server, 'alice', { url: first.url, keys }).call('greet'));
      await first.close(100);
      if (server === 'http') {
        await until('the server to hear it', async () => ((await http.counts())['cancelled'] ?? 0) > cancelled);
      }
      const second = await start();
      try {
        const late = await client(server, 'alice', { url: second.url, keys }).call('greet', answered({ name: 'Al' }));
        expect(late.json?.error).toMatchObject({
          code: -32_602,
          message: expect.stringMatching(/gateway was started anew.*Call again/),
        });
      } finally {
        await second.close(100);
      }
    },
  );
});

const ignore = (): void => undefined;
