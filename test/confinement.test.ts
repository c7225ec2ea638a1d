/** What a server that the gateway starts may take and touch, tried with a server that takes and touches. */

import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { findConfiningTools } from '../packages/gateway/src/composition/confinement.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern, send, type HttpAnswer } from './harness/http.ts';
import { until } from './harness/until.ts';
import { ROOT } from './source-tree.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const HUNGRY = `["${process.execPath}", "${import.meta.dirname}/fixtures/hungry-stdio.ts"]`;
const TOOLS = findConfiningTools(process.env);
const isLinux = process.platform === 'linux';
if (TOOLS.bwrap === undefined) console.warn('SKIPPED: bubblewrap is not here, so nothing is run in a sandbox.');

async function started(settings: string, env: Record<string, string> = {}): Promise<TestGateway> {
  // The clone that is tested may lie in /tmp.
  const seen = settings.replace('READ', `read: ["${ROOT}"]`);
  const yaml = `servers: { hungry: { command: ${HUNGRY}, retries: 0, breaker: off, ${seen}, allow: [{ anyone: true, tools: ["*"] }] } }`;
  const made = await startTestGateway({ yaml, env });
  closers.push(() => made.close());
  return made;
}

async function call(gateway: TestGateway, tool: string, args: Record<string, unknown> = {}): Promise<HttpAnswer> {
  const request = modern('tools/call', { name: tool, arguments: args });
  const headers = { ...request.headers, ...bearer(gateway.keys['alice'] ?? '') };
  return send(`${gateway.url}/servers/hungry/mcp`, { ...request, headers });
}

describe.skipIf(!isLinux)('limits of a process', () => {
  it('end one that takes more memory, say so, and leave the next one alone', async () => {
    const gateway = await started('process: { memory: 300MiB }');
    expect((await call(gateway, 'eat', { megabytes: 10 })).text).toContain('done');
    await call(gateway, 'eat', { megabytes: 600 });
    // The answer may come before anybody looks; then it is the next call that meets the end.
    const told = await until('it is ended', async () => {
      const { servers } = gateway.gateway.status();
      await call(gateway, 'eat', { megabytes: 1 });
      const logged = gateway.log.find(({ message }) => message.includes('process.memory'));
      return servers.length > 0 ? logged : undefined;
    });
    expect(told.message).toMatch(/^It used \d+ MiB, more than the 300 MiB of its process\.memory, and was ended\.$/u);
    expect((await call(gateway, 'eat', { megabytes: 1 })).text).toContain('done');
  });

  it('end one that starts more processes, with all that it started', async () => {
    const gateway = await started('process: { processes: 3 }');
    await call(gateway, 'fork', { count: 6 });
    const told = await until('it is ended', () =>
      gateway.log.find(({ message }) => message.includes('process.processes')),
    );
    expect(told.message).toMatch(/^It ran \d processes, more than the 3 of its process\.processes/u);
  });

  it.skipIf(TOOLS.prlimit === undefined)('hold for open files and for CPU time', async () => {
    const gateway = await started('process: { openFiles: 200, cpu: 2s }');
    expect((await call(gateway, 'open', { count: 20 })).text).toContain('done');
    expect((await call(gateway, 'open', { count: 400 })).text).toContain('EMFILE');
    expect((await call(gateway, 'spin')).text).toMatch(/SIGXCPU|SIGKILL/u);
  });
});

describe.skipIf(TOOLS.bwrap === undefined)('a sandbox', () => {
  it('lets a server read, and change nothing but what is named', async () => {
    const gateway = await started('sandbox: { READ, write: ["."] }');
    const inside = path.join(gateway.directory, 'made-by-the-server');
    expect((await call(gateway, 'write', { path: inside })).text).toContain('done');
    expect(readFileSync(inside, 'utf8')).toBe('written');
    const outside = path.join(import.meta.dirname, 'made-by-the-server');
    expect((await call(gateway, 'write', { path: outside })).text).toContain('EROFS');
    expect(existsSync(outside)).toBe(false);
    expect((await call(gateway, 'read', { path: path.join(import.meta.dirname, 'types.test.ts') })).text).toContain(
      'done',
    );
  });

  it('hides what the operator named, and has a /tmp of its own', async () => {
    const gateway = await started('sandbox: { READ, hide: ["./private"] }');
    mkdirSync(path.join(gateway.directory, 'private'));
    writeFileSync(path.join(gateway.directory, 'private', 'key'), 'secret words');
    const fresh = await started(`sandbox: { READ, hide: ["${path.join(gateway.directory, 'private')}"] }`);
    const answer = await call(fresh, 'read', { path: path.join(gateway.directory, 'private', 'key') });
    expect(answer.text).toContain('ENOENT');
    expect((await call(fresh, 'write', { path: '/tmp/made-by-the-server' })).text).toContain('done');
    expect(existsSync('/tmp/made-by-the-server')).toBe(false);
  });

  it("hides the gateway's own key ring and record, also within a folder that may be changed", async () => {
    const gateway = await started('sandbox: { READ, write: ["."] }');
    for (const file of ['keys.json', 'audit.jsonl']) {
      const own = path.join(gateway.directory, file);
      expect(readFileSync(own, 'utf8')).not.toBe('');
      expect((await call(gateway, 'read', { path: own })).text, file).toContain('EACCES');
      expect((await call(gateway, 'write', { path: own })).text).toMatch(/EROFS|EACCES/u);
    }
  });

  it('has no network unless it is named', async () => {
    const listener = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => listener.close(resolve)));
    const { port } = listener.address() as AddressInfo;
    expect((await call(await started('sandbox: { READ }'), 'reach', { port })).text).toMatch(
      /ECONNREFUSED|ENETUNREACH/u,
    );
    expect((await call(await started('sandbox: { READ, network: true }'), 'reach', { port })).text).toContain(
      'reached',
    );
  });

  it('leaves no process behind', async () => {
    const gateway = await started('sandbox: { READ }');
    expect((await call(gateway, 'fork', { count: 3 })).text).toContain('done');
    await gateway.gateway.close(0);
    await until('all are gone', () => processesOf(gateway.directory).length === 0);
  });
});

describe.skipIf(!isLinux)('a machine without the programs', () => {
  it('does not start the server with less than was asked for, and says what to install', async () => {
    const gateway = await started('sandbox: { READ }', { PATH: '/nowhere' });
    const status = gateway.gateway.status().servers[0];
    expect(status).toMatchObject({ state: 'unhealthy' });
    expect(status?.reason).toContain('needs the program bwrap, which is not on this machine. Install bubblewrap');
    expect(gateway.log.some(({ message }) => message.includes('bwrap (bubblewrap)'))).toBe(true);
  });
});

/** Process ids whose working directory is this one. */
function processesOf(directory: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/u.test(pid) && readlinkSync(`/proc/${pid}/cwd`) === directory;
    } catch {
      return false;
    }
  });
}
