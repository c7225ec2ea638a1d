/**
 * The official Python SDK on both sides of the gateway: its servers behind it, called by every official client, and its
 * clients in front of it. Where Python or the package registry is absent this is skipped, and says so.
 */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { scriptPath, startCommand, type ChildServer } from '../harness/child.ts';
import { startTestGateway, type TestGateway } from '../harness/gateway.ts';
import { CLIENT_KINDS, connectClient } from '../matrix/clients.ts';
import { installPythonSdk } from './python/install.ts';

const run = promisify(execFile);

const first = await installPythonSdk('python-1');
const second = await installPythonSdk('python-2');
const absent = [first, second].flatMap((installed) => (installed.ok ? [] : [installed.reason]));
for (const reason of absent) console.warn(`SKIPPED, the Python peers: ${reason}`);

const one = first.ok ? first.interpreter : '';
const two = second.ok ? second.interpreter : '';
const SERVER = scriptPath('long/python/server.py');
const SERVERS = ['python-1-http', 'python-1-sse', 'python-1-stdio', 'python-2-http', 'python-2-stdio'] as const;

type PythonClient = {
  readonly name: string;
  readonly command: readonly string[];
  readonly version: string;
  /** The end of the path, where it is not `/mcp`. */
  readonly at?: string;
};

const PYTHON_CLIENTS: readonly PythonClient[] = [
  { name: 'mcp 1.x', command: [one, scriptPath('long/python/client_1.py')], version: '2025-11-25' },
  {
    name: 'mcp 1.x over HTTP+SSE',
    command: [one, scriptPath('long/python/client_1.py')],
    version: '2025-11-25',
    at: '/sse',
  },
  { name: 'mcp 2.x', command: [two, scriptPath('long/python/client_2.py'), 'auto'], version: '2026-07-28' },
  { name: 'mcp 2.x as legacy', command: [two, scriptPath('long/python/client_2.py'), 'legacy'], version: '2025-11-25' },
];

const TOOLS = ['add', 'count', 'echo', 'fail'];

describe.skipIf(absent.length > 0)(`Python peers${absent.map((reason) => ` (${reason})`).join('')}`, () => {
  let gateway: TestGateway;
  const children: ChildServer[] = [];

  beforeAll(async () => {
    for (const [interpreter, transport] of [
      [one, 'http'],
      [two, 'http'],
      [one, 'sse'],
    ] as const) {
      children.push(await startCommand(interpreter, [SERVER, transport]));
    }
    const [httpOne, httpTwo, sseOne] = children.map(({ url }) => url);
    const allow = (id: string): string => `allow: [{ group: ${id}, tools: ["*"], prompts: ["*"], resources: ["*"] }]`;
    const stdio = (interpreter: string): string => `command: ["${interpreter}", "${SERVER}", stdio], sharing: shared`;
    gateway = await startTestGateway({
      // Each user sees one server, so that the names of resources are one server's on the aggregate endpoint, too.
      users: Object.fromEntries(SERVERS.map((id) => [id, [id]])),
      yaml: [
        'endpoints: { legacySse: true }',
        'servers:',
        `  python-1-sse: { url: "${sseOne}", ${allow('python-1-sse')} }`,
        `  python-1-http: { url: "${httpOne}", ${allow('python-1-http')} }`,
        `  python-1-stdio: { ${stdio(one)}, ${allow('python-1-stdio')} }`,
        `  python-2-http: { url: "${httpTwo}", ${allow('python-2-http')} }`,
        `  python-2-stdio: { ${stdio(two)}, ${allow('python-2-stdio')} }`,
      ].join('\n'),
    });
  });

  afterAll(async () => {
    await gateway?.close();
    await Promise.all(children.map((child) => child.close()));
  });

  it('speak the era that their SDK knows', () => {
    const eras = Object.fromEntries(gateway.gateway.status().servers.map(({ id, state, era }) => [id, [state, era]]));
    expect(eras).toEqual({
      'python-1-http': ['healthy', 'legacy'],
      'python-1-sse': ['healthy', 'legacy'],
      'python-1-stdio': ['healthy', 'legacy'],
      'python-2-http': ['healthy', 'modern'],
      'python-2-stdio': ['healthy', 'modern'],
    });
  });

  describe.each(SERVERS)('%s behind the gateway', (server) => {
    it.each(CLIENT_KINDS)('serves the official %s client', async (kind) => {
      const client = await connectClient(kind, `${gateway.url}/servers/${server}/mcp`, gateway.keys[server] ?? '');
      try {
        expect((await client.listTools()).tools.map(({ name }) => name).toSorted()).toEqual(TOOLS);
        expect(await client.callTool({ name: 'add', arguments: { a: 2, b: 40 } })).toMatchObject({
          structuredContent: { result: 42 },
        });
        const progress: unknown[] = [];
        await client.callTool(
          { name: 'count', arguments: { to: 3 } },
          { onprogress: ({ progress: done }) => void progress.push(done) },
        );
        expect(progress).toEqual([1, 2, 3]);
        expect(await client.callTool({ name: 'fail', arguments: {} })).toMatchObject({ isError: true });
        const text = 'ünïcödé \u{1f98a} '.repeat(2000);
        expect(await client.callTool({ name: 'echo', arguments: { text } })).toMatchObject({ content: [{ text }] });
        expect(await client.readResource({ uri: 'note://by-id/7' })).toMatchObject({ contents: [{ text: 'Note 7.' }] });
        expect(await client.getPrompt({ name: 'greet', arguments: { name: 'Ada' } })).toMatchObject({
          messages: [{ content: { text: 'Please greet Ada.' } }],
        });
      } finally {
        await client.close();
      }
    });

    it.each(PYTHON_CLIENTS)(
      'serves a client on $name, on both endpoints',
      async ({ command, version, at = '/mcp' }) => {
        for (const prefix of ['', `${server}_`]) {
          const path = `${prefix === '' ? `/servers/${server}` : ''}${at}`;
          const report = await runClient(command, `${gateway.url}${path}`, prefix);
          expect(report).toEqual({
            version,
            tools: TOOLS.map((name) => `${prefix}${name}`),
            added: { result: 42 },
            counted: 'counted to 3',
            progress: [1, 2, 3],
            failed: [true, expect.stringContaining('Error executing tool fail')],
            invalid: expect.stringMatching(/"?a"?.*(integer|number)/u),
            unknown: expect.stringContaining(`Unknown tool "${prefix}none"`),
            resource: 'Note 7.',
            prompt: 'Please greet Ada.',
          });
        }
      },
    );

    async function runClient(command: readonly string[], url: string, prefix: string): Promise<unknown> {
      const [interpreter = '', script = '', ...mode] = command;
      const { stdout } = await run(interpreter, [script, url, gateway.keys[server] ?? '', prefix, ...mode]);
      return JSON.parse(stdout);
    }
  });
});
