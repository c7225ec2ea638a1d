import { beforeAll, describe, expect, it } from 'vitest';

import type { SqlDialect } from '../../model/argument-kind.ts';
import { factsOf, judged } from './sql-fixture.ts';
import { loadSqlParser } from './sql-parsers.ts';

const DIALECTS = ['mysql', 'mariadb', 'sqlite', 'bigquery', 'snowflake'] as const satisfies readonly SqlDialect[];

beforeAll(() => Promise.all(DIALECTS.map(loadSqlParser)));

describe.each(DIALECTS)('a text in the dialect of %s', (dialect) => {
  it.each<[string, string[]]>([
    ['select * from t', ['t']],
    ['select a.x, count(*) from s.t a join u on a.x = u.x where y in (select z from v)', ['s.t', 'u', 'v']],
    ["select 'select * from secret' from t", ['t']],
    ["select 'it''s -- from secret /* x' from t", ['t']],
    ['with a as (select * from t) select * from a', ['t']],
    ['select x from a union all select y from b', ['a', 'b']],
    ['select * from (select * from t) x', ['t']],
  ])('only reads: %s', (text, tables) => {
    const facts = factsOf(text, dialect);
    expect(facts).toMatchObject({ statements: 1, operations: ['select'], readOnly: true });
    expect([...facts.tables].toSorted()).toEqual([...tables].toSorted());
  });

  it('is told in both cases where case may count', () => {
    expect(factsOf('select * from Users', dialect, { defaultSchema: 'main' }).tables).toEqual([
      'main."Users"',
      'main.users',
    ]);
  });

  it('counts its statements', () => {
    expect(factsOf('select 1; select 2', dialect)).toMatchObject({ statements: 2, operations: ['select'] });
  });

  it.each(['select load_file(x)', 'select sleep(1)', 'select f.g(1)', 'select load_extension(x)'])(
    'may touch anything by a function that is not known to only compute: %s',
    (text) => {
      const facts = factsOf(text, dialect);
      expect(facts.readOnly).toBe(false);
      expect(facts.schemas).toContain('*');
    },
  );

  it('may touch anything by a statement that is not seen through', () => {
    const facts = factsOf('drop table t', dialect);
    expect(facts).toMatchObject({ operations: ['drop'], readOnly: false });
    expect(facts.tables).toContain('*');
  });

  it.each([
    ['', ''],
    ['selec', 'not valid'],
    ['select 1 -- x', 'comment'],
    ['select 1 --1', 'comment'],
    ['select 1 /* x */', 'comment'],
    ['select 1 /*! union select * from secret */', 'comment'],
    ['select 1 # x', 'comment'],
    ["select 'a\\' from t", 'backslash'],
    ["select 'a", 'not closed'],
    ['select \u00a01', 'ASCII'],
    ['select 1 from ｔ', 'ASCII'],
    [`select ${'1,'.repeat(300)}1`, 'words and signs'],
  ])('is refused: %j', (text, reason) => {
    const refused = judged(text, dialect);
    expect(typeof refused).toBe('string');
    expect(refused).toContain(reason);
  });
});

describe('dialects apart', () => {
  it.each<[SqlDialect, string, string[]]>([
    ['mysql', 'replace into t values (1)', ['delete', 'insert']],
    ['mysql', 'insert into t values (1) on duplicate key update a = 2', ['insert', 'update']],
    ['mysql', 'insert into t (a) select * from u', ['insert', 'select']],
    ['mysql', 'update t1, t2 set t1.a = 1', ['update']],
    ['mysql', 'delete t1 from t1 join t2 on 1', ['delete']],
    ['mysql', 'truncate table t', ['truncate']],
    ['mysql', 'explain select * from t', ['explain', 'select']],
    ['mysql', 'call f(1)', ['call']],
    ['sqlite', 'update t set a = 1 where b = 2', ['update']],
    ['sqlite', 'delete from t where a = 1', ['delete']],
  ])('%s: %s', (dialect, text, operations) => {
    const facts = factsOf(text, dialect);
    expect([...facts.operations].toSorted()).toEqual(operations);
    expect(facts.readOnly).toBe(false);
  });

  it.each<[SqlDialect, string]>([
    ['mysql', "select 1 into outfile '/x' from t"],
    ['mysql', 'select @@version'],
    ['mysql', 'select @x := 1'],
    ['sqlite', 'select [a] from t'],
    ['snowflake', 'select * from "users"'],
    ['snowflake', 'select $$ x $$'],
    ['bigquery', "select '''x'''"],
    // This parser takes `from` for the table here.
    ['bigquery', 'delete from t where a = 1'],
  ])('%s refuses %s', (dialect, text) => expect(typeof judged(text, dialect)).toBe('string'));

  it('locks are no mere reading', () => {
    expect(factsOf('select a from t for update', 'mysql').readOnly).toBe(false);
  });

  it('the catalog of SQLite is in no schema of the operator', () => {
    expect(factsOf('select * from sqlite_master', 'sqlite', { defaultSchema: 'main' }).schemas).toEqual([
      'sqlite_schema',
    ]);
  });

  it('BigQuery names a whole path in one pair of backticks', () => {
    expect(factsOf('select * from `p-x.d.t`, d2.u', 'bigquery').tables).toEqual(['"p-x".d.t', 'd2.u']);
  });

  it.each(['bigquery', 'snowflake'] as const)(
    'of what changes rows in %s only the operation is believed',
    (dialect) => {
      const facts = factsOf('update t set a = 1 where b = 2', dialect);
      expect(facts.operations).toEqual(['update']);
      expect(facts.tables).toContain('*');
    },
  );
});

describe('a text that a parser would work on for seconds', () => {
  it.each<[SqlDialect, string]>([
    ['mysql', `select ${'cast('.repeat(12)}1${' as char)'.repeat(12)}`],
    ['mariadb', `select ${'cast('.repeat(14)}1${' as char)'.repeat(14)}`],
    ['bigquery', `select ${'['.repeat(24)}1${']'.repeat(24)}`],
    ['snowflake', `select ${'sum(a) over (partition by '.repeat(18)}a${')'.repeat(18)} from t`],
  ])('is refused, and the next one is judged: %s', (dialect, text) => {
    expect(judged(text, dialect)).toContain('too long');
    expect(factsOf('select 1', dialect).readOnly).toBe(true);
  });
});

it('a dialect whose parser was not loaded denies everything', () => {
  expect(judged('select 1', 'postgres')).toContain('not loaded');
});
