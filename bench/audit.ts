/**
 * `npm run bench -- --audit`: what the record costs, in one process and without a network. Durable records per second with
 * group commit, under more callers at once; CPU of a read-only call's record; how fast a record is proved. A measurement, not
 * a test: run it on an idle machine, on the disk that the record is going to be on.
 */

import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setImmediate as yieldNow, setTimeout as pause } from 'node:timers/promises';

import { createFileAuditLog, type FileAuditLog } from '../packages/gateway/src/audit/file-audit-log.ts';
import { segmentsOf } from '../packages/gateway/src/audit/segments.ts';
import { loadSigningKey } from '../packages/gateway/src/audit/signing-key.ts';
import { authorized, outcome } from '../packages/gateway/src/audit/testing.ts';
import { verifyRecord } from '../packages/gateway/src/audit/verify-record.ts';

export type AuditRow = {
  readonly what: string;
  readonly figure: number;
  readonly unit: string;
  readonly bound?: string;
};

const CALLERS = [1, 16, 64, 256] as const;
const SECONDS = 4;
const READS = 200_000;
/** As many as a busy gateway records between two turns of its event loop. */
const READS_AT_ONCE = 20;
const ROUNDS = 5;
const MOST_WAITING = 5000;

const ignore = (): void => undefined;

async function openLog(folder: string, name: string): Promise<{ log: FileAuditLog; path: string }> {
  const path = join(folder, name, 'audit.jsonl');
  await mkdir(join(folder, name), { recursive: true });
  const key = await loadSigningKey(join(folder, name, 'audit-signing-key.pem'));
  const log = await createFileAuditLog({
    path,
    version: '0.0.0',
    now: Date.now,
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    instruments: { auditBacklog: ignore, auditFailed: ignore, auditFailing: ignore },
    rotate: { maxBytes: 256 * 1_048_576, maxAgeMs: 86_400_000 },
    checkpoints: { key, everyRecords: 100_000, everyMs: 600_000 },
  });
  return { log, path };
}

/** Calls that change something: a durable intent, then an outcome. Counts both, and how long an intent waits. */
async function durable(log: FileAuditLog, callers: number): Promise<{ perSecond: number; p99Ms: number }> {
  const endMs = performance.now() + SECONDS * 1000;
  const waits: number[] = [];
  let records = 0;
  const request = authorized('r', false);
  const caller = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const startedMs = performance.now();
      const intentSequence = log.sequenceOf(await log.intend(request)) ?? 0;
      waits.push(performance.now() - startedMs);
      log.append(outcome('r', { intentSequence }));
      records += 2;
    }
  };
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: callers }, caller));
  waits.sort((left, right) => left - right);
  const seconds = (performance.now() - startedMs) / 1000;
  return { perSecond: records / seconds, p99Ms: waits[Math.floor(waits.length * 0.99)] ?? Number.NaN };
}

/** CPU of this process for each read, its writes and syncs included; the loop around it is measured and taken off. */
async function readMicroseconds(log: FileAuditLog): Promise<number> {
  const request = authorized('r', true);
  const event = outcome('r');
  const measured = async (each: () => void): Promise<number> => {
    const before = process.cpuUsage();
    for (let made = 0; made < READS; made += READS_AT_ONCE) {
      for (let call = 0; call < READS_AT_ONCE; call++) each();
      await yieldNow();
      // A slow disk is waited for: at its bound the record refuses.
      while (log.status().backlogRecords > MOST_WAITING) await pause(1);
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / READS;
  };
  const loop = await measured(ignore);
  const reads = await measured(() => {
    void log.intend(request);
    log.append(event);
  });
  return reads - loop;
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((left, right) => left - right)[Math.floor(numbers.length / 2)] ?? Number.NaN;

/** Writes into `folder`, and removes what it wrote. */
export async function measureAudit(folder: string): Promise<readonly AuditRow[]> {
  const rows: AuditRow[] = [];
  const { log, path } = await openLog(folder, 'audit');
  for (const callers of CALLERS) {
    const { perSecond, p99Ms } = await durable(log, callers);
    const bound = callers === 64 ? { bound: 'above 5000' } : {};
    rows.push({ what: `durable records, ${callers} callers at once`, figure: perSecond, unit: '/s', ...bound });
    rows.push({ what: `  an intent waits, 99th percentile`, figure: p99Ms, unit: 'ms' });
  }
  const reads: number[] = [];
  for (let round = 0; round < ROUNDS; round++) reads.push(await readMicroseconds(log));
  rows.push({ what: 'CPU of the record of a read', figure: median(reads), unit: 'us', bound: 'below 6' });
  await log.close();
  rows.push(...(await proofRows(path)));
  await rm(join(folder, 'audit'), { recursive: true });
  return rows;
}

async function proofRows(path: string): Promise<AuditRow[]> {
  const startedMs = performance.now();
  const { records, ok } = await verifyRecord({ of: { record: path }, checkpoints: [], keys: [] });
  const seconds = (performance.now() - startedMs) / 1000;
  if (!ok) throw new Error('The record of the bench does not verify.');
  const sizes = await Promise.all((await segmentsOf(path)).map(async (segment) => (await stat(segment.path)).size));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return [
    { what: 'records proved', figure: records / seconds, unit: '/s' },
    { what: 'bytes of a record', figure: bytes / records, unit: 'B' },
  ];
}

export function auditTable(rows: readonly AuditRow[]): string {
  const shown = (figure: number): string =>
    figure >= 100 ? Math.round(figure).toLocaleString('en-GB') : figure.toFixed(1);
  return rows
    .map(({ what, figure, unit, bound }) => {
      const aim = bound === undefined ? '' : `   aim: ${bound} ${unit}`;
      return `${what.padEnd(44)} ${shown(figure).padStart(8)} ${unit}${aim}`;
    })
    .join('\n');
}
