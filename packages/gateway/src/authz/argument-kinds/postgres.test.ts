import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';

import { factsOf, judged } from './sql-fixture.ts';
import { loadSqlParser } from './sql-parsers.ts';

const inPublic = { defaultSchema: 'public' };

beforeAll(() => loadSqlParser('postgres'));

describe('the tables of a PostgreSQL text', () => {
  it.each<[string, string[]]>([
    ['select * from orders', ['public.orders']],
    ['select * from sales.orders o join "Kunden" k on o.k = k.id', ['sales.orders', 'public."Kunden"']],
    ['table secret', ['public.secret']],
    ['values (1)', []],
    ['select a from only t', ['public.t']],
    [
      'select (select max(x) from a) from b where c in (select d from e) and exists (select from f)',
      ['public.b', 'public.a', 'public.e', 'public.f'],
    ],
    ['select 1 from a, lateral (select * from b where b.x = a.x) c', ['public.a', 'public.b']],
    ['select 1 from a union all (select 2 from b except select 3 from c)', ['public.a', 'public.b', 'public.c']],
    [
      'select case when x then (select 1 from a) end from b order by (select 1 from c) limit (select 1 from d)',
      ['public.b', 'public.a', 'public.c', 'public.d'],
    ],
    [
      'select sum(x) filter (where exists (select from a)) over (partition by (select 1 from b)) from c',
      ['public.c', 'public.a', 'public.b'],
    ],
    [
      'select 1 from t group by rollup(a, (select 1 from b)) having count(*) > (select 1 from c)',
      ['public.t', 'public.b', 'public.c'],
    ],
    // Other databases are named as such.
    ['select * from other.public.t', ['other.public.t']],
    // The system's catalog comes before every search path.
    ['select * from pg_authid', ['pg_catalog.pg_authid']],
    ['select * from information_schema.tables', ['information_schema.tables']],
    // Text, comments and aliases are no tables.
    ["select 'select * from secret' from t", ['public.t']],
    ['select $$ from secret $$, $x$ join secret $x$ from t', ['public.t']],
    ["select E'\\' from secret --' from t", ['public.t']],
    ["select U&'from secret' from t", ['public.t']],
    ['select 1 /* from secret /* nested */ */ from t -- , secret', ['public.t']],
    ['select secret.x, "from secret" from t secret', ['public.t']],
    ['select/**/*/**/from/**/t', ['public.t']],
    // Quotes keep case and dots; without them everything is lower-case.
    ['SELECT * FROM PUBLIC.Orders', ['public.orders']],
    ['select * from "public.orders", "PUBLIC"."x"', ['public."public.orders"', '"PUBLIC".x']],
    ['select * from U&"\\0073ecret"', ['public.secret']],
    // A name of WITH is a table only where it is not in scope.
    ['with a as (select * from t) select * from a', ['public.t']],
    ['with a as (select * from a) select * from a', ['public.a']],
    ['with a as (select * from b), b as (select 1) select * from a, b', ['public.b']],
    ['with recursive a as (select 1 union select * from a) select * from a', []],
    ['select * from (with users as (select 1) select * from users) x, users', ['public.users']],
    ['with users as (select 1) select * from public.users', ['public.users']],
    ['with users as (select 1) select 1 where exists (select from users)', []],
    ['with users as (select 1) insert into users select * from users', ['public.users']],
    // What changes rows.
    [
      'insert into t (a) select x from u on conflict do nothing returning (select 1 from v)',
      ['public.t', 'public.u', 'public.v'],
    ],
    ['update t set a = (select 1 from b) from c where t.x = c.x', ['public.t', 'public.b', 'public.c']],
    ['delete from t using u where t.x = u.x', ['public.t', 'public.u']],
    [
      'merge into t using (select * from u) v on t.x = v.x when matched then update set a = (select 1 from w)',
      ['public.t', 'public.u', 'public.w'],
    ],
    ['with d as (delete from t returning *) select * from d', ['public.t']],
    ['truncate a, b.c', ['public.a', 'b.c']],
    ['explain analyze delete from t', ['public.t']],
  ])('%s', (text, tables) => {
    expect([...factsOf(text, 'postgres', inPublic).tables].toSorted()).toEqual([...tables].toSorted());
  });

  it('have no schema where none is given and the operator named none', () => {
    expect(factsOf('select * from t, s.u', 'postgres')).toMatchObject({ tables: ['t', 's.u'], schemas: ['', 's'] });
  });
});

describe('what a PostgreSQL text does', () => {
  it.each<[string, string[], boolean]>([
    ['select 1', ['select'], true],
    ['select count(*), lower(x), now(), trim(y), extract(year from z) from t', ['select'], true],
    ['select 1; select 2', ['select'], true],
    ['select 1 for update', ['select'], false],
    ['select * from (select * from t for share) x', ['select'], false],
    ['select * into x from t', ['select', 'create'], false],
    ['insert into t values (1)', ['insert'], false],
    ['insert into t values (1) on conflict (a) do update set a = 2', ['insert', 'update'], false],
    ['with d as (delete from t returning *) select * from d', ['select', 'delete'], false],
    [
      'with a as (with b as (update t set x = 1 returning *) select * from b) select * from a',
      ['select', 'update'],
      false,
    ],
    ['explain select 1', ['explain', 'select'], false],
    ['explain (analyze, verbose) update t set a = 1', ['explain', 'update'], false],
    ['truncate t', ['truncate'], false],
    ['merge into t using u on true when matched then delete', ['merge', 'delete'], false],
    [
      'merge into t using u on true when matched and a then update set b = 1 when matched then do nothing when not matched then insert values (1)',
      ['merge', 'update', 'insert'],
      false,
    ],
    ['select 1; drop table t', ['select', 'drop'], false],
    ['create table t (a int)', ['create'], false],
    ['create view v as select * from t', ['create', 'select'], false],
    ['alter table t add b int', ['alter'], false],
    ['grant all on t to public', ['grant'], false],
    ['revoke all on t from public', ['grant'], false],
    ['call p()', ['call'], false],
    ['do $$ begin delete from t; end $$', ['do'], false],
    ["copy t to program 'x'", ['copy'], false],
    ["copy (select * from t) to '/x'", ['copy', 'select'], false],
    ['set search_path = x', ['set'], false],
    ['prepare p as delete from t', ['prepare', 'delete'], false],
    ['execute p', ['execute'], false],
    ['begin', ['other'], false],
    ['listen x', ['other'], false],
    ['lock t', ['lock'], false],
  ])('%s', (text, operations, readOnly) => {
    const facts = factsOf(text, 'postgres', inPublic);
    expect([...facts.operations].toSorted()).toEqual([...operations].toSorted());
    expect(facts.readOnly).toBe(readOnly);
  });

  it.each([
    "select pg_read_file('/etc/passwd')",
    'select pg_sleep(10)',
    "select lo_export(1, '/x')",
    "select * from dblink('', 'select 1') as t(a int)",
    "select set_config('search_path', 'x', false)",
    "select nextval('s')",
    "select query_to_xml('select * from secret', true, true, '')",
    "select pg_catalog.pg_read_file('x')",
    'select "PG_Read"(1)',
    'select app.f(1)',
    'select public.lower(1)',
    // The same calls, written like members and columns.
    "select ('/etc/passwd'::text).pg_read_file",
    "select n.pg_read_file from unnest(array['/etc/passwd']) as n",
    "select unnest.pg_read_file from unnest(array['/etc/passwd'])",
    "select n.pg_read_file from rows from (unnest(array['/etc/passwd'])) as n",
    // Operators are functions, too.
    'select a operator(app.+) b from t',
    'select a <-> b from t',
    'select a from t order by a using operator(app.<)',
    'select * from t tablesample app.mine(1)',
  ])('a function that is not known to only compute may touch anything: %s', (text) => {
    const facts = factsOf(text, 'postgres', inPublic);
    expect(facts).toMatchObject({ readOnly: false, operations: ['select'] });
    expect(facts.schemas).toContain('*');
    expect(facts.tables).toContain('*');
  });

  it('takes the operator at his word for a function', () => {
    const facts = factsOf('select app.total(x), gen_random_uuid() from t', 'postgres', {
      ...inPublic,
      functions: ['app.total', 'gen_random_uuid'],
    });
    expect(facts).toMatchObject({ readOnly: true, tables: ['public.t'], functions: ['app.total', 'gen_random_uuid'] });
  });

  it('knows the columns of a function in FROM from calls', () => {
    expect(factsOf('select g.i, h.h from generate_series(1, 2) g(i), unnest(x) h', 'postgres').readOnly).toBe(true);
  });

  it.each(['do $$ $$', 'execute p', 'create table a as select 1', 'copy t from stdin', 'set role x', 'call p()'])(
    'a statement that is not seen through may touch anything: %s',
    (text) => expect(factsOf(text, 'postgres', inPublic).schemas).toContain('*'),
  );

  it('takes no schema for granted where the same text can change the search path', () => {
    expect(factsOf('set search_path = x; select * from t', 'postgres', inPublic).tables).toContain('t');
    expect(factsOf("select set_config('search_path', 'x', false) from t", 'postgres', inPublic).tables).toContain('t');
  });

  it('counts its statements', () => {
    expect(factsOf('select 1;; select 2; -- select 3', 'postgres').statements).toBe(2);
  });
});

describe('a PostgreSQL text that cannot be judged is refused', () => {
  it.each([
    ['', 'not valid'],
    ['-- nothing', 'no statement'],
    [';', 'no statement'],
    ['selec 1', 'not valid'],
    ["select 'open", 'not valid'],
    ['select 1 from t where [x]', 'not valid'],
    ['select xmlelement(name a)', 'not known here'],
    ["select * from xmltable('/a' passing b columns c int)", 'not known here'],
    ['select 1\0; drop table t', 'no text'],
    ['select \ud800', 'no text'],
    [`select '${'a'.repeat(66_000)}'`, 'longer than'],
    [`select ${'1,'.repeat(2_000)}1`, 'words and signs'],
    [`select ${'/*'.repeat(200)}${'*/'.repeat(200)} 1`, 'comments'],
    [`select ${'(select '.repeat(300)}1${')'.repeat(300)}`, 'nested'],
    [`select ${'1+'.repeat(900)}1`, 'nested'],
  ])('%j', (text, reason) => {
    const refused = judged(text, 'postgres');
    expect(refused).toContain(reason);
  });

  it('with a reason that holds nothing of it', () => {
    expect(judged('select s3cr3t from from', 'postgres')).not.toContain('s3cr3t');
  });
});

/** A query, and the tables that it reads. Its names of WITH are those of tables. */
type Made = { readonly text: string; readonly tables: readonly string[] };

const names = ['a', 'b', 'c', 'd'];
const noise = fc.constantFrom(' ', ' /* from x */ ', '\n-- join y\n', '\t');
const lures = fc.constantFrom("'from z'", '$$ join z $$', '1 as z', 'count(*)', '"z".x');

const query = (depth: number, hidden: ReadonlySet<string>): fc.Arbitrary<Made> =>
  fc.oneof(
    { depthSize: 'small' },
    plain(hidden),
    ...(depth === 0 ? [] : [nested(depth, hidden), withOne(depth, hidden)]),
  );

const plain = (hidden: ReadonlySet<string>): fc.Arbitrary<Made> =>
  fc.tuple(fc.constantFrom(...names), fc.constantFrom('', 'x.'), noise, lures).map(([name, schema, gap, lure]) => ({
    text: `select ${lure}${gap}from${gap}${schema}${name} as z`,
    tables: schema === '' ? (hidden.has(name) ? [] : [`public.${name}`]) : [`x.${name}`],
  }));

const nested = (depth: number, hidden: ReadonlySet<string>): fc.Arbitrary<Made> =>
  fc
    .tuple(query(depth - 1, hidden), query(depth - 1, hidden), fc.constantFrom('union', 'in', 'from', 'column'))
    .map(([one, other, how]) => {
      const tables = [...one.tables, ...other.tables];
      if (how === 'union') return { text: `(${one.text}) union all (${other.text})`, tables };
      if (how === 'from') return { text: `select * from (${one.text}) p, lateral (${other.text}) q`, tables };
      if (how === 'in') return { text: `select 1 from (${one.text}) p where 1 in (${other.text})`, tables };
      return { text: `select (${one.text}), exists (${other.text})`, tables };
    });

const withOne = (depth: number, hidden: ReadonlySet<string>): fc.Arbitrary<Made> =>
  fc.constantFrom(...names).chain((name) =>
    fc.tuple(query(depth - 1, hidden), query(depth - 1, new Set([...hidden, name]))).map(([inner, outer]) => ({
      text: `with ${name} as (${inner.text}) select * from (${outer.text}) p`,
      tables: [...inner.tables, ...outer.tables],
    })),
  );

describe('any query', () => {
  it('is told with exactly the tables that it reads, whatever it is wrapped in', () => {
    fc.assert(
      fc.property(query(4, new Set()), ({ text, tables }) => {
        const facts = factsOf(text, 'postgres', inPublic);
        expect([...facts.tables].toSorted()).toEqual([...new Set(tables)].toSorted());
        expect(facts.readOnly).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
