/** Questions of a server reach the person behind the call, whatever server and client speak, and the answers find back. */

import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startChildServer, scriptPath, type ChildServer } from './harness/child.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern, send, type HttpAnswer } from './harness/http.ts';
import { until } from './harness/until.ts';
import { ALL_CLIENT_KINDS, transportV1, type AnyClientKind } from './matrix/clients.ts';

const UPSTREAMS = ['http', 'stdio', 'legacy-http', 'legacy-sse', 'legacy-stdio'] as const;

let upstream: ChildServer;
let legacy: ChildServer;
let sse: ChildServer;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startChildServer('fixtures/asking-server.ts', 'http');
  legacy = await startChildServer('fixtures/legacy-asking-server.ts', 'http');
  sse = await startChildServer('fixtures/legacy-asking-server.ts', 'sse');
  const shared = (script: string): string =>
    `command: ["${process.execPath}", "${scriptPath(`fixtures/${script}`)}", stdio], sharing: shared`;
  gateway = await startTestGateway({
    users: { alice: ['staff'], bob: ['staff'], carol: ['careful'] },
    policies: [
      'permit (principal in Group::"staff", action, resource);',
      '@approval("group:nobody") permit (principal in Group::"careful", action, resource);',
    ].join('\n'),
    yaml: [
      'endpoints: { legacySse: true }',
      'servers:',
      `  http: { url: "${upstream.url}" }`,
      `  stdio: { ${shared('asking-server.ts')} }`,
      `  legacy-http: { url: "${legacy.url}" }`,
      `  legacy-sse: { url: "${sse.url}", transport: sse, sharing: shared }`,
      `  legacy-stdio: { ${shared('legacy-asking-server.ts')} }`,
    ].join('\n'),
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
  await legacy?.close();
  await sse?.close();
});

type Reply = { readonly action: 'accept' | 'decline' | 'cancel'; readonly content?: Record<string, string> };
type Person = (message: string) => Reply;

const accept = (content: Record<string, string>): Reply => ({ action: 'accept', content });

/** Says her name and her city. */
const alice: Person = (message) => accept(message.includes('name') ? { name: 'Alice' } : { city: 'Aachen' });

type Asked = {
  call(tool: string): Promise<string | undefined>;
  letter(prompt: string): Promise<string>;
  note(): Promise<string>;
  close(): Promise<void>;
};
type Who = {
  readonly kind: AnyClientKind;
  readonly url: string;
  readonly who?: string;
  readonly person?: Person;
  /** Default: forms and links. */
  readonly modes?: { form?: Record<string, never>; url?: Record<string, never> };
};

const MODEL = { role: 'assistant', model: 'm', content: { type: 'text', text: 'Hello!' } } as const;
const FOLDERS = { roots: [{ uri: 'file:///work' }] };

async function connect({ kind, url, who = 'alice', person, modes = { form: {}, url: {} } }: Who): Promise<Asked> {
  const requestInit = { headers: { Authorization: `Bearer ${gateway.keys[who] ?? ''}` } };
  const capabilities = person === undefined ? {} : { elicitation: modes, sampling: {}, roots: {} };
  const info = { name: 'asked', version: '1' };
  const ask = ({ message }: { message: string }): Reply => person?.(message) ?? { action: 'cancel' };
  if (kind === 'sdk-v1' || kind === 'sdk-v1-sse') {
    const client = new ClientV1(info, { capabilities });
    if (person !== undefined) {
      client.setRequestHandler(ElicitRequestSchema, ({ params }) => ask(params));
      client.setRequestHandler(CreateMessageRequestSchema, () => MODEL);
      client.setRequestHandler(ListRootsRequestSchema, () => FOLDERS);
    }
    await client.connect(transportV1(kind, url, { requestInit }));
    return askedBy(client as unknown as ClientV2);
  }
  const mode = kind === 'sdk-v2-modern' ? { pin: '2026-07-28' } : 'legacy';
  const client = new ClientV2(info, { capabilities, versionNegotiation: { mode } });
  if (person !== undefined) {
    client.setRequestHandler('elicitation/create', ({ params }) => ask(params) as never);
    client.setRequestHandler('sampling/createMessage', () => MODEL as never);
    client.setRequestHandler('roots/list', () => FOLDERS);
  }
  await client.connect(new TransportV2(new URL(url), { requestInit }));
  return askedBy(client);
}

/** What the two SDKs' clients have in common; their declarations are not assignable to one another. */
const askedBy = (client: ClientV2): Asked => ({
  call: async (name) => textOf(await client.callTool({ name, arguments: {} })),
  letter: async (name) => JSON.stringify((await client.getPrompt({ name })).messages),
  note: async () => JSON.stringify((await client.readResource({ uri: 'note://mine' })).contents),
  close: () => client.close(),
});

const textOf = (result: unknown): string | undefined =>
  (result as { content: readonly { text?: string }[] }).content[0]?.text;

type Whoever = Omit<Who, 'url'> & { readonly path: string };

const asked = (who: Whoever, tool: string): Promise<string | undefined> => as(who, (client) => client.call(tool));

async function as<T>(who: Whoever, act: (client: Asked) => Promise<T>): Promise<T> {
  const client = await connect({ ...who, url: `${gateway.url}${who.path}` });
  try {
    return await act(client);
  } finally {
    await client.close();
  }
}

describe.each(ALL_CLIENT_KINDS)('a client of %s', (kind) => {
  describe.each(UPSTREAMS)('and a server over %s', (server) => {
    const path = `/servers/${server}/mcp`;

    it('a form, and another one in the next round', async () => {
      expect(await asked({ kind, path, person: alice }, 'greet')).toBe('Alice of Aachen');
    });

    it('a form, on the endpoint for all servers', async () => {
      expect(await asked({ kind, path: '/mcp', person: alice }, `${server}_greet`)).toBe('Alice of Aachen');
    });

    it('a form, a question to the model and one about folders, all at once', async () => {
      expect(await asked({ kind, path, person: alice }, 'everything')).toBe('Alice, Hello!, 1 folder');
    });

    it('a page to open', async () => {
      expect(await asked({ kind, path, person: () => ({ action: 'accept' }) }, 'visit')).toBe('visit: accept');
      expect(await asked({ kind, path, person: () => ({ action: 'decline' }) }, 'visit')).toBe('visit: decline');
    });

    it.each(['decline', 'cancel'] as const)('a person who says %s is heard, in either round', async (action) => {
      expect(await asked({ kind, path, person: () => ({ action }) }, 'greet')).toBe(`name: ${action}`);
      const later: Person = (message) => (message.includes('name') ? accept({ name: 'Al' }) : { action });
      expect(await asked({ kind, path, person: later }, 'greet')).toBe(`city: ${action}`);
    });

    it('two people who are asked at the same time each answer for themselves', async () => {
      const people = Array.from({ length: 6 }, (_, index) => `P${index}`);
      const greeted = people.map((name, index) => {
        const person: Person = (message) => accept(message.includes('name') ? { name } : { city: `C${index}` });
        return asked({ kind, path, who: index % 2 === 0 ? 'alice' : 'bob', person }, 'greet');
      });
      expect(await Promise.all(greeted)).toEqual(people.map((name, index) => `${name} of C${index}`));
    });

    it('a client that cannot answer is not asked', async () => {
      const answer = asked({ kind, path }, 'greet').catch(String);
      expect(await answer).toMatch(/capabilit|input|elicitation|not offered/i);
    });

    it('one that shows forms alone is not asked to open a page', async () => {
      const answer = asked({ kind, path, modes: {}, person: alice }, 'visit').catch(String);
      expect(await answer).toMatch(/capabilit|input|elicitation|cannot be answered/i);
    });
  });
});

describe.each(ALL_CLIENT_KINDS)('a client of %s and a server that asks in the middle of a call', (kind) => {
  describe.each(['legacy-http', 'legacy-stdio'])('over %s', (server) => {
    const path = `/servers/${server}/mcp`;

    it('a prompt, on both endpoints', async () => {
      expect(await as({ kind, path, person: alice }, (client) => client.letter('letter'))).toContain('Dear Alice');
      const everywhere = { kind, path: '/mcp', person: alice };
      expect(await as(everywhere, (client) => client.letter(`${server}_letter`))).toContain('Dear Alice');
    });

    it('a resource', async () => {
      expect(await as({ kind, path, person: alice }, (client) => client.note())).toContain('of Alice');
    });

    it('is done once, however often it asks', async () => {
      const who = { kind, path, person: alice };
      const [before, , after] = await as(who, async (client) => [
        await client.call('counts'),
        await client.call('greet'),
        await client.call('counts'),
      ]);
      const [was, is] = [before, after].map((text) => JSON.parse(text ?? '') as Record<string, number>);
      expect(is).toMatchObject({ begun: (was?.['begun'] ?? 0) + 1, finished: (was?.['finished'] ?? 0) + 1 });
    });

    it('a page that has to be visited first', async () => {
      const who = { kind, path, person: () => ({ action: 'accept' }) as const };
      if (kind === 'sdk-v2-modern') {
        expect(await asked(who, 'visit-first')).toBe('visited');
        return;
      }
      await expect(asked(who, 'visit-first')).rejects.toMatchObject({
        code: -32_042,
        data: { elicitations: [{ url: 'https://example.com/first' }] },
      });
      expect(await asked(who, 'visit-first')).toBe('visited');
    });

    it('a client that opens no pages is told what it lacks', async () => {
      const who = { kind, path, person: alice, modes: { form: {} } };
      await expect(asked(who, 'never-visited')).rejects.toThrow(/page to be visited first/);
    });
  });
});

describe('the state between a question and its answer', () => {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
  };

  const greet = (who: string, more: object = {}, path = '/servers/http/mcp'): Promise<HttpAnswer> => {
    const { headers, body } = modern('tools/call', { name: 'greet', arguments: {}, ...more, _meta });
    return send(`${gateway.url}${path}`, { headers: { ...headers, ...bearer(gateway.keys[who] ?? '') }, body });
  };
  const answer = { inputResponses: { name: { action: 'accept', content: { name: 'Eve' } } } };

  async function stateOf(who: string): Promise<string> {
    const { result } = (await greet(who)).json ?? {};
    expect(result?.['resultType']).toBe('input_required');
    return String(result?.['requestState']);
  }

  it.each([
    ['of somebody else', async () => greet('bob', { ...answer, requestState: await stateOf('alice') })],
    [
      'of another endpoint',
      async () => greet('alice', { ...answer, requestState: await stateOf('alice') }, '/servers/stdio/mcp'),
    ],
    [
      'that was altered',
      async () => greet('alice', { ...answer, requestState: `${(await stateOf('alice')).slice(0, -2)}xx` }),
    ],
    ['that is none', () => greet('alice', { ...answer, requestState: 'Alice' })],
  ])('%s is refused, recorded, and said no more about', async (_, sent) => {
    const before = gateway.records().length;
    const { error } = (await sent()).json ?? {};
    expect(error?.code).toBe(-32_602);
    expect(JSON.stringify(error)).not.toMatch(/endpoint|alice|altered|malformed/i);
    await until('the record to say so', () =>
      gateway
        .records()
        .slice(before)
        .some(({ status_code: code }) => code === 'invalid-state'),
    );
  });

  it("does not let the server's own state be read", async () => {
    const first = await stateOf('alice');
    const { result } = (await greet('alice', { ...answer, requestState: first })).json ?? {};
    expect(result?.['resultType']).toBe('input_required');
    expect(Buffer.from(String(result?.['requestState']), 'base64url').toString('latin1')).not.toContain('Eve');
  });

  it('is not given in a call that somebody has to approve: an approval is for one call', async () => {
    const state = await stateOf('alice');
    const text = (await greet('carol', { ...answer, requestState: state })).text;
    expect(text).not.toContain('Eve');
  });
});
