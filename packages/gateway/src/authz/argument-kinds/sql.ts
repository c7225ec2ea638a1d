/** An SQL text as what it does: operations, tables, schemas, functions, and whether it only reads. */

import type { ArgumentKind, SqlDialect } from '../../model/argument-kind.ts';
import { err, ok, type Result } from '../../model/result.ts';
import { walkDialect } from './dialect-tree.ts';
import { walkPostgres, type ParsedStatement } from './postgres-tree.ts';
import { pureFunctions } from './pure-functions.ts';
import { Findings, Unjudgeable, type FactRules, type SqlFacts } from './sql-facts.ts';
import { passGate, type TokenBudget } from './sql-gate.ts';
import { sqlParser } from './sql-parsers.ts';

type SqlKind = Extract<ArgumentKind, { readonly kind: 'sql' }>;

/** The facts, or the reason why there are none: words that hold nothing of the text. */
export function judgeSql(text: string, kind: SqlKind, budget: TokenBudget): Result<SqlFacts, string> {
  const parse = sqlParser(kind.dialect);
  if (parse === undefined) return err(`the parser for ${kind.dialect} is not loaded.`);
  try {
    passGate(text, kind.dialect, budget);
    const findings = new Findings();
    const tree = parse(text);
    const statements = kind.dialect === 'postgres' ? walkStatements(tree, findings) : walkDialect(tree, findings);
    if (statements === 0) return err('it holds no statement.');
    return ok(findings.conclude(statements, rulesOf(kind)));
  } catch (error) {
    if (error instanceof Unjudgeable) return err(`${error.message}.`);
    throw error;
  }
}

function walkStatements(tree: unknown, findings: Findings): number {
  const statements: unknown = typeof tree === 'object' && tree !== null && 'stmts' in tree ? tree.stmts : [];
  if (!isStatements(statements)) throw new Unjudgeable('its tree is not known here');
  walkPostgres(statements, findings);
  return statements.length;
}

const isStatements = (value: unknown): value is readonly ParsedStatement[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'object' && one !== null);

const SELECT: ReadonlySet<string> = new Set(['select']);
const ROWS: ReadonlySet<string> = new Set([...SELECT, 'insert', 'update', 'delete', 'merge', 'truncate', 'explain']);

/** The parsers for these were seen to misread what changes rows: of that only the operation is believed. */
const READS_ONLY: ReadonlySet<SqlDialect> = new Set(['bigquery', 'snowflake']);

const rules = new WeakMap<SqlKind, FactRules>();

function rulesOf(kind: SqlKind): FactRules {
  const known = rules.get(kind);
  if (known !== undefined) return known;
  const made: FactRules = {
    defaultSchema: kind.defaultSchema,
    pure: new Set([...pureFunctions(kind.dialect), ...kind.functions]),
    seenThrough: READS_ONLY.has(kind.dialect) ? SELECT : ROWS,
    systemSchemaOf: (table) => systemSchemaOf(kind.dialect, table),
  };
  rules.set(kind, made);
  return made;
}

/** PostgreSQL looks into `pg_catalog` before the search path, so that no unqualified `pg_authid` is in `public`. */
function systemSchemaOf(dialect: SqlDialect, table: string): string | undefined {
  if (dialect === 'postgres') return table.startsWith('pg_') ? 'pg_catalog' : undefined;
  return dialect === 'sqlite' && table.toLowerCase().startsWith('sqlite_') ? 'sqlite_schema' : undefined;
}
