/**
 * The parsers, loaded when a configuration first names their dialect and kept for the life of the process. PostgreSQL's own
 * parser takes time in proportion to the text. The others backtrack: a nest of twelve casts takes one of them twelve seconds.
 * So they run in a context of their own that is stopped after some milliseconds, whatever it is doing.
 */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import vm from 'node:vm';

import type { SqlDialect } from '../../model/argument-kind.ts';
import { Unjudgeable } from './sql-facts.ts';

/** The tree of a text, as plain JSON. @throws Unjudgeable */
export type SqlParser = (text: string) => unknown;

/** Of processor time: the longest that one text may hold the event loop. Most need a fifth of it. */
const MAX_PARSE_MS = 5;

/** On the clock, however little of the processor there is. */
const MAX_STARVED_MS = 80;

/** Second tries because of cold code: for one text, and in the life of a parser. */
const MAX_WARMINGS = 2;
const MAX_COLD_STARTS = 50;

/** Run before the first real text: unoptimised, the first parse takes ten times as long as the second. */
const WARM_UP = [
  'select a.b, count(*) from c.d as a join e on a.f = e.f where g in (select 1 from h) group by a.b order by 1 limit 2',
  "insert into a (b, c) values (1, 'd')",
  'update a set b = 1 where c = 2',
  'delete from a where b = 1',
];
const WARM_UP_ROUNDS = 20;

const loading = new Map<SqlDialect, Promise<void>>();
const loaded = new Map<SqlDialect, SqlParser>();

/** @throws Error when the parser's own files cannot be loaded. */
export function loadSqlParser(dialect: SqlDialect): Promise<void> {
  const begun = loading.get(dialect);
  if (begun !== undefined) return begun;
  const load = keep(dialect);
  loading.set(dialect, load);
  return load;
}

async function keep(dialect: SqlDialect): Promise<void> {
  loaded.set(dialect, dialect === 'postgres' ? await postgres() : await contextual(dialect));
}

/** Undefined until `loadSqlParser` has settled. */
export const sqlParser = (dialect: SqlDialect): SqlParser | undefined => loaded.get(dialect);

async function postgres(): Promise<SqlParser> {
  const { loadModule, parseSync } = await import('libpg-query');
  await loadModule();
  warmUp(parseSync);
  return (text) => {
    try {
      return parseSync(text);
    } catch {
      // Its messages quote the text.
      throw new Unjudgeable('it is not valid PostgreSQL');
    }
  };
}

function warmUp(parse: SqlParser): void {
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    for (const text of WARM_UP) {
      try {
        parse(text);
      } catch {
        // Not every dialect knows every one of them; a parser that can do nothing denies everything.
      }
    }
  }
}

const require = createRequire(import.meta.url);

async function contextual(dialect: Exclude<SqlDialect, 'postgres'>): Promise<SqlParser> {
  const source = await readFile(require.resolve(`node-sql-parser/build/${dialect}`), 'utf8');
  const requireBigInteger = createRequire(require.resolve('node-sql-parser'));
  const globals = {
    text: '',
    module: { exports: {} },
    // The one thing that the bundle asks for.
    require: (name: string): unknown => (name === 'big-integer' ? requireBigInteger(name) : undefined),
  };
  const context = vm.createContext(globals, { codeGeneration: { strings: false, wasm: false } });
  vm.runInContext(`var exports = module.exports;\n${source}\n;var parser = new exports.Parser();`, context);
  const script = new vm.Script(`JSON.stringify(parser.parse(text, { database: '${dialect}', trimQuery: false }))`);
  const parse = (text: string, timeout: number): unknown => {
    globals.text = text;
    const json: unknown = script.runInContext(context, { timeout });
    return typeof json === 'string' ? JSON.parse(json) : undefined;
  };
  warmUp((text) => parse(text, 1_000));
  const patiently = patient(dialect);
  return (text) => {
    try {
      return patiently((timeoutMs) => parse(text, timeoutMs));
    } finally {
      globals.text = '';
    }
  };
}

/**
 * The clock on the wall stops a parse. It is begun again with more time when others had the processor meanwhile, and, for
 * the first few times in the life of a parser, when this text was the first to need some of its code.
 */
function patient(dialect: SqlDialect): (parse: (timeoutMs: number) => unknown) => unknown {
  let coldStarts = MAX_COLD_STARTS;
  return (parse) => {
    let timeoutMs = MAX_PARSE_MS;
    for (let warmings = 0; ;) {
      const before = process.threadCpuUsage();
      try {
        return parse(timeoutMs);
      } catch (error) {
        if (!isTimeout(error)) throw new Unjudgeable(`it is not valid ${dialect} SQL`);
        const { user, system } = process.threadCpuUsage(before);
        const hadItsTime = (user + system) / 1_000 > MAX_PARSE_MS * 0.8;
        const mayWarm = warmings < MAX_WARMINGS && coldStarts > 0;
        if (hadItsTime ? !mayWarm : timeoutMs >= MAX_STARVED_MS) throw new Unjudgeable('it takes too long to parse');
        if (hadItsTime) {
          warmings += 1;
          coldStarts -= 1;
        } else timeoutMs *= 2;
      }
    }
  };
}

const isTimeout = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
