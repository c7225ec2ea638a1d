/** Policies that change while the gateway works: what takes effect, what is refused, and that no call is lost over it. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { runCommandLine } from '../packages/gateway/src/cli/program.ts';
import { createTerminal } from '../packages/gateway/src/cli/terminal.ts';
import { startMisbehavingServer, type MisbehavingServer } from './fixtures/misbehaving-http.ts';
import { startGatewayProcess } from './harness/gateway-process.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern, send, type HttpAnswer } from './harness/http.ts';
import { until } from './harness/until.ts';

const EVERYONE = '@id("everyone")\npermit (principal, action, resource);\n';
const NOBODY_CALLS = '@id("nobody")\nforbid (principal, action == Action::"callTool", resource);\n';
const REQUIREMENT_MS = 2_000;

let upstream: MisbehavingServer;
let folder: string;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startMisbehavingServer();
});
afterAll(() => upstream.close());

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sallyport-policies-'));
});
afterEach(async () => {
  await gateway.close();
  rmSync(folder, { recursive: true, force: true });
});

const put = (name: string, text: string): void => writeFileSync(path.join(folder, name), text);

async function start(place = folder, allow = '[]'): Promise<void> {
  const yaml = [
    `policies: ["${place}"]`,
    `servers:\n  files: { url: "${upstream.url}", allow: ${allow}, tools: { ok: { readOnly: true } } }`,
  ];
  gateway = await startTestGateway({ yaml: yaml.join('\n') });
}

let calls = 0;
const call = () => {
  // No two alike: a caller that goes in circles is stopped.
  const request = modern('tools/call', { name: 'ok', arguments: { text: `call ${(calls += 1)}` } });
  const headers = { ...request.headers, ...bearer(gateway.keys.alice ?? '') };
  return send(`${gateway.url}/servers/files/mcp`, { ...request, headers });
};
const allowed = async (): Promise<boolean> => (await call()).json?.result !== undefined;
const denied = async (): Promise<boolean> => !(await allowed());

const report = () => gateway.gateway.status().policies;
const refusal = () => until('a refusal', () => report().refused);
/** What `sallyport status` prints. */
async function status(): Promise<{ out: string; code: number }> {
  let out = '';
  const stream = { write: (text: string) => (out += text) };
  const terminal = createTerminal({ out: stream, err: stream }, {});
  const args = ['status', '--url', gateway.gateway.operationsUrl ?? ''];
  const code = await runCommandLine(args, { terminal, env: {}, readInput: () => Promise.resolve('') });
  return { out, code };
}

const metrics = async (): Promise<string> => {
  const response = await fetch(new URL('/metrics', gateway.gateway.operationsUrl));
  return response.text();
};

describe('a change is in force', () => {
  test('within two seconds, when a file of the folder is written again', async () => {
    put('all.cedar', EVERYONE);
    put('some.cedar', '// Nothing yet.\n');
    await start();
    expect(await allowed()).toBe(true);
    put('some.cedar', NOBODY_CALLS);
    await until('the new policy', denied, REQUIREMENT_MS);
    put('some.cedar', '// Nothing any more.\n');
    await until('the old policy', allowed, REQUIREMENT_MS);
  });

  test('when a file is added, and when it is removed', async () => {
    put('all.cedar', EVERYONE);
    await start();
    const { version } = report();
    put('more.cedar', NOBODY_CALLS);
    await until('the added policy', denied);
    expect(report()).toMatchObject({ count: 2 });
    expect(report().version).not.toBe(version);
    rmSync(path.join(folder, 'more.cedar'));
    await until('the removed policy', allowed);
    expect(report().version).toBe(version);
  });

  test('when a new file is renamed over the old one, as editors and deployments do', async () => {
    put('all.cedar', EVERYONE);
    await start();
    put('next', `${EVERYONE}${NOBODY_CALLS}`);
    renameSync(path.join(folder, 'next'), path.join(folder, 'all.cedar'));
    await until('the renamed file', denied);
  });

  test('when a symbolic link leads to another folder, as Kubernetes mounts a ConfigMap', async () => {
    for (const [name, text] of [
      ['..one', EVERYONE],
      ['..two', `${EVERYONE}${NOBODY_CALLS}`],
    ] as const) {
      mkdirSync(path.join(folder, name));
      put(path.join(name, 'all.cedar'), text);
    }
    symlinkSync('..one', path.join(folder, '..data'));
    symlinkSync(path.join('..data', 'all.cedar'), path.join(folder, 'all.cedar'));
    await start();
    expect(await allowed()).toBe(true);
    symlinkSync('..two', path.join(folder, '..next'));
    renameSync(path.join(folder, '..next'), path.join(folder, '..data'));
    await until('what the link leads to now', denied);
  });

  test('when the whole folder is replaced by another of its name', async () => {
    for (const [name, text] of [
      ['now', EVERYONE],
      ['next', `${EVERYONE}${NOBODY_CALLS}`],
    ] as const) {
      mkdirSync(path.join(folder, name));
      put(path.join(name, 'all.cedar'), text);
    }
    await start(path.join(folder, 'now'));
    expect(await allowed()).toBe(true);
    renameSync(path.join(folder, 'now'), path.join(folder, 'before'));
    renameSync(path.join(folder, 'next'), path.join(folder, 'now'));
    await until('the files of the new folder', denied);
  });

  test('when an allow list changes; of the rest of that file the log says that it takes a restart', async () => {
    put('none.cedar', '// Everything is in the allow list.\n');
    await start(folder, '[{ anyone: true, tools: ["ok"] }]');
    expect(await allowed()).toBe(true);
    const file = path.join(gateway.directory, 'sallyport.yaml');
    const written = readFileSync(file, 'utf8');
    writeFileSync(file, `${written.replace('tools: ["ok"]', 'tools: ["other"]')}drain: 3s\n`);
    await until('the new allow list', denied);
    expect(gateway.log).toContainEqual(
      expect.objectContaining({ level: 'warn', settings: ['drainMs'], message: expect.stringContaining('restart') }),
    );
    expect(report().restart).toEqual(['drainMs']);
    writeFileSync(file, written);
    await until('the old allow list', allowed);
    expect(report().restart).toBeUndefined();
  });
});

describe('a set that cannot be used is refused whole', () => {
  test('and said with file, line and nearest name in log, status and metrics, until it is mended', async () => {
    put('all.cedar', EVERYONE);
    await start();
    const { version } = report();
    put('more.cedar', `${NOBODY_CALLS}forbid (principal, action == Action::"calTool", resource);\n`);
    const { problems } = await refusal();
    expect(problems).toEqual([expect.stringMatching(/more\.cedar:3:1: .*"calTool"; did you mean "callTool"\?/u)]);
    expect(await allowed()).toBe(true);
    expect(report().version).toBe(version);
    expect(gateway.log).toContainEqual(expect.objectContaining({ level: 'error', problems, version }));
    expect(await metrics()).toMatch(/sallyport_policy_refused 1\n/u);
    const told = await status();
    expect(told.out).toContain(`still in force: version ${version.slice(0, 12)}\n    ${problems[0]}\n`);
    expect(told.code).toBe(1);

    put('more.cedar', NOBODY_CALLS);
    await until('the mended set', denied);
    expect(report().refused).toBeUndefined();
    expect(await metrics()).toMatch(/sallyport_policy_refused 0\n/u);
    expect(await metrics()).toMatch(/sallyport_policy_reloads_total\{result="swapped"\} 1\n/u);
  });

  test.each([
    ['a file is cut off to nothing', () => put('some.cedar', ''), /some\.cedar: is empty/u],
    [
      'a file cannot be read',
      () => symlinkSync('nowhere', path.join(folder, 'lost.cedar')),
      /lost\.cedar: There is no/u,
    ],
    [
      'a named pipe stands among the files',
      () => execFileSync('mkfifo', [path.join(folder, 'p.cedar')]),
      /regular file/u,
    ],
    [
      'the folder has no file left',
      () => ['all', 'some'].map((name) => rmSync(path.join(folder, `${name}.cedar`))),
      /restart/u,
    ],
    ['the folder is gone', () => rmSync(folder, { recursive: true }), /cannot be read/u],
    [
      'two policies have one id',
      () => put('twin.cedar', EVERYONE),
      /twin\.cedar:1: policy "everyone": This id is taken/u,
    ],
  ])('when %s', async (_, spoil, reason) => {
    put('all.cedar', EVERYONE);
    put('some.cedar', NOBODY_CALLS);
    await start();
    spoil();
    const { problems } = await refusal();
    expect(problems.join('\n')).toMatch(reason);
    expect(await denied(), 'the old forbid still forbids').toBe(true);
  });

  test('when the configuration file is cut off, which names no policies any more', async () => {
    put('all.cedar', EVERYONE);
    put('some.cedar', NOBODY_CALLS);
    await start();
    const file = path.join(gateway.directory, 'sallyport.yaml');
    const written = readFileSync(file, 'utf8');
    writeFileSync(file, written.replace(/^policies:.*$/mu, ''));
    expect((await refusal()).problems).toEqual([expect.stringContaining('No policy file is left; 2 are in force')]);
    expect(await denied()).toBe(true);
  });

  test('when a server of the running gateway is not usable in the new file', async () => {
    put('none.cedar', '// Everything is in the allow list.\n');
    await start(folder, '[{ anyone: true, tools: ["ok"] }]');
    const file = path.join(gateway.directory, 'sallyport.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('anyone: true', 'anyone: maybe'));
    expect((await refusal()).problems.join('\n')).toMatch(/sallyport\.yaml:\d+:\d+: servers\.files\.allow\[0\]/u);
    expect(await allowed()).toBe(true);
  });
});

test('swaps under load lose no call, and each call is judged by one set', async () => {
  put('all.cedar', EVERYONE);
  await start();
  const versions = new Set([report().version]);
  const answers: HttpAnswer[] = [];
  let left = 400;
  const caller = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      answers.push(await call());
    }
  };
  const swapper = async (): Promise<void> => {
    for (let round = 1; round <= 4; round += 1) {
      put('all.cedar', `@id("round ${round}")\npermit (principal, action, resource);\n`);
      await gateway.gateway.reloadPolicies();
      versions.add(report().version);
    }
    left = Math.min(left, 40);
  };
  await Promise.all([swapper(), ...Array.from({ length: 6 }, caller)]);
  expect(answers.filter(({ json }) => json?.result === undefined).map(({ text }) => text)).toEqual([]);
  expect(versions.size).toBe(5);
});

test.skipIf(process.platform === 'win32')('SIGHUP has the files read at once', async () => {
  put('all.cedar', EVERYONE);
  await start();
  const child = await startGatewayProcess({ yaml: `policies: ["${folder}"]\nservers: {}` });
  try {
    put('all.cedar', `${EVERYONE}${NOBODY_CALLS}`);
    child.signal('SIGHUP');
    await until('the swap', () => child.log.some(({ msg }) => msg === 'policies swapped'));
  } finally {
    await child.close();
  }
});
