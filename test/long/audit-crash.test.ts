/** The audit file under kill -9, a hundred times over on one file, at instants that nobody chose. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, it } from 'vitest';

import { verifyFile } from '../../packages/gateway/src/audit/verify.ts';

const ROUNDS = 100;
const writer = fileURLToPath(new URL('../../packages/gateway/src/audit/crash-writer.fixture.ts', import.meta.url));

/** The numbers of the intents whose calls may have left when the writer was killed, after `lifeMs` of load. */
async function writeAndKill(path: string, lifeMs: number): Promise<number[]> {
  const child = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), lifeMs));
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString('latin1');
  });
  await once(child, 'close');
  return printed.split('\n').slice(0, -1).map(Number);
}

it(
  `${ROUNDS} kills lose no intent whose call may have left, and the chain verifies over all of them`,
  { timeout: 600_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-crash-'));
    const path = join(folder, 'audit.jsonl');
    const acknowledged: number[] = [];
    // The last round starts after a kill as every other one: its start repairs what the kill before it left.
    for (let round = 0; round < ROUNDS; round++) acknowledged.push(...(await writeAndKill(path, round % 40)));
    // A kill can leave the last line torn; the lines before it must be whole.
    const text = await readFile(path, 'latin1');
    const intents = new Set<number>();
    for (const line of text.split('\n').slice(0, -1)) {
      const record = JSON.parse(line) as { metadata: { sequence: number }; unmapped: { event: string } };
      if (record.unmapped.event === 'intent') intents.add(record.metadata.sequence);
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(ROUNDS);
    expect(acknowledged.filter((sequence) => !intents.has(sequence))).toEqual([]);
    expect(await verifyFile(path)).toMatchObject({ ok: true });
    await rm(folder, { recursive: true });
  },
);
