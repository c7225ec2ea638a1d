import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { startChild } from './child-process.ts';
import type { Child, ChildOptions } from './child-process.ts';
import { liveGroupIds } from './live-groups.ts';

const GRACES = { closedInputMs: 200, terminateMs: 200, killMs: 2000 };

type Started = Child & { readonly output: () => string; readonly firstOutput: Promise<void> };

/** Runs a script that has said something once it is ready. */
function start(script: string, over: Partial<ChildOptions> = {}): Started {
  let output = '';
  const { promise: firstOutput, resolve } = Promise.withResolvers<void>();
  const child = startChild({
    server: 'files',
    command: process.execPath,
    args: ['-e', script],
    env: {},
    graces: GRACES,
    onOutput: (chunk) => {
      output += Buffer.from(chunk).toString('utf8');
      resolve();
    },
    onErrorOutput: () => undefined,
    ...over,
  });
  return { ...child, output: () => output, firstOutput };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const isGroupAlive = (group: number): boolean => isAlive(-group);

const READY = 'console.log("ready");';
const STAYS = 'setInterval(() => {}, 1000);';

describe('a child process', () => {
  it('ends by itself when its input is closed, without a signal', async () => {
    const child = start(`${READY} process.stdin.resume().on("end", () => process.exit(5));`);
    await child.firstOutput;
    await child.end();
    expect(await child.ended).toEqual({ code: 5, signal: null });
  });

  it('is terminated when it ignores the end of its input', async () => {
    const child = start(`${READY} ${STAYS}`);
    await child.firstOutput;
    await child.end();
    expect(await child.ended).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it('is killed when it ignores that, too', async () => {
    const child = start(`process.on("SIGTERM", () => {}); ${READY} ${STAYS}`);
    await child.firstOutput;
    await child.end();
    expect(await child.ended).toEqual({ code: null, signal: 'SIGKILL' });
    expect(liveGroupIds()).not.toContain(child.pid);
  });

  const GRANDCHILD = `
    const { spawn } = require("node:child_process");
    const child = spawn(process.execPath, ["-e", 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'], { stdio: "inherit" });
    console.log(child.pid);`;

  it('takes along what it started, even what ignores SIGTERM', async () => {
    const child = start(`${GRANDCHILD} ${STAYS}`);
    await child.firstOutput;
    const grandchild = Number(child.output());
    expect(isAlive(grandchild)).toBe(true);
    await child.end();
    expect(isAlive(grandchild)).toBe(false);
  });

  it('takes along what it started when it dies by itself', async () => {
    const child = start(`${GRANDCHILD} setTimeout(() => process.exit(1), 20); child.unref();`);
    await child.ended;
    const grandchild = Number(child.output());
    await child.end();
    expect(isAlive(grandchild)).toBe(false);
    expect(liveGroupIds()).not.toContain(child.pid);
  });

  it('is read to the end of its output before it counts as ended', async () => {
    const child = start('process.stdout.write("x".repeat(500_000)); process.exitCode = 0;');
    await child.ended;
    expect(child.output()).toHaveLength(500_000);
  });

  it('says so when it cannot be started', async () => {
    const child = start('', { command: '/nowhere/to/be/found' });
    expect((await child.ended).error).toMatchObject({ code: 'ENOENT' });
    await child.end();
  });

  it('is no shell: arguments are never interpreted', async () => {
    const child = start('', { args: ['-e', 'console.log(process.argv[1])', '--', '$(echo no); `id` > x'] });
    await child.ended;
    expect(child.output()).toBe('$(echo no); `id` > x\n');
  });
});

describe('a gateway that ends', () => {
  const PARENT = path.join(import.meta.dirname, 'fixtures/parent-process.ts');
  const WELL_BEHAVED = `${READY} process.stdin.resume().on("end", () => process.exit(0));`;
  const STUBBORN = `process.on("SIGTERM", () => {}); ${READY} ${STAYS}`;
  const STUBBORN_GRANDCHILD = `
    require("node:child_process").spawn(process.execPath, ["-e", 'process.on("SIGTERM", () => {}); ${STAYS}'], { stdio: "inherit" });
    ${READY} process.stdin.resume().on("end", () => process.exit(0));`;

  it.each([
    ['by SIGKILL leaves no server that heeds the end of its input', 'wait', WELL_BEHAVED],
    ['by SIGKILL leaves no server that heeds nothing', 'wait', STUBBORN],
    ['by SIGKILL leaves nothing that a server has started', 'wait', STUBBORN_GRANDCHILD],
    ['by itself leaves no server at all', 'exit', STUBBORN],
  ])('%s', async (_how, mode, script) => {
    const parent = start('', { args: [PARENT, mode, process.execPath, '-e', script] });
    await parent.firstOutput;
    const pid = Number(parent.output());
    if (mode === 'wait' && parent.pid !== undefined) process.kill(parent.pid, 'SIGKILL');
    await parent.ended;
    await expect.poll(() => isGroupAlive(pid), { timeout: 10_000 }).toBe(false);
  });
});
