import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import os from 'node:os';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { loadConfig } from '../config/load.ts';
import { auditTail } from './audit-tail.ts';
import { parseAddress, parseArgument } from './call.ts';
import { newKey } from './key-create.ts';
import { runCommandLine } from './program.ts';
import { duration } from './status.ts';
import { createTerminal, table } from './terminal.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-cli-'));
const servers: Server[] = [];
afterAll(() => {
  rmSync(folder, { recursive: true });
  for (const server of servers) server.close();
});

async function run(args: readonly string[], input = '', env: Record<string, string> = {}) {
  const written = { out: '', err: '' };
  const out = { write: (text: string) => (written.out += text) };
  const err = { write: (text: string) => (written.err += text) };
  const terminal = createTerminal({ out, err }, env);
  const code = await runCommandLine(args, { terminal, env, readInput: () => Promise.resolve(input) });
  return { code, ...written };
}

function file(name: string, text: string): string {
  const at = path.join(folder, name);
  writeFileSync(at, text);
  return at;
}

/** What was asked of a stand-in for a gateway, and its address. */
function answering(answer: (body: string) => { status: number; type: string; text: string }) {
  const asked: { url: string; headers: NodeJS.Dict<string | string[]>; body: string }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      asked.push({ url: request.url ?? '', headers: request.headers, body });
      const { status, type, text } = answer(body);
      response.writeHead(status, { 'Content-Type': type }).end(text);
    });
  });
  servers.push(server);
  return new Promise<{ url: string; asked: typeof asked }>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve({ url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, asked });
    });
  });
}

const json = (value: object, status = 200) => ({ status, type: 'application/json', text: JSON.stringify(value) });

describe('help', () => {
  it('lists every command, an example and the exit codes', async () => {
    const { code, out } = await run(['--help']);
    expect(code).toBe(0);
    for (const word of [
      'serve',
      'demo',
      'check',
      'status',
      'tools',
      'call',
      'key',
      'audit',
      'Exit codes',
      'Examples',
    ]) {
      expect(out).toContain(word);
    }
  });

  it('suggests the command that was meant', async () => {
    expect(await run(['tols'])).toMatchObject({ code: 2, err: expect.stringContaining('tools') });
  });
});

describe('check', () => {
  it('warns of administrators and of tokens that reach far, by the setting that holds them', async () => {
    const claims = Buffer.from(JSON.stringify({ scope: 'crm:read crm:*' })).toString('base64url');
    const config = file(
      'privileged.yaml',
      `storage: { url: "postgres://postgres@db.example/sallyport" }
servers:
  db: { command: [db-server, --user, root], env: { DATABASE_URL: env:DATABASE_URL, LOG_LEVEL: info } }
  crm: { url: "https://crm.example/mcp", headers: { Authorization: "Bearer env:CRM_TOKEN" } }
  wiki: { url: "https://wiki.example/mcp", auth: { type: client-credentials, clientId: gw, clientSecret: "env:WIKI", scopes: ["pages:read", "admin:*"] } }
`,
    );
    const env = { DATABASE_URL: 'mysql://sa:s3cr3t-of-it@db/x', CRM_TOKEN: `e30.${claims}.c2ln` };
    const { code, out } = await run(['check', '--config', config], '', env);
    expect(code).toBe(0);
    expect(out.split('\n').filter((line) => line.startsWith('warning: s'))).toEqual([
      expect.stringMatching(/^warning: storage\.url connects as the administrator "postgres"\. Make an account/u),
      expect.stringContaining('servers.db.command connects as the administrator "root"'),
      expect.stringContaining('servers.db.env.DATABASE_URL connects as the administrator "sa"'),
      expect.stringContaining(
        'servers.crm.headers.Authorization is one token for every caller, and its scopes reach far: crm:*',
      ),
      'warning: servers.wiki.auth is one token for every caller, and its scopes reach far: admin:*. Name the scopes that the tools need.',
    ]);
    expect(out).not.toContain('s3cr3t-of-it');
  });
  it('ends with 0 when there is nothing to mend', async () => {
    const config = file('good.yaml', 'servers:\n  a: { command: [node] }\n');
    expect(await run(['check', '--config', config])).toMatchObject({
      code: 0,
      out: expect.stringContaining('1 server, 0 policy files. No problem found.'),
    });
  });

  it('prints line, what and how to mend, and ends with 1', async () => {
    const config = file('bad.yaml', 'lisen: x\n');
    const { code, out } = await run(['check', '--config', config]);
    expect(code).toBe(1);
    expect(out).toContain('bad.yaml:1:1');
    expect(out).toContain('Did you mean listen?');
  });

  it('finds mistakes in policies, with their file and line', async () => {
    file('wrong.cedar', 'permit (principal, action, resource)\nwhen { resource.nane == "x" };\n');
    const config = file('policies.yaml', 'policies: [./wrong.cedar]\n');
    const { code, out } = await run(['check', '--config', config]);
    expect(code).toBe(1);
    expect(out).toContain('wrong.cedar:');
  });

  it('names variables that are not set, without calling it a mistake', async () => {
    const text = 'servers:\n  a: { command: [node], env: { T: env:NOT_SET } }\n';
    const config = file('variables.yaml', `${text}storage: { url: env:NO_DATABASE }\n`);
    const { code, out } = await run(['check', '--config', config]);
    expect(code).toBe(0);
    expect(out).toContain('NOT_SET is not set in this environment; the server "a" needs it');
    expect(out).toContain('NO_DATABASE is not set in this environment; storage.url needs it');
  });
});

describe('key create', () => {
  it('prints the key alone to standard output, and a line that the configuration accepts', async () => {
    const { code, out, err } = await run(['key', 'create', 'alice', '-g', 'engineering', '-g', 'on', '--print-config']);
    expect(code).toBe(0);
    expect(out).toMatch(/^sp_\S+\n$/);
    const line = err.split('\n').find((text) => text.includes('hash:')) ?? '';
    const loaded = loadConfig(file('key.yaml', `identity:\n  apiKeys:\n${line}\n`), { env: {} });
    expect(loaded.ok && loaded.value.config.identity.apiKeys).toMatchObject([
      { name: 'alice', groups: ['engineering', 'on'] },
    ]);
    expect(line).not.toContain(out.trim());
  });

  it.each(['null', 'a: b', '"', 'ünï', '{x}', '-'])('keeps the name %j a name', (name) => {
    const { line } = newKey({ name, group: [] });
    const loaded = loadConfig(file('name.yaml', `identity:\n  apiKeys:\n    - ${line}\n`), { env: {} });
    expect(loaded.ok && loaded.value.config.identity.apiKeys[0]?.name).toBe(name);
  });
});

describe('call', () => {
  it('sends one modern request and prints the text', async () => {
    const result = { resultType: 'complete', content: [{ type: 'text', text: 'hello' }] };
    const { url, asked } = await answering(() => json({ jsonrpc: '2.0', id: 1, result }));
    const ended = await run(['call', 'files/read', '--arg', 'path=a.txt', '--arg', 'n=3', '--url', url], '', {
      SALLYPORT_KEY: 'k',
    });
    expect(ended).toMatchObject({ code: 0, out: 'hello\n' });
    expect(asked[0]).toMatchObject({
      url: '/servers/files/mcp',
      headers: { authorization: 'Bearer k', 'mcp-method': 'tools/call', 'mcp-name': 'read' },
    });
    expect(JSON.parse(asked[0]?.body ?? '')).toMatchObject({
      method: 'tools/call',
      params: { name: 'read', arguments: { path: 'a.txt', n: 3 } },
    });
  });

  it('reads the arguments from standard input, and shows progress of an event stream', async () => {
    const events = [
      { jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1, total: 2, message: 'half' } },
      { jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: 'done' }] } },
    ];
    const text = events.map((event) => `event: message\ndata: ${JSON.stringify(event)}\n\n`).join('');
    const { url, asked } = await answering(() => ({ status: 200, type: 'text/event-stream', text }));
    const ended = await run(['call', 'a/b', '--json', '-', '--url', url], '{"x": [1]}');
    expect(ended).toMatchObject({ code: 0, out: 'done\n', err: 'progress 1 of 2  half\n' });
    expect(asked[0]?.body).toContain('"arguments":{"x":[1]}');
  });

  it.each([
    [{ result: { isError: true, content: [{ type: 'text', text: 'no such file' }] } }, 200, 5, 'no such file'],
    [{ error: { code: -32602, message: 'Unknown tool.' } }, 200, 4, 'Unknown tool. (-32602, HTTP 200)'],
    [{ error: { code: -31401, message: 'A credential is required.' } }, 401, 4, 'SALLYPORT_KEY'],
    [{ something: 'else' }, 200, 3, 'not an MCP answer'],
  ])('tells apart what went wrong: %j', async (message, status, code, text) => {
    const { url } = await answering(() => json({ jsonrpc: '2.0', id: 1, ...message }, status));
    expect(await run(['call', 'a/b', '--url', url])).toMatchObject({ code, err: expect.stringContaining(text) });
  });

  it('says where nothing answers, and what to type', async () => {
    const ended = await run(['call', 'a/b', '--url', 'http://127.0.0.1:1']);
    expect(ended).toMatchObject({ code: 3, err: expect.stringMatching(/127\.0\.0\.1:1[\s\S]*npm start/) });
  });

  it.each(['files', '/x', 'Files/x', 'a_b/x', 'files/'])('refuses the address %s', (address) => {
    expect(() => parseAddress(address)).toThrow('not the address of a tool');
  });

  it.each([
    ['a=b', ['a', 'b']],
    ['a=3', ['a', 3]],
    ['a="3"', ['a', '3']],
    ['a=true', ['a', true]],
    ['a=[1]', ['a', [1]]],
    ['a=b=c', ['a', 'b=c']],
    ['a=', ['a', '']],
  ])('types the argument %s', (written, parsed) => {
    expect(parseArgument(written)).toEqual(parsed);
  });

  it.each([
    ['--arg', 'x'],
    ['--json', '[1]'],
    ['--json', 'x'],
  ])('refuses %s %s with 2', async (option, value) => {
    expect((await run(['call', 'a/b', option, value])).code).toBe(2);
  });
});

describe('status', () => {
  it('shows servers and problems, and ends with 1 when one is not well', async () => {
    const report = {
      version: '0.1.0',
      url: 'http://127.0.0.1:8080',
      startedAtMs: 0,
      uptimeMs: 65_000,
      servers: [{ id: 'files', state: 'unhealthy', sinceMs: 5000, counts: { tools: 3 }, reason: 'It does not start.' }],
      problems: [],
      entries: [],
    };
    const { url } = await answering(() => json(report));
    const { code, out } = await run(['status', '--url', url]);
    expect(code).toBe(1);
    expect(out).toContain('files   unhealthy  1 min');
    expect(out).toContain('It does not start.');
  });

  it('says that the record cannot be written, and ends with 1', async () => {
    const audit = { state: 'failing', backlogRecords: 7, overflowed: 0, reason: 'ENOSPC: no space left', sequence: 12 };
    const { url } = await answering(() => json({ version: '0.1.0', servers: [], problems: [], entries: [], audit }));
    expect(await run(['status', '--url', url])).toMatchObject({
      code: 1,
      out: expect.stringContaining('audit: the file cannot be written (ENOSPC: no space left); 7 records wait for it'),
    });
  });

  it('says when something else answers', async () => {
    const { url } = await answering(() => json({ hello: 1 }));
    expect(await run(['status', '--url', url])).toMatchObject({
      code: 3,
      err: expect.stringContaining('no Sallyport'),
    });
  });
});

describe('audit verify', () => {
  it('ends with 0 for an empty file, and names what is wrong with a line that is no record', async () => {
    const audit = file('audit.jsonl', '');
    expect(await run(['audit', 'verify', audit])).toMatchObject({ code: 0, out: expect.stringContaining('intact') });
    appendFileSync(audit, '{}\n');
    expect(await run(['audit', 'verify', audit])).toMatchObject({ code: 1, out: expect.stringContaining(':1:') });
  });
});

describe('the terminal', () => {
  it('colours on a terminal only, and never with NO_COLOR', () => {
    const stream = { isTTY: true, write: () => true };
    expect(createTerminal({ out: stream, err: stream }, {}).red('x')).toContain('\u001B[31m');
    expect(createTerminal({ out: stream, err: stream }, { NO_COLOR: '1' }).red('x')).toBe('x');
    expect(createTerminal({ out: { write: () => true }, err: stream }, {}).red('x')).toBe('x');
  });

  it('aligns columns and tells durations', () => {
    expect(
      table([
        ['a', 'b'],
        ['long', 'c'],
      ]),
    ).toEqual(['a     b', 'long  c']);
    expect([8000, 65_000, 3_700_000, 90_000_000].map(duration)).toEqual(['8 s', '1 min', '1 h 1 min', '1 d 1 h']);
  });
});

describe('audit search', () => {
  const record = (sequence: number, over: object = {}): string =>
    JSON.stringify({
      time: Date.UTC(2026, 10, 25, 4, 0, sequence),
      duration: 12,
      actor: { user: { name: 'alice' }, authorizations: [{ decision: 'allowed', policy: { uid: 'files.allow[0]' } }] },
      resources: [{ uid: 'files/read_text_file' }],
      api: { service: { name: 'files' }, operation: 'tools/call', request: { uid: 'r' } },
      metadata: { sequence, tenant_uid: 'default' },
      unmapped: { event: 'outcome', outcome: 'ok' },
      ...over,
    });

  it('says who did what, with which outcome, and because of which policy', async () => {
    const refused = { status_code: 'forbidden', unmapped: { event: 'outcome', outcome: 'refused' } };
    const at = file('search.jsonl', `${record(1)}\n${record(2, refused)}\n`);
    const { code, out, err } = await run(['audit', 'search', at]);
    expect(code).toBe(0);
    expect(out.split('\n')).toEqual([
      'time                     who    what                             outcome    ms  because of',
      '2026-11-25 04:00:01.000  alice  tools/call files/read_text_file  ok         12  files.allow[0]',
      '2026-11-25 04:00:02.000  alice  tools/call files/read_text_file  forbidden  12  files.allow[0]',
      '',
    ]);
    expect(err).toContain('2 of 2 records match.');
  });

  it('prints whole records where they are wanted, and the newest where they are too many', async () => {
    const lines = [1, 2, 3].map((sequence) => record(sequence));
    const at = file('many.jsonl', `${lines.join('\n')}\n`);
    expect((await run(['audit', 'search', at, '--json', '--limit', '2'])).out).toBe(`${lines.slice(1).join('\n')}\n`);
  });

  it('lets no name in the file write to the terminal by itself', async () => {
    const hostile = { actor: { user: { name: '\u001b[2Jroot\u202e\r' } } };
    const { out } = await run(['audit', 'search', file('hostile.jsonl', `${record(1, hostile)}\n`)]);
    expect(out).toContain('\\u001b[2Jroot\\u202e\\u000d');
    expect(out).not.toContain('\u001b');
  });

  it.each([
    [['--since', 'yesterday'], 'is no time'],
    [['--decision', 'maybe'], 'There is no decision "maybe"'],
    [['--limit', '0'], 'is no limit'],
  ])('says what it does not understand: %j', async (args, message) => {
    const { code, err } = await run(['audit', 'search', file('any.jsonl', ''), ...args]);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });

  it('says which file is not there', async () => {
    const { code, err } = await run(['audit', 'search', path.join(folder, 'absent.jsonl')]);
    expect(code).toBe(1);
    expect(err).toContain('There is no file');
  });
});

describe('audit tail', () => {
  it('shows records as they are written, whole ones only, until it is told to stop', async () => {
    const at = file('tail.jsonl', '');
    const line = '{"time":0,"metadata":{"sequence":1},"unmapped":{"event":"opened"}}';
    const stop = new AbortController();
    let written = '';
    const terminal = createTerminal({ out: { write: (text) => (written += text) }, err: { write: () => true } }, {});
    const context = { terminal, env: {}, readInput: () => Promise.resolve('') };
    const following = auditTail(context, { file: at, config: '', json: true }, stop.signal);
    await expect
      .poll(
        () => {
          // A half line first: it is no record yet.
          appendFileSync(at, written === '' ? line.slice(0, 10) : '');
          appendFileSync(at, written === '' ? `${line.slice(10)}\n` : '');
          return written;
        },
        { timeout: 10_000 },
      )
      .toContain(`${line}\n`);
    stop.abort();
    expect(await following).toBe(0);
  });
});
