/**
 * Walks the trees of the parsers for dialects other than PostgreSQL's. Their trees are loosely made, so nothing rests on one
 * reading of them: every `type` has to be known, and every table that the parser itself counted has to be found again.
 */

import { Unjudgeable, type Findings, type TableName } from './sql-facts.ts';

type Node = { readonly [key: string]: unknown };

type Scope = ReadonlySet<string>;

const STATEMENTS: Readonly<Record<string, readonly string[]>> = {
  select: ['select'],
  insert: ['insert'],
  // It deletes the rows that are in the way.
  replace: ['insert', 'delete'],
  update: ['update'],
  delete: ['delete'],
  truncate: ['truncate'],
  explain: ['explain'],
  create: ['create'],
  alter: ['alter'],
  rename: ['alter'],
  drop: ['drop'],
  grant: ['grant'],
  revoke: ['grant'],
  call: ['call'],
  set: ['set'],
  merge: ['merge'],
};

/** Their trees are known to the last node. */
const ROWS: ReadonlySet<string> = new Set(['select', 'insert', 'replace', 'update', 'delete', 'truncate', 'explain']);

/** Types of nodes that hold nothing but more of them. Directions of sorting are types here, too. */
const PLAIN_TYPES: ReadonlySet<string> = new Set(
  (
    'column_ref star number bigint bool boolean null string single_quote_string double_quote_string backticks_quote_string ' +
    'param binary_expr unary_expr expr_list expr case when else cast interval default values value window rows array dual ' +
    'unnest hex_string date time timestamp datetime asc desc distinct extract full_hex_string'
  ).split(' '),
);

/** What no table is called, and what a parser that lost its way takes for one. */
const RESERVED: ReadonlySet<string> = new Set(
  (
    'all and as by case create cross delete distinct drop else end except exists false for from full group having if in inner ' +
    'insert intersect into is join left like limit merge natural not null on or order outer over partition replace returning ' +
    'right select set table then true truncate union update using values when where window with'
  ).split(' '),
);

const MAX_DEPTH = 250;
const MAX_NODES = 20_000;

/** @param tree What the parser returned, as plain JSON. @returns How many statements there are. */
export function walkDialect(tree: unknown, findings: Findings): number {
  if (!isNode(tree)) throw new Unjudgeable('its tree is not known here');
  const statements = (Array.isArray(tree.ast) ? tree.ast : [tree.ast]).filter((one: unknown) => one !== null);
  const walk = new Walk(findings);
  for (const statement of statements) walk.statement(statement, new Set(), 0);
  walk.compareWith(tree.tableList);
  return statements.length;
}

class Walk {
  readonly #findings: Findings;
  readonly #seen = new Set<string>();
  readonly #hidden = new Set<string>();
  #strict = true;
  #nodes = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  statement(node: unknown, scope: Scope, depth: number): void {
    if (!isNode(node) || typeof node.type !== 'string') throw new Unjudgeable('a statement in it is of no known kind');
    const type = node.type.toLowerCase();
    for (const operation of STATEMENTS[type] ?? ['other']) this.#findings.operation(operation);
    if (!ROWS.has(type)) this.#strict = false;
    // `INSERT OR REPLACE`, `ON DUPLICATE KEY UPDATE`: rows that were there change or go.
    if (isSet(node.or)) this.#findings.operation('delete');
    if (isSet(node.on_duplicate_update)) this.#findings.operation('update');
    if (isSet(node.locking_read) || isSet(node.for_update)) this.#findings.writes();
    const inner = this.#ctes(node.with, scope, depth);
    for (const key in node) if (key !== 'with' && key !== 'type') this.#value(node[key], inner, depth + 1);
  }

  /** Every table that the parser counted was found, or is a name that `WITH` made. */
  compareWith(tableList: unknown): void {
    if (!Array.isArray(tableList)) throw new Unjudgeable('its tree is not known here');
    for (const entry of tableList) {
      const [, schema, name] = String(entry).split('::');
      const known = this.#seen.has(`${schema}::${name}`) || (schema === 'null' && this.#hidden.has(name ?? ''));
      if (!known && this.#strict) throw new Unjudgeable('a table in it could not be placed');
    }
  }

  #value(value: unknown, scope: Scope, depth: number): void {
    if (typeof value !== 'object' || value === null) return;
    this.#nodes += 1;
    if (depth > MAX_DEPTH) throw new Unjudgeable('it is nested too deeply');
    if (this.#nodes > MAX_NODES) throw new Unjudgeable('it is too large');
    if (Array.isArray(value)) for (const item of value) this.#value(item, scope, depth + 1);
    else if (isNode(value)) this.#node(value, scope, depth);
  }

  #node(node: Node, scope: Scope, depth: number): void {
    const type = typeof node.type === 'string' ? node.type.toLowerCase() : undefined;
    if (type !== undefined && STATEMENTS[type] !== undefined && isStatement(node)) {
      return this.statement(node, scope, depth);
    }
    if (type === 'function' || type === 'aggr_func' || type === 'window_func') this.#call(node);
    else if (type !== undefined && this.#strict && !PLAIN_TYPES.has(type)) {
      throw new Unjudgeable('it holds something that is not known here');
    }
    if (node.operator === ':=') throw new Unjudgeable('it assigns a variable');
    if (type !== 'column_ref' && Object.hasOwn(node, 'db') && typeof node.table === 'string') {
      this.#table(node, node.table, scope);
    }
    for (const key in node) {
      // `surround` says how the names beside it were quoted, under the same keys.
      if (key === 'surround' || (key === 'name' && isCall(type))) continue;
      this.#value(node[key], scope, depth + 1);
    }
  }

  #table(node: Node, table: string, scope: Scope): void {
    const { db, catalog, schema } = node;
    const qualifiers = typeof schema === 'string' ? [catalog, schema] : [db];
    const known = qualifiers.filter((part) => typeof part === 'string' && part !== '');
    this.#seen.add(`${known.length === 0 ? 'null' : known.join('.')}::${table}`);
    if (known.length === 0 && scope.has(table)) return;
    // BigQuery takes a whole path in one pair of backticks.
    const parts = [...known, table].flatMap((part) => String(part).split('.')).toReversed();
    // `delete from t` is a table `from` under the name `t` to one of these parsers.
    if (parts.some((part) => RESERVED.has(part.toLowerCase()))) {
      throw new Unjudgeable('a table in it has the name of a word of the language');
    }
    this.#findings.table(named(parts));
    // Whether case counts is up to the server: a rule that allows needs the one, a rule that forbids the other.
    if (parts.some((part) => part !== part.toLowerCase())) {
      this.#findings.table(named(parts.map((part) => part.toLowerCase())));
    }
  }

  #call({ name }: Node): void {
    if (typeof name === 'string') return this.#findings.call(name.toLowerCase());
    if (!isNode(name) || !Array.isArray(name.name)) throw new Unjudgeable('a function in it has no name');
    const parts = [name.schema, ...name.name].flatMap((part: unknown) =>
      isNode(part) && typeof part.value === 'string' ? [part.value.toLowerCase()] : [],
    );
    if (parts.length === 0) throw new Unjudgeable('a function in it has no name');
    if (parts.length > 1 || parts[0] !== 'exists') this.#findings.call(parts.join('.'));
  }

  #ctes(clause: unknown, scope: Scope, depth: number): Scope {
    if (!isSet(clause)) return scope;
    if (!Array.isArray(clause)) throw new Unjudgeable('its WITH is not known here');
    const ctes = clause.map((cte: unknown) => {
      const name = isNode(cte) && isNode(cte.name) ? cte.name.value : undefined;
      if (!isNode(cte) || typeof name !== 'string') throw new Unjudgeable('its WITH is not known here');
      return { name, body: cte.stmt, recursive: cte.recursive === true };
    });
    const isRecursive = ctes.some(({ recursive }) => recursive);
    const all = new Set([...scope, ...ctes.map(({ name }) => name)]);
    const before = new Set(scope);
    for (const { name, body } of ctes) {
      this.#hidden.add(name);
      this.#value(body, isRecursive ? all : new Set(before), depth + 1);
      before.add(name);
    }
    return all;
  }
}

function named(parts: readonly string[]): TableName {
  const [name, ...qualifiers] = parts;
  if (name === undefined) throw new Unjudgeable('a table in it has no name');
  return [name, ...qualifiers];
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value);

const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== false;

const isCall = (type: string | undefined): boolean =>
  type === 'function' || type === 'aggr_func' || type === 'window_func';

/** `type: 'replace'` is also how a plain value may be marked: statements have a clause. */
const isStatement = (node: Node): boolean =>
  ['columns', 'table', 'from', 'values', 'set', 'name', 'expr', 'keyword'].some((key) => Object.hasOwn(node, key));
