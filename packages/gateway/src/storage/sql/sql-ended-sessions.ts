/** Ended legacy sessions in a database: the names of sessions, which open nothing, until their ids expire. */

import type { EndedSessions } from '../../entrypoint/ended-sessions.ts';
import type { SqlDatabase } from './sql-database.ts';

export const createSqlEndedSessions = (database: SqlDatabase): EndedSessions => ({
  add: ({ nonce, untilMs, atMs }) =>
    database.run(async (db) => {
      await db
        .insertInto('ended_sessions')
        .values({ nonce, at_ms: atMs, until_ms: untilMs })
        .onConflict((conflict) => conflict.column('nonce').doNothing())
        .execute();
    }),
  after: (mark, nowMs, limit) =>
    database.run(async (db) => {
      const rows = await db
        .selectFrom('ended_sessions')
        .selectAll()
        .where('until_ms', '>', nowMs)
        .where((where) =>
          where.or([
            where('at_ms', '>', mark.atMs),
            where.and([where('at_ms', '=', mark.atMs), where('nonce', '>', mark.nonce)]),
          ]),
        )
        .orderBy('at_ms')
        .orderBy('nonce')
        .limit(limit)
        .execute();
      return rows.map(({ nonce, at_ms: atMs, until_ms: untilMs }) => ({ nonce, atMs, untilMs }));
    }),
});

const AT_ONCE = 1_000;

/** Those whose ids have expired, some at a time. True while there are more. */
export const deleteOldEndedSessions = (database: SqlDatabase, nowMs: number): Promise<boolean> =>
  database.run(async (db) => {
    const { numDeletedRows } = await db
      .deleteFrom('ended_sessions')
      .where('nonce', 'in', (old) =>
        old.selectFrom('ended_sessions').select('nonce').where('until_ms', '<=', nowMs).limit(AT_ONCE),
      )
      .executeTakeFirst();
    return numDeletedRows === BigInt(AT_ONCE);
  });
