import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { until } from '../../../../../test/harness/until.ts';
import { DeliveryError, type AuditSink } from './audit-sink.ts';
import { RecordFiles } from './record-files.fixture.ts';
import { SinkRunner } from './sink-runner.ts';
import type { SinkPosition } from './sink-position.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function run(position?: SinkPosition) {
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-runner-'));
  const record = await new RecordFiles(folder).open();
  cleanups.push(
    () => rmSync(folder, { recursive: true }),
    () => record.close(),
  );
  const facts = {
    position,
    fault: undefined as Error | undefined,
    newest: 0,
    nowMs: 1_790_000_010_000,
    taken: [] as number[],
    failed: 0,
    missed: 0,
  };
  const log: string[] = [];
  const note = (level: string) => (fields: object, message: string) =>
    void log.push(`${level}: ${message} ${JSON.stringify(fields)}`);
  const sink: AuditSink = {
    name: 'siem',
    limits: { maxRecords: 10, maxBytes: 1_000_000, lingerMs: 1 },
    position: () => (facts.fault === undefined ? Promise.resolve(facts.position) : Promise.reject(facts.fault)),
    take({ records }) {
      if (facts.fault !== undefined) return Promise.reject(facts.fault);
      facts.taken.push(...records.map(({ position: { sequence } }) => sequence));
      facts.position = records.at(-1)?.position;
      return Promise.resolve();
    },
  };
  const runner = new SinkRunner({
    sink,
    path: record.file,
    mark: record.mark,
    newest: () => facts.newest,
    instruments: {
      auditSink: () => undefined,
      auditSinkFailed: () => (facts.failed += 1),
      auditSinkMissed: (_sink, count) => (facts.missed += count),
    },
    logger: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
    now: () => facts.nowMs,
    random: () => 0,
    minPauseMs: 2,
    maxPauseMs: 4,
  });
  cleanups.push(() => runner.close(0));
  const records = async (count: number): Promise<void> => {
    facts.newest += count;
    await record.records(count);
  };
  return { record, runner, facts, log, records };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('carrying the record to a sink', () => {
  it('gives it everything, and says that it has it', async () => {
    const { runner, facts, records, log } = await run();
    expect(runner.status()).toMatchObject({ name: 'siem', state: 'starting', sequence: 0 });
    await records(35);
    runner.start();
    await until('all of them', () => runner.status().sequence === 35);
    expect(facts.taken).toEqual(upTo(35));
    expect(runner.status()).toMatchObject({ state: 'current', lagRecords: 0, lagSeconds: 0, missed: 0 });
    expect(log).toEqual([]);
  });

  it('tries until it is taken, and says so once for each outage', async () => {
    const { runner, facts, records, log } = await run();
    runner.start();
    for (let outage = 1; outage <= 2; outage += 1) {
      facts.fault = new DeliveryError(`out of order ${outage}`);
      const before = facts.failed;
      await records(20);
      await until('several attempts', () => facts.failed > before + 4);
      expect(runner.status()).toMatchObject({ state: 'failing', reason: `out of order ${outage}`, lagRecords: 20 });
      // Made at 1,790,000,000,002: the oldest that is missing there.
      expect(runner.status().lagSeconds).toBeCloseTo(9.998, 2);
      facts.fault = undefined;
      await until('the rest', () => facts.taken.length === outage * 20);
      await until('no failure', () => runner.status().reason === undefined);
    }
    expect(facts.taken).toEqual(upTo(40));
    expect(log.map((line) => line.split(':', 1)[0])).toEqual(['warn', 'info', 'warn', 'info']);
    expect(log[0]).toContain('out of order 1');
  });

  it('waits for a sink that does not know where it was', async () => {
    const { runner, facts, records } = await run();
    facts.fault = new Error('the database is away');
    await records(3);
    runner.start();
    await until('several attempts', () => facts.failed > 2);
    expect(runner.status()).toMatchObject({ state: 'failing', reason: 'the database is away', lagRecords: 3 });
    facts.fault = undefined;
    await until('all of them', () => facts.taken.length === 3);
  });

  it('waits as long as the sink asks for, and ends all the same when the gateway does', async () => {
    const { runner, facts, records } = await run();
    facts.fault = new DeliveryError('busy', { retryAfterMs: 3_600_000 });
    await records(1);
    runner.start();
    await until('an attempt', () => facts.failed === 1);
    await runner.close(10_000);
    expect(facts.failed).toBe(1);
  });

  it('is given what is left before it ends, while it works', async () => {
    const { runner, facts, records } = await run();
    runner.start();
    await records(500);
    await runner.close(20_000);
    expect(facts.taken).toEqual(upTo(500));
  });

  it('counts and tells what was gone before it could have it', async () => {
    const { record, runner, facts, records, log } = await run({ sequence: 2, uid: 'c1-2', file: 1, at: 0, missed: 5 });
    await records(10);
    const segment = await record.rotate();
    await records(10);
    await rm(segment);
    runner.start();
    await until('the rest', () => facts.taken.length === 10);
    await until('its position', () => runner.status().missed === 13);
    expect(facts.missed).toBe(8);
    expect(log).toEqual([expect.stringMatching(/^error: records were gone .*"missed":8/)]);
  });
});
