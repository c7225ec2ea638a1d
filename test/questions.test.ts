/** Questions of a modern server reach the person behind the call, whatever the client speaks, and the answers find back. */

import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
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
import { CLIENT_KINDS, type ClientKind } from './matrix/clients.ts';

const UPSTREAMS = ['http', 'stdio'] as const;

let upstream: ChildServer;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startChildServer('fixtures/asking-server.ts', 'http');
  const command = `command: ["${process.execPath}", "${scriptPath('fixtures/asking-server.ts')}", stdio], sharing: shared`;
  gateway = await startTestGateway({
    users: { alice: ['staff'], bob: ['staff'], carol: ['careful'] },
    policies: [
      'permit (principal in Group::"staff", action, resource);',
      '@approval("group:nobody") permit (principal in Group::"careful", action, resource);',
    ].join('\n'),
    yaml: ['servers:', `  http: { url: "${upstream.url}" }`, `  stdio: { ${command} }`].join('\n'),
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

type Reply = { readonly action: 'accept' | 'decline' | 'cancel'; readonly content?: Record<string, string> };
type Person = (message: string) => Reply;

const accept = (content: Record<string, string>): Reply => ({ action: 'accept', content });

/** Says her name and her city. */
const alice: Person = (message) => accept(message.includes('name') ? { name: 'Alice' } : { city: 'Aachen' });

type Asked = { call(tool: string): Promise<string | undefined>; close(): Promise<void> };
type Who = { readonly kind: ClientKind; readonly url: string; readonly who?: string; readonly person?: Person };

const MODEL = { role: 'assistant', model: 'm', content: { type: 'text', text: 'Hello!' } } as const;
const FOLDERS = { roots: [{ uri: 'file:///work' }] };

async function connect({ kind, url, who = 'alice', person }: Who): Promise<Asked> {
  const requestInit = { headers: { Authorization: `Bearer ${gateway.keys[who] ?? ''}` } };
  const capabilities = person === undefined ? {} : { elicitation: { form: {} }, sampling: {}, roots: {} };
  const info = { name: 'asked', version: '1' };
  const ask = ({ message }: { message: string }): Reply => person?.(message) ?? { action: 'cancel' };
  const textOf = (result: unknown): string | undefined =>
    (result as { content: readonly { text?: string }[] }).content[0]?.text;
  if (kind === 'sdk-v1') {
    const client = new ClientV1(info, { capabilities });
    if (person !== undefined) {
      client.setRequestHandler(ElicitRequestSchema, ({ params }) => ask(params));
      client.setRequestHandler(CreateMessageRequestSchema, () => MODEL);
      client.setRequestHandler(ListRootsRequestSchema, () => FOLDERS);
    }
    await client.connect(new TransportV1(new URL(url), { requestInit }));
    const call: Asked['call'] = async (name) => textOf(await client.callTool({ name, arguments: {} }));
    return { call, close: () => client.close() };
  }
  const mode = kind === 'sdk-v2-modern' ? { pin: '2026-07-28' } : 'legacy';
  const client = new ClientV2(info, { capabilities, versionNegotiation: { mode } });
  if (person !== undefined) {
    client.setRequestHandler('elicitation/create', ({ params }) => ask(params) as never);
    client.setRequestHandler('sampling/createMessage', () => MODEL as never);
    client.setRequestHandler('roots/list', () => FOLDERS);
  }
  await client.connect(new TransportV2(new URL(url), { requestInit }));
  const call: Asked['call'] = async (name) => textOf(await client.callTool({ name, arguments: {} }));
  return { call, close: () => client.close() };
}

async function asked(who: Omit<Who, 'url'> & { readonly path: string }, tool: string): Promise<string | undefined> {
  const client = await connect({ ...who, url: `${gateway.url}${who.path}` });
  try {
    return await client.call(tool);
  } finally {
    await client.close();
  }
}

describe.each(CLIENT_KINDS)('a client of %s', (kind) => {
  describe.each(UPSTREAMS)('and a server over %s', (server) => {
    const path = `/servers/${server}/mcp`;

    it('a form, and another one in the next round', async () => {
      expect(await asked({ kind, path, person: alice }, 'greet')).toBe('Alice of Aachen');
    });

    it('the same on the endpoint for all servers', async () => {
      expect(await asked({ kind, path: '/mcp', person: alice }, `${server}_greet`)).toBe('Alice of Aachen');
    });

    it('a form, a question to the model and one about folders, all at once', async () => {
      expect(await asked({ kind, path, person: alice }, 'everything')).toBe('Alice, Hello!, 1 folder');
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
      await expect(asked({ kind, path }, 'greet')).rejects.toThrow(/capabilit|input|elicitation/i);
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
