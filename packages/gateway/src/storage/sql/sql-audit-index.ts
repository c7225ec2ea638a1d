/** The audit record in a database: one row a line, found by its columns. */

import { sql, type Expression, type ExpressionBuilder, type Kysely, type SqlBool } from 'kysely';

import type { AuditIndex, IndexCursor, IndexPage, IndexRow, Reached } from '../../audit/sinks/audit-index.ts';
import type { AuditQuery } from '../../audit/search.ts';
import { likePattern, textPattern } from './like-pattern.ts';
import type { SqlDatabase } from './sql-database.ts';
import type { AuditRecordTable, Tables } from './tables.ts';

/** Statements of a few hundred parameters: larger ones take longer to put together than to run. */
const ROWS_AT_ONCE = 25;
const LINES_AT_ONCE = 500;
/** A transaction of this many is over in a few milliseconds. */
const DELETED_AT_ONCE = 200;

type RowOf = (line: string) => IndexRow | undefined;

/** `rowOf` reads a line; one that is no record is passed over. */
export function createSqlAuditIndex(database: SqlDatabase, rowOf: RowOf): AuditIndex {
  return {
    position: (source) =>
      database.run(async (db) => {
        const row = await db.selectFrom('audit_positions').selectAll().where('source', '=', source).executeTakeFirst();
        if (row === undefined) return undefined;
        const { sequence, uid, missed } = row;
        return { sequence, uid, file: row.first_in_file, at: row.at_byte, missed };
      }),
    add: (lines, reached) => {
      const rows = lines.flatMap((line) => rowOf(line) ?? []);
      return database.run((db) => db.transaction().execute((transaction) => addRows(transaction, rows, reached)));
    },
    search: (query, { limit, after }) =>
      database.run(async (db) => {
        let select = db
          .selectFrom('audit_records')
          .select(COLUMNS)
          .where((builder) => builder.and(conditions(builder, query)));
        if (after !== undefined) select = select.where(beyond('<', after));
        const rows = await select
          .orderBy('time_ms', 'desc')
          .orderBy('sequence', 'desc')
          .orderBy('uid', 'desc')
          .limit(limit + 1)
          .execute();
        return pageOf(rows, limit);
      }),
    range: ({ sinceMs, untilMs }, after) =>
      database.run(async (db) => {
        let select = db
          .selectFrom('audit_records')
          .select(COLUMNS)
          .where('time_ms', '>=', sinceMs)
          .where('time_ms', '<', untilMs);
        if (after !== undefined) select = select.where(beyond('>', after));
        const rows = await select
          .orderBy('time_ms')
          .orderBy('sequence')
          .orderBy('uid')
          .limit(LINES_AT_ONCE + 1)
          .execute();
        return pageOf(rows, LINES_AT_ONCE);
      }),
    deleteSome: (recordClass, beforeMs) =>
      database.run(async (db) => {
        const { numDeletedRows } = await db
          .deleteFrom('audit_records')
          .where('uid', 'in', (old) =>
            old
              .selectFrom('audit_records')
              .select('uid')
              .where('class', '=', recordClass)
              .where('time_ms', '<', beforeMs)
              .limit(DELETED_AT_ONCE),
          )
          .executeTakeFirst();
        return numDeletedRows === BigInt(DELETED_AT_ONCE);
      }),
  };
}

const COLUMNS = ['time_ms', 'sequence', 'uid', 'event', 'line'] as const;

type Shown = Pick<AuditRecordTable, (typeof COLUMNS)[number]>;

/** One more row than wanted was read: it says whether there is a next page. */
function pageOf(rows: readonly Shown[], limit: number): IndexPage {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const lines = shown.map(({ line, event }) => ({ line, interrupted: event === 'intent' }));
  if (rows.length <= limit || last === undefined) return { lines };
  return { lines, next: { timeMs: last.time_ms, sequence: last.sequence, uid: last.uid } };
}

const beyond = (direction: '<' | '>', { timeMs, sequence, uid }: IndexCursor): Expression<SqlBool> =>
  sql<SqlBool>`(time_ms, sequence, uid) ${sql.raw(direction)} (${timeMs}, ${sequence}, ${uid})`;

async function addRows(db: Kysely<Tables>, rows: readonly IndexRow[], { source, position }: Reached): Promise<void> {
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
    await db
      .insertInto('audit_records')
      .values(rows.slice(from, from + ROWS_AT_ONCE).map(toColumns))
      .onConflict((conflict) => conflict.column('uid').doNothing())
      .execute();
  }
  const closed = rows.flatMap(({ closes }) => closes ?? []);
  if (closed.length > 0) {
    await db.updateTable('audit_records').set({ is_closed: 1 }).where('uid', 'in', closed).execute();
  }
  const place = {
    sequence: position.sequence,
    uid: position.uid,
    first_in_file: position.file,
    at_byte: position.at,
    missed: position.missed,
  };
  await db
    .insertInto('audit_positions')
    .values({ source, ...place })
    .onConflict((conflict) => conflict.column('source').doUpdateSet(place))
    .execute();
}

function toColumns({ timeMs, requestId, runId, clientId, closes: _closes, ...same }: IndexRow): AuditRecordTable {
  const names = { time_ms: timeMs, request_id: requestId, run_id: runId, client_id: clientId };
  return { ...same, ...names, is_closed: 0 };
}

type Builder = ExpressionBuilder<Tables, 'audit_records'>;

type Wanted = { readonly [Key in Exclude<keyof AuditQuery, 'intents'>]-?: NonNullable<AuditQuery[Key]> };

/** For every question that can be asked: a new one does not compile until it is answered here, too. */
const CONDITIONS: {
  readonly [Key in keyof Wanted]: (builder: Builder, wanted: Wanted[Key]) => Expression<SqlBool>;
} = {
  who: (builder, glob) => named(builder, 'who', glob),
  tool: (builder, glob) => named(builder, 'target', glob),
  server: (builder, glob) => named(builder, 'server', glob),
  client: (builder, glob) => builder.or([named(builder, 'client', glob), named(builder, 'client_id', glob)]),
  tenant: (builder, glob) => named(builder, 'tenant', glob),
  kind: (builder, kind) => builder('kind', '=', kind),
  run: (builder, run) => builder('run_id', '=', known(run)),
  sinceMs: (builder, ms) => builder('time_ms', '>=', ms),
  untilMs: (builder, ms) => builder('time_ms', '<', ms),
  decision: (builder, decision) => builder('decision', '=', decision),
  outcome: (builder, outcome) =>
    builder.or([builder('outcome', '=', known(outcome)), builder('result', '=', known(outcome))]),
  // What keeps tenants apart is compared once more where the line is read: here it may be cut.
  onlyTenant: (builder, tenant) => builder('tenant', '=', known(tenant)),
  request: (builder, id) => builder('request_id', '=', known(id)),
  text: (_builder, text) => sql<SqlBool>`lower(line) like ${textPattern(known(text))} escape '\\'`,
};

function conditions(builder: Builder, { intents, ...query }: AuditQuery): Expression<SqlBool>[] {
  const asked = KEYS.flatMap((key) => condition(builder, key, query[key]));
  return intents === true ? asked : [...asked, builder('is_closed', '=', 0)];
}

const condition = <Key extends keyof Wanted>(
  builder: Builder,
  key: Key,
  wanted: Wanted[Key] | undefined,
): Expression<SqlBool>[] => (wanted === undefined ? [] : [CONDITIONS[key](builder, wanted)]);

// The table above names every key.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const KEYS = Object.keys(CONDITIONS) as readonly (keyof Wanted)[];

/** PostgreSQL takes no NUL; where a record had one, this stands in the row. */
const known = (text: string): string => text.replaceAll('\0', '\uFFFD');

type Named = 'who' | 'target' | 'server' | 'client' | 'client_id' | 'tenant';

/** A name without wildcards is looked up, one with them is compared. */
function named(builder: Builder, column: Named, glob: string): Expression<SqlBool> {
  const pattern = likePattern(known(glob));
  if (pattern === undefined) return builder(column, '=', known(glob));
  return sql<SqlBool>`${sql.ref(column)} like ${pattern} escape '\\'`;
}
