/**
 * Walks the tree of PostgreSQL's own parser. In statements that read or change rows every kind of node has to be known: one
 * that is not listed here refuses the text. In all others (DDL, `DO`, `COPY`, ...) the walk only collects, because
 * `sql-facts.ts` says of those that they may touch anything.
 */

import { operationOf } from './postgres-statements.ts';
import { sqlName, Unjudgeable, type Findings } from './sql-facts.ts';

type Node = { readonly [key: string]: unknown };

/** CTE names that hide tables of the same name. */
type Scope = ReadonlySet<string>;

/** Nodes of expressions, joins and clauses that hold nothing but more of them. */
const PLAIN_NODES: ReadonlySet<string> = new Set(
  (
    'A_ArrayExpr A_Indices A_Star Alias BoolExpr BooleanTest CaseExpr CaseWhen CoalesceExpr CollateClause GroupingFunc ' +
    'GroupingSet IndexElem InferClause JoinExpr JsonArrayConstructor JsonIsPredicate JsonKeyValue JsonObjectConstructor ' +
    'JsonValueExpr List MergeWhenClause MinMaxExpr MultiAssignRef NamedArgExpr NullTest OnConflictClause ParamRef ' +
    'RangeSubselect ResTarget ReturningOption RowExpr SQLValueFunction SetToDefault TypeCast TypeName WindowDef ' +
    'String Integer Float Boolean BitString A_Const DefElem ColumnDef'
  ).split(' '),
);

/** Members that hold a node of one certain kind, written without the kind's name. */
const TYPED_MEMBERS: ReadonlySet<string> = new Set(
  (
    'alias join_using_alias typeName over onConflictClause infer returningClause search_clause cycle_clause larg rarg ' +
    'output returning format boolval ival fval sval bsval context_item value'
  ).split(' '),
);

/** Built in, and nothing but computation. Any other may be anyone's function: it is told as one. */
const OPERATORS: ReadonlySet<string> = new Set(
  (
    '= <> != < > <= >= + - * / % ^ || ~~ !~~ ~~* !~~* ~ ~* !~ !~* -> ->> #> #>> @> <@ ? ?| ?& && & | # << >> |/ ||/ @ ' +
    '@@ #- &< &> -|- @? <<= >>='
  ).split(' '),
);

const MERGE_ACTIONS: Readonly<Record<string, string>> = {
  CMD_INSERT: 'insert',
  CMD_UPDATE: 'update',
  CMD_DELETE: 'delete',
  CMD_NOTHING: 'nothing',
};

const MAX_DEPTH = 250;
const MAX_NODES = 60_000;

export type ParsedStatement = { readonly stmt?: unknown };

export function walkPostgres(statements: readonly ParsedStatement[], findings: Findings): void {
  for (const { stmt } of statements) {
    const walk = new Walk(findings);
    walk.statement(stmt);
    walk.finish();
  }
}

/** One statement's walk. */
class Walk {
  readonly #findings: Findings;
  /** Names of functions in FROM, and what columns they are known to have. */
  readonly #functionColumns = new Map<string, Set<string>>();
  readonly #columnRefs: { readonly of: string; readonly column: string }[] = [];
  #strict = true;
  #nodes = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  statement(node: unknown): void {
    const [kind, body] = kindOf(node) ?? [];
    if (kind === undefined || body === undefined) throw new Unjudgeable('a statement in it is of no known kind');
    const { operation, strict } = operationOf(kind);
    this.#findings.operation(operation);
    this.#strict = strict;
    this.#node(kind, body, new Set(), 0);
  }

  /**
   * `f.x`, where `f` is a function in FROM that returns a single value, is the call `x(f)` unless `f` has a column `x`: so
   * the parser's tree has a column where the server finds a function (`select n.pg_read_file from unnest(...) n`).
   */
  finish(): void {
    for (const { of, column } of this.#columnRefs) {
      const columns = this.#functionColumns.get(of);
      if (columns !== undefined && !columns.has(column)) this.#findings.call(sqlName(column));
    }
  }

  /** Anything that may stand in a member. */
  #value(value: unknown, scope: Scope, depth: number, member = ''): void {
    if (typeof value !== 'object' || value === null) return;
    this.#nodes += 1;
    if (depth > MAX_DEPTH) throw new Unjudgeable('it is nested too deeply');
    if (this.#nodes > MAX_NODES) throw new Unjudgeable('it is too large');
    if (Array.isArray(value)) {
      for (const item of value) this.#value(item, scope, depth + 1);
      return;
    }
    if (!isNode(value)) return;
    const [kind, body] = kindOf(value) ?? [];
    if (kind !== undefined && body !== undefined) this.#node(kind, body, scope, depth);
    else if (member === 'relation' || member === 'rel' || member === 'view') this.#table(value, NOTHING_HIDDEN);
    else if (member === 'larg' || member === 'rarg') this.#node('SelectStmt', value, scope, depth);
    else if (this.#strict && !TYPED_MEMBERS.has(member) && Object.keys(value).length > 0) {
      throw new Unjudgeable('it holds something that is not known here');
    } else this.#members(value, scope, depth);
  }

  #members(body: Node, scope: Scope, depth: number, ...except: readonly string[]): void {
    for (const key in body) if (!except.includes(key)) this.#value(body[key], scope, depth + 1, key);
  }

  #node(kind: string, body: Node, scope: Scope, depth: number): void {
    switch (kind) {
      case 'SelectStmt':
        return this.#select(body, scope, depth);
      case 'InsertStmt':
      case 'UpdateStmt':
      case 'DeleteStmt':
      case 'MergeStmt':
        this.#findings.operation(operationOf(kind).operation);
        if (isNode(body.onConflictClause) && body.onConflictClause.action === 'ONCONFLICT_UPDATE') {
          this.#findings.operation('update');
        }
        return this.#members(body, this.#ctes(body, scope, depth), depth, 'withClause');
      case 'MergeWhenClause':
        this.#mergeAction(body.commandType);
        return this.#members(body, scope, depth);
      case 'RangeVar':
        return this.#table(body, scope);
      case 'RangeFunction':
        this.#functionInFrom(body);
        return this.#members(body, scope, depth);
      case 'RangeTableSample':
        this.#findings.call(`tablesample ${texts(body.method).join('.')}`);
        return this.#members(body, scope, depth, 'method');
      case 'FuncCall':
        this.#findings.call(functionName(texts(body.funcname)));
        return this.#members(body, scope, depth, 'funcname');
      case 'A_Expr':
        if (!String(body.kind).includes('BETWEEN')) this.#operator(body.name);
        return this.#members(body, scope, depth, 'name');
      case 'SubLink':
        this.#operator(body.operName);
        return this.#members(body, scope, depth, 'operName');
      case 'SortBy':
        this.#operator(body.useOp);
        return this.#members(body, scope, depth, 'useOp');
      case 'A_Indirection':
        // `(x).f` is the call `f(x)` unless x has a member f, which only the server knows.
        for (const name of texts(body.indirection)) this.#findings.call(sqlName(name));
        return this.#members(body, scope, depth);
      case 'ColumnRef':
        return this.#column(body);
      default:
        return this.#other(kind, body, scope, depth);
    }
  }

  #other(kind: string, body: Node, scope: Scope, depth: number): void {
    const isStatement = kind.endsWith('Stmt');
    if (isStatement && depth > 0) {
      const { operation, strict } = operationOf(kind);
      this.#findings.operation(operation);
      this.#strict &&= strict;
    }
    if (this.#strict && !isStatement && !PLAIN_NODES.has(kind)) {
      throw new Unjudgeable('it holds something that is not known here');
    }
    if (kind === 'A_Const' || kind === 'ParamRef') return;
    this.#members(body, scope, depth);
  }

  #select(body: Node, scope: Scope, depth: number): void {
    if (body.valuesLists === undefined) this.#findings.operation('select');
    if (body.intoClause !== undefined) {
      this.#findings.operation('create');
      this.#findings.writes();
      const into = isNode(body.intoClause) ? body.intoClause.rel : undefined;
      if (isNode(into)) this.#table(into, NOTHING_HIDDEN);
    }
    if (body.lockingClause !== undefined) this.#findings.writes();
    const inner = this.#ctes(body, scope, depth);
    this.#members(body, inner, depth, 'withClause', 'intoClause', 'lockingClause');
  }

  /** What `WITH` hides: each name from what follows it, and with `RECURSIVE` from all of them. */
  #ctes(body: Node, scope: Scope, depth: number): Scope {
    const { withClause } = body;
    if (withClause === undefined) return scope;
    if (!isNode(withClause) || !Array.isArray(withClause.ctes)) throw new Unjudgeable('its WITH is not known here');
    const ctes = withClause.ctes.map((cte: unknown) => {
      const [kind, expression] = kindOf(cte) ?? [];
      if (kind !== 'CommonTableExpr' || expression === undefined || typeof expression.ctename !== 'string') {
        throw new Unjudgeable('its WITH is not known here');
      }
      return { name: expression.ctename, expression };
    });
    const all = new Set([...scope, ...ctes.map(({ name }) => name)]);
    const before = new Set(scope);
    for (const { name, expression } of ctes) {
      this.#members(expression, withClause.recursive === true ? all : new Set(before), depth + 1);
      before.add(name);
    }
    return all;
  }

  #mergeAction(command: unknown): void {
    const operation = typeof command === 'string' ? MERGE_ACTIONS[command] : undefined;
    if (operation === undefined) throw new Unjudgeable('its MERGE is not known here');
    if (operation !== 'nothing') this.#findings.operation(operation);
  }

  #table({ relname, schemaname, catalogname }: Node, hidden: Scope): void {
    if (typeof relname !== 'string') throw new Unjudgeable('a table in it has no name');
    if (typeof schemaname !== 'string') {
      if (!hidden.has(relname)) this.#findings.table([relname]);
    } else if (typeof catalogname === 'string') this.#findings.table([relname, schemaname, catalogname]);
    else this.#findings.table([relname, schemaname]);
  }

  #functionInFrom({ alias, functions, coldeflist }: Node): void {
    const named = isNode(alias) && typeof alias.aliasname === 'string' ? alias.aliasname : undefined;
    const declared = [
      ...texts(isNode(alias) ? alias.colnames : undefined),
      ...(Array.isArray(coldeflist) ? coldeflist : []).map((column) => textOf(kindOf(column)?.[1]?.colname)),
    ];
    const names = named === undefined ? calledIn(functions) : [named];
    for (const name of names) {
      const known = this.#functionColumns.get(name) ?? new Set([name, 'ordinality']);
      for (const column of declared) known.add(column);
      this.#functionColumns.set(name, known);
    }
  }

  #column({ fields }: Node): void {
    const names = texts(fields);
    const [of, column] = names.slice(-2);
    if (names.length > 1 && of !== undefined && column !== undefined) this.#columnRefs.push({ of, column });
  }

  #operator(name: unknown): void {
    if (name === undefined) return;
    const parts = texts(name);
    const [first = ''] = parts;
    if (parts.length !== 1 || !OPERATORS.has(first)) this.#findings.call(`operator ${parts.join('.')}`);
  }
}

const NOTHING_HIDDEN: Scope = new Set();

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value);

/** `{ "FuncCall": { ... } }`: kinds begin with a capital, members do not. */
function kindOf(value: unknown): readonly [kind: string, body: Node] | undefined {
  if (!isNode(value)) return undefined;
  const [key, another] = Object.keys(value);
  if (key === undefined || another !== undefined || !/^[A-Z]/.test(key)) return undefined;
  const body = value[key];
  return isNode(body) ? [key, body] : undefined;
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The texts of a list of `String` nodes; others are left out. */
function texts(list: unknown): readonly string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown) => {
    const [kind, body] = kindOf(item) ?? [];
    return kind === 'String' && typeof body?.sval === 'string' ? [body.sval] : [];
  });
}

/** PostgreSQL's own schema is left out: `pg_catalog.btrim` is what its parser makes of `trim`. */
function functionName(parts: readonly string[]): string {
  const [schema, name] = parts;
  return parts.length === 2 && schema === 'pg_catalog' && name !== undefined
    ? sqlName(name)
    : parts.map(sqlName).join('.');
}

/** Functions of a FROM item without an alias: their last names stand for them. */
function calledIn(functions: unknown): readonly string[] {
  if (!Array.isArray(functions)) return [];
  return functions.flatMap((list: unknown) => {
    const items = kindOf(list)?.[1].items;
    if (!Array.isArray(items)) return [];
    return items.flatMap((item: unknown) => texts(kindOf(item)?.[1].funcname).slice(-1));
  });
}
