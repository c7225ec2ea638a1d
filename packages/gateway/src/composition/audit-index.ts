/** The index of the record, in the database that the configuration names: where it is, and what is deleted from it. */

import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import type { AuditIndex } from '../audit/sinks/audit-index.ts';
import { indexRow } from '../audit/sinks/index-row.ts';
import { RECORD_CLASSES } from '../audit/sinks/record-class.ts';
import type { KeepConfig } from '../config/recorded-config.ts';
import { createPostgresBackend } from '../storage/postgres/postgres-backend.ts';
import { parsePostgresUrl } from '../storage/postgres/postgres-url.ts';
import { createSqlAuditIndex } from '../storage/sql/sql-audit-index.ts';
import { SqlDatabase } from '../storage/sql/sql-database.ts';
import type { Logger } from '../telemetry/logger.ts';
import { systemClock } from '../upstream/clock.ts';
import { createIndexThread } from './index-thread.ts';
import { storagePlace, type StorageParts } from './storage.ts';

export type OpenedIndex = { readonly index: AuditIndex; close(): Promise<void> };

/** Searches take longer than what a call waits for, and nobody waits for the rest. */
const WORK_MS = 20_000;
const MAX_CONNECTIONS = 3;

/** Undefined where storage is none of those that it is wanted on. @throws StorageConfigError */
export async function openAuditIndex(parts: StorageParts, on: 'any' | 'postgres'): Promise<OpenedIndex | undefined> {
  const resolve = storagePlace(parts);
  const place = await resolve();
  if (place.kind !== 'postgres' && on === 'postgres') return undefined;
  if (place.kind === 'memory') {
    parts.logger.warn(
      {},
      'there is no audit index: storage is memory. Set storage.url to a database, or audit.index to off',
    );
    return undefined;
  }
  if (place.kind === 'sqlite') return threads(indexFile(place.file));
  const clockMs = (): number => systemClock.nowMs();
  const backend = createPostgresBackend({
    address: parsePostgresUrl(place.url),
    maxConnections: MAX_CONNECTIONS,
    timeoutMs: 0.9 * WORK_MS,
    tables: 'audit-index',
    url: async () => {
      const now = await resolve();
      return now.kind === 'postgres' ? now.url : place.url;
    },
  });
  // Whoever uses it says that it is away; the storage says so, too.
  const logger = { ...QUIET, error: parts.logger.error.bind(parts.logger) };
  const database = new SqlDatabase({ backend, logger, clockMs, timeoutMs: WORK_MS });
  return { index: createSqlAuditIndex(database, indexRow), close: () => database.close() };
}

const QUIET = { debug() {}, info() {}, warn() {} };

/** `data/sallyport.db`: `data/sallyport.audit.db`. In one file, a call that needs an approval would wait for the index. */
export function indexFile(storageFile: string): string {
  const { dir, name, ext } = path.parse(storageFile);
  return path.join(dir, `${name}.audit${ext}`);
}

/** A long search holds up other searches, and never what is written. */
function threads(file: string): OpenedIndex {
  const writer = createIndexThread(file);
  const reader = createIndexThread(file);
  return {
    index: {
      position: (source) => writer.position(source),
      add: (lines, reached) => writer.add(lines, reached),
      deleteSome: (recordClass, beforeMs) => writer.deleteSome(recordClass, beforeMs),
      search: (query, page) => reader.search(query, page),
      range: (range, after) => reader.range(range, after),
    },
    async close() {
      await reader.close();
      await writer.close();
    },
  };
}

const EVERY_MS = 10 * 60_000;
/** Between two small deletions: what is new is indexed meanwhile. */
const PAUSE_MS = 50;
/** For one class and look; the rest is deleted at the next one. */
const MAX_DELETIONS = 1000;

/** Deletes what is older than it may be, now and then. The returned function ends it. */
export function keepIndex(index: AuditIndex, keepMs: KeepConfig, logger: Logger): () => Promise<void> {
  const ended = new AbortController();
  const { signal } = ended;
  const deleteOld = async (): Promise<void> => {
    for (const name of RECORD_CLASSES) {
      if (keepMs[name] === Infinity) continue;
      for (let count = 0; count < MAX_DELETIONS && !signal.aborted; count += 1) {
        if (!(await index.deleteSome(name, Date.now() - keepMs[name]))) break;
        await pause(PAUSE_MS, undefined, { signal });
      }
    }
  };
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      await deleteOld().catch((error: unknown) => {
        if (!signal.aborted)
          logger.debug({ reason: String(error) }, 'old records stay in the index; tried again later');
      });
      await pause(EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  };
  const running = run();
  return () => {
    ended.abort();
    return running;
  };
}
