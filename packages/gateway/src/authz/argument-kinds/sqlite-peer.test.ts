/**
 * What we say of a text, beside what SQLite itself makes of it: its program names every table that it opens, its authorizer
 * every function.
 */

import { constants, DatabaseSync } from 'node:sqlite';

import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { judged } from './sql-fixture.ts';
import { loadSqlParser } from './sql-parsers.ts';

type Access = { readonly tables: Set<string>; readonly functions: Set<string>; readonly actions: Set<number> };

const READING: ReadonlySet<number> = new Set([
  constants.SQLITE_READ,
  constants.SQLITE_SELECT,
  constants.SQLITE_FUNCTION,
  constants.SQLITE_RECURSIVE,
]);

/** `LIKE` is a function to SQLite, and an operator to whoever writes it. */
const OPERATORS: ReadonlySet<string> = new Set(['like']);

const database = new DatabaseSync(':memory:');
/** Root page to table. */
const pages = new Map<number, string>();
let access: Access;

beforeAll(async () => {
  await loadSqlParser('sqlite');
  database.exec('create table a(x,y); create table b(x,y); create table c(x,y); create table d(x,y);');
  for (const { name, rootpage } of database.prepare('select name, rootpage from sqlite_master').all()) {
    pages.set(Number(rootpage), String(name));
  }
  database.setAuthorizer((action, _first, second) => {
    access.actions.add(action);
    if (action === constants.SQLITE_FUNCTION && second !== null) access.functions.add(second);
    return constants.SQLITE_OK;
  });
});

afterAll(() => database.close());

/** Undefined when SQLite does not take the text. */
function asSqliteSees(text: string): Access | undefined {
  access = { tables: new Set(), functions: new Set(), actions: new Set() };
  try {
    // The authorizer calls names of WITH tables, too; the program opens only what is one.
    for (const { opcode, p2 } of database.prepare(`explain ${text}`).all()) {
      const name = opcode === 'OpenRead' || opcode === 'OpenWrite' ? pages.get(Number(p2)) : undefined;
      if (name !== undefined) access.tables.add(name);
    }
    return access;
  } catch {
    return undefined;
  }
}

const word = fc.constantFrom(
  ...(
    'select from where a b c d x y ( ) , . * = 1 \'a\' "b" `c` as with union all join on left natural using in exists not ' +
    'and or order by group having limit values case when then else end cast count lower max main temp recursive cross ' +
    'distinct between like is null collate over partition filter intersect except offset sqlite_master json_each'
  ).split(' '),
);

const table = fc.constantFrom('a', 'b', 'c', 'd', 'main.a', '"b"', '`c`', 'a as b', 'b c', 'c as "a"');
const column = fc.constantFrom('x', '*', '1', 'count(*)', "'from d'", 'lower(x)');

const query: fc.Arbitrary<string> = fc.letrec<{ query: string }>((tie) => ({
  query: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.tuple(column, table).map(([what, from]) => `select ${what} from ${from}`),
    fc.tuple(tie('query'), tie('query')).map(([one, other]) => `${one} union all ${other}`),
    fc.tuple(tie('query'), table).map(([inner, from]) => `select * from (${inner}) as z, ${from}`),
    fc.tuple(tie('query'), table).map(([inner, from]) => `select 1 from ${from} where x in (${inner})`),
    fc.tuple(tie('query'), tie('query')).map(([one, other]) => `select (${one}), exists (${other})`),
    fc
      .tuple(fc.constantFrom('a', 'b', 'recursive c'), tie('query'), tie('query'))
      .map(([name, inner, outer]) => `with ${name} as (${inner}) ${outer}`),
  ),
})).query;

const spoilt = fc
  .tuple(query, fc.array(fc.tuple(fc.nat(), fc.constantFrom('insert', 'replace', 'drop'), word), { maxLength: 5 }))
  .map(([text, changes]) => {
    const words = text.match(/'[^']*'|"[^"]*"|`[^`]*`|\w+|[^\s\w]/g) ?? [];
    for (const [where, how, added] of changes) {
      words.splice(where % (words.length + 1), how === 'insert' ? 0 : 1, ...(how === 'drop' ? [] : [added]));
    }
    return words.join(' ');
  });

it('whatever both take, SQLite opens no table and calls no function that policy was not told of', () => {
  let compared = 0;
  fc.assert(
    fc.property(spoilt, (text) => {
      const told = judged(text, 'sqlite');
      if (typeof told === 'string' || told.statements !== 1 || told.tables.includes('*')) return;
      const seen = asSqliteSees(text);
      if (seen === undefined) return;
      compared += 1;
      const names = told.tables.map((name) => name.split('.').at(-1)?.replaceAll('"', ''));
      expect([...seen.tables].filter((name) => !names.includes(name))).toEqual([]);
      const functions = [...seen.functions].filter((name) => !OPERATORS.has(name));
      expect(functions.filter((name) => !told.functions.includes(name))).toEqual([]);
      if (told.readOnly) expect([...seen.actions].filter((action) => !READING.has(action))).toEqual([]);
    }),
    { numRuns: 500 },
  );
  expect(compared).toBeGreaterThan(20);
}, 60_000);
