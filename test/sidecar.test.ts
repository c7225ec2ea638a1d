/** A sidecar as it is deployed: the command line of the manifest, started for real beside a server of the official SDK. */

import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createApiKey } from '../packages/gateway/src/authn/api-key.ts';
import { idFrom } from '../packages/gateway/src/cli/sidecar.ts';
import { scriptPath } from './harness/child.ts';
import { bearer, modern, send } from './harness/http.ts';
import { until } from './harness/until.ts';

const MAIN = scriptPath('../packages/gateway/src/main.ts');
const SERVER = scriptPath('../node_modules/@modelcontextprotocol/server-filesystem/dist/index.js');
const MANIFEST = scriptPath('../deploy/kubernetes/sidecar');

let folder = '';
const running: { kill(signal: NodeJS.Signals): boolean; readonly exited: Promise<unknown> }[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sallyport-sidecar-'));
});

afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill('SIGTERM');
    await child.exited;
  }
  rmSync(folder, { recursive: true, force: true });
});

type Started = { readonly url: string; readonly operations: string; readonly out: readonly string[] };

async function start(args: readonly string[], env: Record<string, string> = {}): Promise<Started> {
  const own = ['--listen=127.0.0.1:0', '--operations=127.0.0.1:0', `--data=${folder}`];
  const child = spawn(process.execPath, [MAIN, 'sidecar', ...own, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] ?? '', ...env },
  });
  running.push({ kill: (signal) => child.kill(signal), exited: once(child, 'exit') });
  const out: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    out.push(line);
    const { msg, url, operations } = line.startsWith('{') ? (JSON.parse(line) as Record<string, string>) : {};
    if (msg === 'ready' && url !== undefined && operations !== undefined) return { url, operations, out };
  }
  throw new Error(`the sidecar ended before it was ready: ${out.join('\n')}`);
}

/** Its tools are known once the server has told them, which on a busy machine can be after it is ready. */
const listed = (url: string, key: string, name: string) =>
  until(
    `the tool ${name}`,
    async () => {
      const answer = await call(url, key, name);
      return answer.json?.result === undefined ? undefined : answer;
    },
    45_000,
  );

async function call(url: string, key: string, name: string, args: object = {}) {
  const { headers, body } = modern('tools/call', { name, arguments: args });
  return send(`${url}/mcp`, { headers: { ...headers, ...bearer(key) }, body });
}

/** A gateway and a server start for each of these: a busy machine takes a while. */
describe('a sidecar', { timeout: 60_000 }, () => {
  const key = createApiKey(randomBytes).key.expose();

  it('guards one server for the application whose key it was given, and needs nothing else', async () => {
    const args = ['--name', 'files', '--allow', 'list_*', '--', process.execPath, SERVER, folder];
    const { url, operations } = await start(args, { SALLYPORT_KEY: key });
    const answer = await listed(url, key, 'files_list_allowed_directories');
    expect(answer.json?.result).toMatchObject({ content: [{ type: 'text' }] });
    const hidden = await call(url, key, 'files_write_file', { path: 'x', content: 'y' });
    expect(hidden.json?.error?.message).toContain('Unknown tool');
    const stranger = await call(url, createApiKey(randomBytes).key.expose(), 'files_list_allowed_directories');
    expect(stranger.status).toBe(401);
    expect((await send(`${operations}/readyz`, { method: 'GET' })).status).toBe(200);
    expect(readFileSync(path.join(folder, 'audit.jsonl'), 'utf8')).toContain('files/list_allowed_directories');
    expect(readFileSync(path.join(folder, 'sallyport.yaml'), 'utf8')).not.toContain(key);
  });

  it('makes a key when it was given none, and shows it once', async () => {
    const { url, out } = await start(['--allow', '*', '--name', 'files', '--', process.execPath, SERVER, folder]);
    expect(out[0]).toMatch(/^sp_/);
    expect((await listed(url, out[0] ?? '', 'files_list_allowed_directories')).status).toBe(200);
  });

  it('takes the arguments of the manifest', async () => {
    const text = readFileSync(path.join(MANIFEST, 'deployment.yaml'), 'utf8');
    const written = [...text.matchAll(/^ {12}- (--?[^\s].*|--)$/gm)].map(([, arg]) => arg ?? '');
    const options = written
      .slice(0, written.indexOf('--'))
      .filter((arg) => !/^--(?:listen|operations|data)=/.test(arg));
    expect(options).toContain('--allow=*');
    const { url } = await start([...options, '--', process.execPath, SERVER, folder], { SALLYPORT_KEY: key });
    expect((await listed(url, key, 'server-filesystem_list_allowed_directories')).status).toBe(200);
  });

  it.each([
    [['--allow', '*'], 'exactly one server'],
    [['--', 'a-server'], 'Nothing would be allowed'],
    [['--allow', '*', '--key', key, '--', 'a-server'], 'not a reference'],
    [['--allow', '*', '--key', 'file:/nowhere', '--', 'a-server'], 'cannot be read'],
  ])('says what is missing: %j', (args, message) => {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, 'sidecar', '--data', folder, ...args], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '' },
    });
    expect(status).not.toBe(0);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain(key);
  });

  it.each([
    [['npx', '-y', '@acme/files-server@1.2.3', './files'], 'files-server'],
    [['node', '/srv/files-server/dist/index.js', '/data'], 'files-server'],
    [['python3', '-m', 'weather_server'], 'weather-server'],
    [['uvx', 'mcp-server-git'], 'mcp-server-git'],
    [['/opt/node-26/bin/node', '/srv/files-server/index.js'], 'files-server'],
    [['node', 'index.js'], 'server'],
  ])('names the server after what starts it: %j is %s', (command, id) => {
    expect(idFrom(command, undefined)).toBe(id);
  });
});

const KUBECTL = (process.env['PATH'] ?? '').split(':').some((at) => existsSync(path.join(at, 'kubectl')));
if (!KUBECTL) console.warn('SKIPPED: kubectl is not installed, so the manifest is not rendered.');

describe.runIf(KUBECTL)('the manifest of a sidecar', () => {
  it('renders, with probes, no privileges and no key in it', () => {
    const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', MANIFEST], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    for (const wanted of [
      'image: example.com/sallyport:0.1.0',
      'path: /readyz',
      'path: /healthz',
      'readOnlyRootFilesystem: true',
      'runAsNonRoot: true',
      'name: application-key',
    ]) {
      expect(stdout).toContain(wanted);
    }
    expect(stdout).not.toMatch(/sp_[\w-]{20}/);
  });
});
