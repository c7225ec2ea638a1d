/** The thread of an index in SQLite: its calls are synchronous, and a large batch or a long search would hold the gateway up. */

import { parentPort, workerData } from 'node:worker_threads';

import type { AuditIndex } from '../audit/sinks/audit-index.ts';
import { indexRow } from '../audit/sinks/index-row.ts';
import { createSqlAuditIndex } from '../storage/sql/sql-audit-index.ts';
import { SqlDatabase } from '../storage/sql/sql-database.ts';
import { createSqliteBackend } from '../storage/sqlite/sqlite-backend.ts';

type Method = keyof AuditIndex;

/** One call of the index. */
export type IndexJob = {
  readonly [M in Method]: { readonly method: M; readonly args: Parameters<AuditIndex[M]> };
}[Method];

/** What came of it. */
export type IndexResult = {
  readonly [M in Method]: { readonly method: M; readonly value: Awaited<ReturnType<AuditIndex[M]>> };
}[Method];

export type ThreadRequest = { readonly id: number; readonly job: IndexJob | 'close' };

export type ThreadAnswer = {
  readonly id: number;
  readonly result: IndexResult | { readonly method: 'closed' } | { readonly method: 'failed'; readonly reason: string };
};

/** For the gateway's own sake a search ends sooner: see `index-thread.ts`. */
const WORK_MS = 60_000;

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const clockMs = (): number => performance.now();
const file: unknown = workerData;
const backend = createSqliteBackend({ file: String(file), clockMs, tables: 'audit-index' });
const database = new SqlDatabase({ backend, logger: quiet, clockMs, timeoutMs: WORK_MS });
const index = createSqlAuditIndex(database, indexRow);

async function resultOf(job: IndexJob | 'close'): Promise<ThreadAnswer['result']> {
  if (job === 'close') {
    await database.close();
    return { method: 'closed' };
  }
  switch (job.method) {
    case 'position':
      return { method: 'position', value: await index.position(...job.args) };
    case 'add':
      return { method: 'add', value: await index.add(...job.args) };
    case 'search':
      return { method: 'search', value: await index.search(...job.args) };
    case 'range':
      return { method: 'range', value: await index.range(...job.args) };
    case 'deleteSome':
      return { method: 'deleteSome', value: await index.deleteSome(...job.args) };
  }
}

async function answer({ id, job }: ThreadRequest): Promise<void> {
  let result: ThreadAnswer['result'];
  try {
    result = await resultOf(job);
  } catch (error) {
    result = { method: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage({ id, result } satisfies ThreadAnswer);
}

parentPort?.on('message', (request: ThreadRequest) => void answer(request));
