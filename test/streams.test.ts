/**
 * Progress and log messages through a running gateway where people share a server: each message is on the stream of its own
 * request, under the client's own token, from the level on that this client asked for.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { scriptPath, startChildServer, type ChildServer } from './harness/child.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, legacy, modern, send, type HttpAnswer } from './harness/http.ts';

const SERVERS = ['legacy-http', 'legacy-stdio', 'modern-http', 'modern-stdio'] as const;
type ServerName = (typeof SERVERS)[number];

const PEOPLE = ['alice', 'bob'] as const;
type Person = (typeof PEOPLE)[number];

let gateway: TestGateway;
const children: ChildServer[] = [];

beforeAll(async () => {
  const old = await startChildServer('matrix/legacy-upstream.ts', 'http');
  const current = await startChildServer('matrix/modern-upstream.ts', 'http');
  const quiet = await startChildServer('fixtures/legacy-asking-server.ts', 'http');
  children.push(old, current, quiet);
  const shared = 'sharing: shared, allow: [{ anyone: true, tools: ["*"] }]';
  const command = (script: string): string => `command: ["${process.execPath}", "${scriptPath(script)}", stdio]`;
  gateway = await startTestGateway({
    users: { alice: [], bob: [] },
    yaml: [
      'servers:',
      `  legacy-http: { url: "${old.url}", ${shared} }`,
      `  legacy-stdio: { ${command('matrix/legacy-upstream.ts')}, ${shared} }`,
      `  modern-http: { url: "${current.url}", ${shared} }`,
      `  modern-stdio: { ${command('matrix/modern-upstream.ts')}, ${shared} }`,
      `  silent: { url: "${quiet.url}", ${shared} }`,
    ].join('\n'),
  });
});

afterAll(async () => {
  await gateway?.close();
  await Promise.all(children.map((child) => child.close()));
});

type Ask = ReturnType<typeof modern>;

const ask = (person: Person, server: string, { headers, body }: Ask): Promise<HttpAnswer> =>
  send(`${gateway.url}/servers/${server}/mcp`, {
    headers: { ...headers, ...bearer(gateway.keys[person] ?? '') },
    body,
  });

async function sessionOf(person: Person, server: string): Promise<string> {
  const opened = await ask(person, server, legacy('initialize'));
  return String(opened.headers['mcp-session-id']);
}

type Message = {
  readonly method?: string;
  readonly params?: { readonly progressToken?: unknown; readonly message?: string; readonly data?: string };
};

const noticesIn = ({ text }: HttpAnswer, method: string): readonly NonNullable<Message['params']>[] =>
  [...text.matchAll(/^data: ?(\{.*)$/gmu)]
    .map(([, data]) => JSON.parse(data ?? '') as Message)
    .flatMap((message) => (message.method === method && message.params !== undefined ? [message.params] : []));

const TOKEN = 7;

describe.each(SERVERS)('two people with one progress token at the same time at %s', (server) => {
  it.each(['legacy', 'modern'] as const)('each get their own, as %s clients', async (era) => {
    const counted = PEOPLE.map(async (person) => {
      const { _meta } = JSON.parse(String(modern('x').body)).params as { _meta: object };
      const asked = { name: 'count', arguments: { as: person } };
      const answer =
        era === 'legacy'
          ? await ask(
              person,
              server,
              legacy('tools/call', { ...asked, _meta: { progressToken: TOKEN } }, await sessionOf(person, server)),
            )
          : await ask(person, server, modern('tools/call', { ...asked, _meta: { ..._meta, progressToken: TOKEN } }));
      return noticesIn(answer, 'notifications/progress');
    });
    for (const [index, told] of (await Promise.all(counted)).entries()) {
      const person = PEOPLE[index] ?? '';
      expect(told.map(({ message }) => message)).toEqual([1, 2, 3].map((step) => `step ${step} ${person}`));
      expect(told.every(({ progressToken }) => progressToken === TOKEN)).toBe(true);
    }
  });
});

const logged = async (person: Person, server: ServerName, session: string): Promise<readonly unknown[]> => {
  const call = legacy('tools/call', { name: 'log', arguments: { id: person } }, session);
  return noticesIn(await ask(person, server, call), 'notifications/message').map(({ data }) => data);
};

describe('two people who share a server', () => {
  it.each(['legacy-http', 'modern-http'] as const)('hear as much as each asked for at %s', async (server) => {
    const [alice, bob, quiet] = [
      await sessionOf('alice', server),
      await sessionOf('bob', server),
      await sessionOf('bob', server),
    ];
    for (const [person, session, level] of [
      ['alice', alice, 'debug'],
      ['bob', bob, 'error'],
    ] as const) {
      const answer = await ask(person, server, legacy('logging/setLevel', { level }, session));
      expect(answer.json?.result).toEqual({});
    }
    const heard = await Promise.all([
      logged('alice', server, alice),
      logged('bob', server, bob),
      logged('bob', server, quiet),
    ]);
    expect(heard).toEqual([['debug alice', 'info alice', 'error alice'], ['error bob'], []]);
  });

  it('hear nothing of a process whose messages name no request, and that is counted', async () => {
    const session = await sessionOf('alice', 'modern-stdio');
    await ask('alice', 'modern-stdio', legacy('logging/setLevel', { level: 'debug' }, session));
    expect(await logged('alice', 'modern-stdio', session)).toEqual([]);
    const metrics = await send(`${gateway.gateway.operationsUrl ?? ''}/metrics`, { method: 'GET' });
    expect(metrics.text).toMatch(/^sallyport_upstream_log_messages_dropped_total\{server="modern-stdio"\} 3$/mu);
  });
});

describe('a log level', () => {
  it('is one of the protocol’s', async () => {
    const session = await sessionOf('alice', 'legacy-http');
    const answer = await ask('alice', 'legacy-http', legacy('logging/setLevel', { level: 'loud' }, session));
    expect(answer.json?.error).toMatchObject({ code: -32_602 });
  });

  it('cannot be set where no server logs, and that is what clients are told', async () => {
    const opened = await ask('alice', 'silent', legacy('initialize'));
    expect(opened.json?.result?.['capabilities']).not.toHaveProperty('logging');
    const session = String(opened.headers['mcp-session-id']);
    const answer = await ask('alice', 'silent', legacy('logging/setLevel', { level: 'info' }, session));
    expect(answer.json?.error).toMatchObject({ code: -32_601 });
  });
});
