/**
 * A different secret is planted at every place where one can be, everything that can happen to a call is made to happen, and
 * then everything that the gateway has written or shown to others is searched for each of them.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createApiKey } from '../packages/gateway/src/authn/api-key.ts';
import { PEOPLE, SECRETS } from '../packages/gateway/src/guard/redaction/secrets.fixture.ts';
import { startRecordingServer, type RecordingServer } from './fixtures/recording-http.ts';
import { scriptPath } from './harness/child.ts';
import { sallyport } from './harness/command-line.ts';
import { writeTestConfig, type TestConfig } from './harness/config-file.ts';
import { bearer, modern, send, type HttpAnswer } from './harness/http.ts';
import { startStoresDouble, type StoresDouble } from './fixtures/stores-double.ts';
import { until } from './harness/until.ts';

const MAIN = scriptPath('../packages/gateway/src/main.ts');
const TALKATIVE = scriptPath('fixtures/talkative-stdio.ts');

/** No two alike, and each unlike anything else: what is found of it was copied from it. */
const drawn = (): string => `Q7${randomBytes(18).toString('base64url').replace(/[-_]/g, 'x')}9z`;

const planted = {
  'environment of a server': drawn(),
  'header of a server, from a file': drawn(),
  'log-in secret of an issuer': drawn(),
  'printed by a command': drawn(),
  'printed by a command that then fails': drawn(),
  'in an environment of a command': drawn(),
  'kept by AWS': drawn(),
  'key of AWS': drawn(),
  'kept in a Vault': drawn(),
  'token of a Vault': drawn(),
  'wrong bearer token': drawn(),
  'well-formed API key of nobody': createApiKey(randomBytes).key.expose(),
  'basic credentials': Buffer.from(`carol:${drawn()}`).toString('base64'),
  'browser cookie': drawn(),
  'header of a client': drawn(),
  'JSON Web Token':
    [{ alg: 'RS256' }, { sub: 'mallory' }, {}]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.') + drawn(),
  'password argument': drawn(),
  'nested secret argument': drawn(),
  'argument of a refused call': drawn(),
  'argument of a call that waits for approval': drawn(),
  'argument of an unknown tool': drawn(),
};

const POLICIES = `
permit (principal in Group::"staff", action, resource in Server::"open");
permit (principal in Group::"staff", action, resource in Server::"web");
@approval("group:dba")
permit (principal in Group::"staff", action, resource in Server::"asked");
permit (principal in Group::"nobody", action, resource in Server::"closed");
`;

let config: TestConfig;
let web: RecordingServer;
let stores: StoresDouble;
let child: ChildProcess;
const ofStores = {
  VAULT_TOKEN: planted['token of a Vault'],
  AWS_ID: 'AKIDEXAMPLE',
  AWS_KEY: planted['key of AWS'],
  PRINTED: planted['printed by a command'],
  FAILED: planted['printed by a command that then fails'],
  OTHER: planted['in an environment of a command'],
};

let written = '';
let url = '';
let operations = '';
/** What was answered to somebody else than who sent the secret, and what commands and pages show. */
const shown: string[] = [];

beforeAll(async () => {
  web = await startRecordingServer([
    { name: 'store', inputSchema: { type: 'object', properties: { n: { type: 'integer' } } } },
  ]);
  stores = await startStoresDouble({
    vaultToken: planted['token of a Vault'],
    inVault: planted['kept in a Vault'],
    inAws: planted['kept by AWS'],
  });
  config = writeTestConfig({
    users: { alice: ['staff'], dora: ['dba'], bob: [] },
    policies: POLICIES,
    bodies: '{ tools: ["*"] }',
    logLevel: 'debug',
    yaml: `  issuers:
    - issuer: "http://127.0.0.1:1"
      login: { clientId: pages, clientSecret: "env:LOGIN_SECRET" }
storage: { url: "sqlite:./sallyport.db" }
secrets:
  vault: { address: "${stores.url}", auth: { method: token, token: env:VAULT_TOKEN }, cache: 200ms }
  aws-sm: { region: eu-central-1, endpoint: "${stores.url}", accessKeyId: env:AWS_ID, secretAccessKey: env:AWS_KEY }
  exec:
    print: { command: ["${process.execPath}", "-p", "process.env.PRINTED"], env: { PRINTED: env:PRINTED, OTHER: env:OTHER } }
    fail: { command: ["${process.execPath}", "-e", "console.log(process.env.PRINTED); console.error(process.env.PRINTED); process.exit(1)"], env: { PRINTED: env:FAILED } }
servers:
${['open', 'asked', 'closed'].map((id) => `  ${id}: { command: ["${process.execPath}", "${TALKATIVE}"], env: { API_TOKEN: "env:SERVER_SECRET" } }`).join('\n')}
  web:
    url: "${web.url}"
    headers: { authorization: "Bearer file:./web-token", x-vault: "vault:secret/data/crm#token", x-aws: "aws-sm:prod/crm#token", x-exec: "exec:print" }
  failing: { url: "${web.url}", headers: { x-key: "exec:fail" } }
  nothing: { url: "${web.url}", headers: { x-key: "vault:secret/data/crm#tokn" } }
`,
  });
  writeFileSync(path.join(config.directory, 'web-token'), planted['header of a server, from a file']);
  const env = {
    ...process.env,
    SERVER_SECRET: planted['environment of a server'],
    LOGIN_SECRET: planted['log-in secret of an issuer'],
    ...ofStores,
  };
  child = spawn(process.execPath, [MAIN, 'serve', '--config', config.file], { cwd: config.directory, env });
  const take = (chunk: Buffer): void => void (written += chunk.toString('utf8'));
  child.stdout?.on('data', take);
  child.stderr?.on('data', take);
  const ready = await until('the gateway', () => /\{[^\n]*"msg":"ready"[^\n]*\}/.exec(written)?.[0], 60_000);
  ({ url, operations } = JSON.parse(ready) as { url: string; operations: string });
}, 90_000);

afterAll(async () => {
  child.kill('SIGKILL');
  await web.close();
  await stores.close();
  rmSync(config.directory, { recursive: true, force: true });
});

const call = (who: string, address: string, args: unknown, headers: Record<string, string> = {}) => {
  const [server = '', name = ''] = address.split('/');
  const request = modern('tools/call', { name, arguments: args });
  const credential = bearer(config.keys[who] ?? who);
  return send(`${url}/servers/${server}/mcp`, {
    ...request,
    headers: { ...request.headers, ...credential, ...headers },
  });
};

/** As its callers hold them: their answers may say anything. */
const toCaller = async (answer: Promise<HttpAnswer>): Promise<HttpAnswer> => answer;
const toStranger = async (answer: Promise<HttpAnswer>): Promise<HttpAnswer> => {
  const got = await answer;
  shown.push(got.text, JSON.stringify(got.headers));
  return got;
};

describe('a gateway that was given secrets everywhere', () => {
  test('does with them everything that a gateway does', async () => {
    const args = {
      password: planted['password argument'],
      settings: { db: { clientSecret: planted['nested secret argument'] } },
      fixtures: [...SECRETS, ...PEOPLE].map(([text]) => text),
    };
    for (const tool of ['echo', 'tool_error', 'protocol_error', 'stderr', 'die']) {
      const answer = await toCaller(call('alice', `open/${tool}`, args));
      expect(answer.status).toBeLessThan(600);
    }
    await toCaller(call('alice', 'web/store', args));
    await toCaller(call('alice', 'web/store', { n: `password=${planted['argument of a refused call']}` }));
    await toCaller(call('alice', 'closed/echo', { password: planted['argument of a refused call'] }));
    await toCaller(call('alice', 'open/no_such_tool', { token: planted['argument of an unknown tool'] }));
    await toCaller(call('alice', 'asked/echo', { secret: planted['argument of a call that waits for approval'] }));
    await toCaller(
      call(
        'alice',
        'open/echo',
        {},
        { cookie: `__Host-sallyport=${planted['browser cookie']}`, 'x-api-key': planted['header of a client'] },
      ),
    );
    for (const credential of ['wrong bearer token', 'well-formed API key of nobody', 'JSON Web Token'] as const) {
      expect((await toStranger(call(planted[credential], 'open/echo', {}))).status).toBe(401);
    }
    const basic = modern('tools/list');
    await toStranger(
      send(`${url}/mcp`, {
        ...basic,
        headers: { ...basic.headers, authorization: `Basic ${planted['basic credentials']}` },
      }),
    );
    await toStranger(
      send(`${url}/approvals`, { method: 'GET', headers: { cookie: `__Host-sallyport=${planted['browser cookie']}` } }),
    );
    await toStranger(send(`${url}/api/v1/approvals`, { method: 'GET', headers: bearer(config.keys['bob'] ?? '') }));
    const lines = () => readFileSync(config.auditFile, 'latin1');
    await until('the bodies in the record', () => (lines().match(/"event":"bodies"/g)?.length ?? 0) >= 8, 30_000);
    expect(lines()).not.toContain('"outcome":"lost"');
    expect(web.calls.some(({ headers }) => headers['x-vault'] === planted['kept in a Vault'])).toBe(true);
    expect(web.calls.some(({ headers }) => headers['x-aws'] === planted['kept by AWS'])).toBe(true);
    stores.refuse();
    await until('the gateway to see that its stores are away', async () => {
      const status = await send(`${operations}/status`, { method: 'GET' });
      return status.text.includes('secret-store","up":false');
    });
    for (const page of ['metrics', 'status', 'healthz', 'readyz', 'schemas', 'credentials']) {
      shown.push((await send(`${operations}/${page}`, { method: 'GET' })).text);
    }
    const request = /"event":"bodies","outcome":"stored"/.exec(lines()) === null ? '' : requestOfBodies(lines());
    for (const command of [
      ['audit', 'search', '--config', config.file],
      ['audit', 'search', '--json', '--config', config.file],
      ['audit', 'verify', config.auditFile],
      ['audit', 'body', request, '--config', config.file],
      [
        'audit',
        'export',
        '--person',
        'alice',
        '--output',
        path.join(config.directory, 'export'),
        '--config',
        config.file,
      ],
      ['status', '--url', operations],
      ['credentials', 'list', '--url', operations],
      ['credentials', 'list', '--json', '--url', operations],
      ['tools', '--url', operations, '--as', 'alice', '--config', config.file],
      ['key', 'list', '--config', config.file],
      ['check', '--config', config.file],
    ]) {
      const { code, out, err } = await sallyport(command, {
        SERVER_SECRET: planted['environment of a server'],
        LOGIN_SECRET: planted['log-in secret of an issuer'],
        ...ofStores,
      });
      // Servers that died and stores that are away are told with a 1.
      const wanted = ['status', 'credentials'].includes(command[0] ?? '') ? 1 : 0;
      expect([command.slice(0, 2), code]).toEqual([command.slice(0, 2), wanted]);
      shown.push(out, err);
    }
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('exit', resolve));
  }, 120_000);

  test('shows none of them in anything that it wrote or that others see', () => {
    const outputs = new Map([
      ['log', written],
      ...shown.map((text, index) => [`shown ${index}`, text] as const),
      ...filesIn(config.directory),
    ]);
    expect(outputs.size).toBeGreaterThan(20);
    const secrets: [string, string][] = [
      ...Object.entries(planted),
      ...Object.entries(config.keys).map(([name, key]): [string, string] => [`key of ${name}`, key]),
    ];
    expect(leaks(secrets, outputs)).toEqual([]);
  });

  test('and none of the shapes that it knows', () => {
    const outputs = new Map([
      ['log', written],
      ...shown.map((text, index) => [`shown ${index}`, text] as const),
      ...filesIn(config.directory),
    ]);
    // Shorter ones are found in anything.
    const fixtures = [...SECRETS, ...PEOPLE.map(([text, , secret]) => [text, secret] as const)]
      .filter(([, secret]) => secret.length >= 7)
      .map(([text, secret]): [string, string] => [text, secret]);
    expect(leaks(fixtures, outputs)).toEqual([]);
  });
});

test('the search would find a secret, however JSON writes it', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 8, unit: 'grapheme' }), (secret) => {
      expect(
        leaks([['it', secret]], new Map([['out', `{"x":${JSON.stringify({ y: `a ${secret} b` })}}`]])),
      ).toHaveLength(1);
    }),
  );
});

function requestOfBodies(lines: string): string {
  const line = lines.split('\n').find((one) => one.includes('"event":"bodies","outcome":"stored"')) ?? '';
  return /"correlation_uid":"([^"]+)"/.exec(line)?.[1] ?? '';
}

/** What the gateway wrote, and what was exported; not the key ring and what the test itself wrote. */
function filesIn(folder: string): [string, string][] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => !['keys.json', 'web-token', 'sallyport.yaml', 'policy.cedar'].includes(name))
    .filter((name) => statSync(path.join(folder, name)).isFile())
    .map((name) => [name, readFileSync(path.join(folder, name), 'utf8')]);
}

/** Which secrets stand in which outputs, as they are or as JSON and URLs write them. */
function leaks(
  secrets: readonly (readonly [string, string])[],
  outputs: ReadonlyMap<string, string>,
): readonly string[] {
  const found: string[] = [];
  for (const [name, secret] of secrets) {
    const forms = new Set([
      secret,
      JSON.stringify(secret).slice(1, -1),
      JSON.stringify(JSON.stringify(secret)).slice(3, -3),
      encodeURIComponent(secret.toWellFormed()),
    ]);
    for (const [where, text] of outputs)
      if ([...forms].some((form) => text.includes(form))) found.push(`${name} in ${where}`);
  }
  return found;
}
