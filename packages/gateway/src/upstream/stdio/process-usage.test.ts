import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { createUsageWatch } from './process-usage.ts';

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

type Told = {
  readonly ticks: number;
  readonly kilobytes: number;
  readonly started?: number;
  readonly children?: string;
};

/** A folder like `/proc`, because a real kernel cannot be told what to say. */
function kernel(): { folder: string; tell(pid: number, told: Told): void; forget(pid: number): void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-proc-'));
  folders.push(folder);
  return {
    folder,
    tell(pid, { ticks, kilobytes, started = 7, children = '' }) {
      mkdirSync(`${folder}/${pid}/task/${pid}`, { recursive: true });
      const before = Array.from({ length: 11 }, () => '0').join(' ');
      const between = Array.from({ length: 6 }, () => '0').join(' ');
      writeFileSync(`${folder}/${pid}/stat`, `${pid} (a (bad) name) ${before} ${ticks} 50 ${between} ${started} 0\n`);
      writeFileSync(`${folder}/${pid}/status`, `Name:\tx\nVmRSS:\t  ${kilobytes} kB\nThreads:\t1\n`);
      writeFileSync(`${folder}/${pid}/task/${pid}/children`, children);
    },
    forget: (pid) => rmSync(`${folder}/${pid}`, { recursive: true }),
  };
}

describe.skipIf(process.platform !== 'linux')('what processes use', () => {
  it('is that of the group leaders and what they started, by server', async () => {
    const { folder, tell } = kernel();
    tell(10, { ticks: 100, kilobytes: 1000, children: '11 12 ' });
    tell(11, { ticks: 50, kilobytes: 10 });
    tell(12, { ticks: 0, kilobytes: 5 });
    tell(20, { ticks: 250, kilobytes: 8 });
    const groups = new Map([
      [10, 'files'],
      [20, 'mail'],
    ]);
    const usage = await createUsageWatch({ groups: () => groups, folder })();
    expect(usage?.get('files')).toEqual({ cpuSeconds: 3, residentBytes: 1015 * 1024 });
    expect(usage?.get('mail')).toEqual({ cpuSeconds: 3, residentBytes: 8192 });
  });

  it('never loses CPU time that was seen: a process ends, and its number goes to another', async () => {
    const { folder, tell, forget } = kernel();
    const groups = new Map([[10, 'files']]);
    const look = createUsageWatch({ groups: () => groups, folder });
    const cpu = async (): Promise<number | undefined> => (await look())?.get('files')?.cpuSeconds;
    tell(10, { ticks: 50, kilobytes: 1 });
    expect(await cpu()).toBe(1);
    tell(10, { ticks: 150, kilobytes: 1 });
    expect(await cpu()).toBe(2);
    forget(10);
    expect((await look())?.get('files')).toEqual({ cpuSeconds: 2, residentBytes: 0 });
    tell(10, { ticks: 50, kilobytes: 1, started: 8 });
    expect(await cpu()).toBe(3);
  });

  it('is found out about real ones', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
    await once(child, 'spawn');
    const groups = new Map([[child.pid ?? 0, 'files']]);
    const look = createUsageWatch({ groups: () => groups });
    await expect.poll(async () => (await look())?.get('files')?.residentBytes).toBeGreaterThan(1_000_000);
    child.stdin.end();
    await once(child, 'exit');
  });
});
