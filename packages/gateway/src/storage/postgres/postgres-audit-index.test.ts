import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { NO_POSTGRES, startPostgres, type TestPostgres } from '../../../../../test/harness/postgres.ts';
import { describeAuditIndex } from '../../audit/sinks/audit-index.contract.ts';
import { indexRow } from '../../audit/sinks/index-row.ts';
import { Secret } from '../../model/secret.ts';
import { collectedLog } from '../sql/fixtures/collected-log.ts';
import { createSqlApiKeyStore } from '../sql/sql-api-key-store.ts';
import { createSqlAuditIndex } from '../sql/sql-audit-index.ts';
import { SqlDatabase } from '../sql/sql-database.ts';
import type { TableSet } from '../sql/migrate.ts';
import { createPostgresBackend } from './postgres-backend.ts';
import { parsePostgresUrl } from './postgres-url.ts';

/** Generous: a loaded machine must not look like a server that is away. */
const PATIENT_MS = 30_000;

describe.skipIf(NO_POSTGRES !== undefined)('PostgreSQL', () => {
  let postgres: TestPostgres;
  let url = '';
  const opened: SqlDatabase[] = [];
  const open = (tables: TableSet): SqlDatabase => {
    const backend = createPostgresBackend({
      url: () => Promise.resolve(new Secret(url)),
      address: parsePostgresUrl(new Secret(url)),
      maxConnections: 3,
      timeoutMs: PATIENT_MS,
      tables,
    });
    const clockMs = (): number => performance.now();
    const database = new SqlDatabase({ backend, logger: collectedLog().logger, clockMs, timeoutMs: PATIENT_MS });
    opened.push(database);
    return database;
  };
  let database: SqlDatabase;

  beforeAll(async () => {
    postgres = await startPostgres();
    url = await postgres.createDatabase();
    database = open('audit-index');
    await database.ready(PATIENT_MS);
  }, 120_000);
  afterAll(async () => {
    for (const one of opened) await one.close();
    await postgres?.close();
  }, 60_000);

  describeAuditIndex('PostgreSQL', () => createSqlAuditIndex(database, indexRow));

  it('holds the index beside the other tables, whichever are made first', async () => {
    const keys = createSqlApiKeyStore(open('core'), { actor: 'test', now: () => 1 });
    expect(await keys.list()).toEqual([]);
    expect(await createSqlAuditIndex(open('audit-index'), indexRow).position('nobody')).toBeUndefined();
  });
});
