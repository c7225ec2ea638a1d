/**
 * The record under kill -9, hundreds of times over on one record, at instants that nobody chose: while it starts, writes,
 * syncs, rotates, makes checkpoints. This process is the upstream: it notes each call that left.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { expect, it } from 'vitest';

import { checkpointsPath, readCheckpoints } from '../../packages/gateway/src/audit/checkpoint-file.ts';
import { createSearch, INTERRUPTED } from '../../packages/gateway/src/audit/search.ts';
import { segmentsOf } from '../../packages/gateway/src/audit/segments.ts';
import { loadSigningKey } from '../../packages/gateway/src/audit/signing-key.ts';
import { toldRecord } from '../../packages/gateway/src/audit/told-record.ts';
import { verifyRecord } from '../../packages/gateway/src/audit/verify-record.ts';

const KILLS = 300;
/** However slow the machine is: at least so many, and no new one after this time. */
const LEAST_KILLS = 60;
const MAX_MS = 150_000;
const SHOW_EVERY = 50;

const writer = fileURLToPath(new URL('../../packages/gateway/src/audit/crash-writer.fixture.ts', import.meta.url));

/** `atMs` is on the clock of the process that made it. */
type Read = { readonly id: string; readonly atMs: number };

type Seen = {
  /** Numbers of the intents of calls that left. */
  readonly calls: readonly number[];
  /** The reads that were made, in their order. */
  readonly reads: readonly Read[];
};

type Fate = { readonly lifeMs: number; readonly from: 'its start' | 'its first call' };

async function writeAndKill(args: readonly string[], { lifeMs, from }: Fate): Promise<Seen> {
  const child = spawn(process.execPath, [writer, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  const kill = (): void => void setTimeout(() => child.kill('SIGKILL'), lifeMs);
  if (from === 'its start') kill();
  else child.stdout.once('data', kill);
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString('latin1');
  });
  await once(child, 'close');
  const lines = printed.split('\n').slice(0, -1);
  return {
    calls: lines.filter((line) => !line.startsWith('r')).map(Number),
    reads: lines
      .filter((line) => line.startsWith('r'))
      .map((line) => ({ id: line.slice(1).split('@')[0] ?? '', atMs: Number(line.split('@')[1]) })),
  };
}

/** Every fifth is killed while it starts: in the repair of what the kill before it left. */
const fateOf = (round: number): Fate =>
  round % 5 === 4
    ? { from: 'its start', lifeMs: Math.random() * 400 }
    : { from: 'its first call', lifeMs: Math.random() * 80 };

type Recorded = {
  readonly intents: ReadonlySet<number>;
  readonly reads: ReadonlySet<string>;
  readonly starts: number;
  readonly interrupted: number;
};

async function readBack(path: string): Promise<Recorded> {
  const intents = new Set<number>();
  const reads = new Set<string>();
  let starts = 0;
  const search = createSearch({ outcome: INTERRUPTED });
  let interrupted = 0;
  for (const segment of await segmentsOf(path)) {
    for await (const line of createInterface({ input: createReadStream(segment.path, 'latin1') })) {
      const record = toldRecord(line);
      interrupted += search.take(line).length;
      if (record?.event === 'intent') intents.add(record.sequence);
      if (record?.event === 'outcome' && record.intentSequence === undefined) reads.add(record.requestId);
      if (record?.event === 'opened') starts += 1;
    }
  }
  return { intents, reads, starts, interrupted: interrupted + search.end().length };
}

it(
  `${KILLS} kills lose no call that changes something, of reads only the newest, and the chain verifies over all of them`,
  { timeout: 600_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-crash-'));
    const path = join(folder, 'audit.jsonl');
    const keyFile = join(folder, 'audit-signing-key.pem');
    const calls: number[] = [];
    const rounds: (readonly Read[])[] = [];
    const endMs = performance.now() + MAX_MS;
    while (rounds.length < KILLS && (rounds.length < LEAST_KILLS || performance.now() < endMs)) {
      const seen = await writeAndKill([path, keyFile], fateOf(rounds.length));
      calls.push(...seen.calls);
      rounds.push(seen.reads);
      if (rounds.length % SHOW_EVERY === 0)
        process.stderr.write(`${rounds.length} kills, ${calls.length} calls left\n`);
    }

    const recorded = await readBack(path);
    expect(calls.filter((sequence) => !recorded.intents.has(sequence))).toEqual([]);
    expect(calls.length).toBeGreaterThan(rounds.length);

    // What is lost of reads is what was made last: nothing that was made before something recorded.
    let lost = 0;
    const spansMs: number[] = [];
    for (const reads of rounds) {
      const newest = reads.findLastIndex(({ id }) => recorded.reads.has(id));
      expect(reads.slice(0, newest + 1).filter(({ id }) => !recorded.reads.has(id))).toEqual([]);
      const gone = reads.slice(newest + 1);
      lost += gone.length;
      spansMs.push((gone.at(-1)?.atMs ?? 0) - (gone[0]?.atMs ?? 0));
    }
    spansMs.sort((left, right) => left - right);

    const { checkpoints } = await readCheckpoints(checkpointsPath(path));
    const proof = await verifyRecord({
      of: { record: path },
      keys: [await loadSigningKey(keyFile)],
      checkpoints: checkpoints.map((checkpoint) => ({ checkpoint, from: 'beside' })),
    });
    expect(proof).toMatchObject({ ok: true, begins: 'at record 1', checkpoints: { forged: [], unknownKey: 0 } });
    expect(proof.checkpoints.matched).toBe(checkpoints.length);
    expect(proof.files.length).toBeGreaterThan(20);
    expect(recorded.starts).toBeGreaterThan(rounds.length / 2);
    expect(recorded.interrupted).toBeGreaterThan(0);
    const reads = rounds.flat().length;
    process.stderr.write(
      `${rounds.length} kills: ${proof.records} records in ${proof.files.length} files, ${calls.length} calls, none missing; ` +
        `${lost} of ${reads} reads lost, those of the last ${spansMs[Math.floor(spansMs.length / 2)]?.toFixed(1)} ms at the ` +
        `median; ${recorded.interrupted} intents without an outcome; ${checkpoints.length} checkpoints\n`,
    );
    await rm(folder, { recursive: true });
  },
);
