import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { until } from '../../../../../test/harness/until.ts';
import { Secret } from '../../model/secret.ts';
import { createExecStore, type ExecCommand } from './exec-store.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sallyport-exec-'));
});
afterAll(() => rm(folder, { recursive: true }));

const VALUE = 'sk-live-4f9c2e7a';

function store(command: readonly string[], over: Partial<ExecCommand> = {}) {
  const base = { cwd: folder, timeoutMs: 10_000, maxOutputBytes: 1000, cacheMs: 1, keepMs: 2 };
  return createExecStore({
    it: { command, env: () => Promise.resolve({ PATH: process.env.PATH ?? '' }), ...base, ...over },
  });
}

const read = async (of: ReturnType<typeof store>, reference = 'it'): Promise<string> => {
  const { value } = await of.read(reference, new AbortController().signal);
  return value instanceof Secret ? value.expose() : '';
};

const node = (script: string, ...args: string[]): string[] => [process.execPath, '-e', script, ...args];

describe('a command that prints a secret', () => {
  it('is given its argument as it is, with no shell between', async () => {
    const echo = store(node('process.stdout.write(process.argv[1])', 'op://prod/{}'));
    expect(await read(echo, 'it/a b/$(id)')).toBe('op://prod/a b/$(id)');
  });

  it('has the environment that is listed, and nothing of the gateway', async () => {
    const env = () => Promise.resolve({ TOKEN: 'given' });
    expect(await read(store(node('console.log(Object.keys(process.env).join())'), { env }))).toBe('TOKEN');
  });

  it('loses one newline at the end, and no more', async () => {
    expect(await read(store(node('process.stdout.write(" a\\n\\n")')))).toBe(' a\n');
  });

  const FAILURES: readonly [string, readonly string[], Partial<ExecCommand>, RegExp][] = [
    [
      'ends with an error',
      node(`console.log("${VALUE}"); console.error("${VALUE}"); process.exit(3)`),
      {},
      /ended with 3\. Run it by hand/,
    ],
    ['prints nothing', node(''), {}, /printed nothing/],
    ['prints without end', node(`setInterval(() => console.log("${VALUE}".repeat(100)))`), {}, /more than 1000 bytes/],
    ['does not end', node('setInterval(() => 0, 1000)'), { timeoutMs: 300 }, /did not end within 300 ms/],
    ['is not there', ['no-such-program-here'], {}, /there is no program no-such-program-here\. Install it/],
  ];
  it.each(FAILURES)('that %s is told of without what it wrote', async (_, command, over, message) => {
    const error: unknown = await read(store(command, over)).catch((reason: unknown) => reason);
    expect(String(error)).toMatch(message);
    expect(String(error)).not.toContain(VALUE);
  });

  it('is ended with all that it started', async () => {
    const pidFile = path.join(folder, 'pid');
    const child = `require("fs").writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); setInterval(() => 0, 1000)`;
    const command = node(
      `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}]); setInterval(() => 0, 1000)`,
    );
    await writeFile(pidFile, '');
    const ended = read(store(command, { timeoutMs: 1500 })).catch(String);
    const pid = await until('the grandchild', () => Number(readFileSync(pidFile, 'utf8')) || undefined);
    expect(await ended).toContain('did not end');
    await until('the end of the grandchild', () => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    });
  });

  it('runs four times at once and no more', async () => {
    const gauge = path.join(folder, 'running');
    const script = `const fs = require("fs"); const f = ${JSON.stringify(gauge)} + process.pid; fs.writeFileSync(f, "");
      setTimeout(() => { console.log(fs.readdirSync(${JSON.stringify(folder)}).filter((n) => n.startsWith("running")).length); fs.unlinkSync(f); }, 200)`;
    const of = store([...node(script), '{}']);
    const counts = await Promise.all(Array.from({ length: 9 }, (_, index) => read(of, `it/${index}`)));
    expect(Math.max(...counts.map(Number))).toBeLessThanOrEqual(4);
  });

  it.each([
    ['it/argument', node('')],
    ['it', node('', '{}')],
  ])('refuses %s where the command says otherwise', async (reference, command) => {
    await expect(read(store(command), reference)).rejects.toThrow('does not fit its command');
  });
});
