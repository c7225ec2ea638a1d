import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, describe, expect, it } from 'vitest';

const SCRIPT = fileURLToPath(new URL('fixtures/idle-grants.ts', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-idle-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('tokens of grants that nobody uses', () => {
  it('are nowhere in the memory of the process, nor in the files of its database; one that is used is', async () => {
    const at = (name: string): string => path.join(folder, name);
    const args = [SCRIPT, at('sallyport.db'), at('ring.json'), at('tokens'), at('heap')];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 120_000 });
    expect(stdout.trim()).toBe('1');
    const [used, ...idle] = readFileSync(at('tokens'), 'utf8').trim().split('\n');
    expect(idle).toHaveLength(39);
    const heap = readFileSync(at('heap'), 'latin1');
    const [access = '', refresh = ''] = used?.split(' ') ?? [];
    // The search finds what is there.
    expect([heap.includes(access), heap.includes(refresh)]).toEqual([true, true]);
    const found = idle.flatMap((line) => line.split(' ')).filter((token) => heap.includes(token));
    expect(found).toEqual([]);
    const stored = readdirSync(folder)
      .filter((name) => name.startsWith('sallyport.db') || name === 'ring.json')
      .map((name) => readFileSync(at(name), 'latin1'))
      .join('');
    expect([access, refresh, ...idle.join(' ').split(' ')].filter((token) => stored.includes(token))).toEqual([]);
  }, 180_000);
});
