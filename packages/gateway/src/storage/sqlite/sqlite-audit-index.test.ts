import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { describeAuditIndex } from '../../audit/sinks/audit-index.contract.ts';
import { indexRow } from '../../audit/sinks/index-row.ts';
import { createIndexThread } from '../../composition/index-thread.ts';
import { collectedLog } from '../sql/fixtures/collected-log.ts';
import { createSqlAuditIndex } from '../sql/sql-audit-index.ts';
import { SqlDatabase } from '../sql/sql-database.ts';
import { createSqliteBackend } from './sqlite-backend.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-index-'));
const file = path.join(folder, 'sallyport.audit.db');
const clockMs = (): number => performance.now();
const backend = createSqliteBackend({ file, clockMs, tables: 'audit-index' });
const database = new SqlDatabase({ backend, logger: collectedLog().logger, clockMs, timeoutMs: 30_000 });
const thread = createIndexThread(path.join(folder, 'thread.db'));
afterAll(async () => {
  await thread.close();
  await database.close();
  rmSync(folder, { recursive: true });
});

describeAuditIndex('SQLite', () => createSqlAuditIndex(database, indexRow));
describeAuditIndex('a thread with SQLite', () => thread);

describe('the thread of an index', () => {
  it('makes its file for its owner only', async () => {
    const own = createIndexThread(path.join(folder, 'own', 'x.db'));
    await own.position('any');
    expect(statSync(path.join(folder, 'own', 'x.db')).mode & 0o777).toBe(0o600);
    await own.close();
    await own.close();
    await expect(own.position('any')).rejects.toThrow('the index is closed');
  });

  it('rejects where its file cannot be, and answers the next call as well', async () => {
    const lost = createIndexThread(folder);
    for (let count = 0; count < 2; count += 1) await expect(lost.position('any')).rejects.toThrow(/SQLite database/);
    await lost.close();
  });
});
