/**
 * What is known of an SQL text, gathered while its tree is walked. The promise: `tables` and `schemas` name everything that
 * the text can touch by itself, or hold `*`, which no list of allowed names contains.
 */

export type SqlFacts = {
  readonly statements: number;
  readonly operations: readonly string[];
  readonly tables: readonly string[];
  readonly schemas: readonly string[];
  readonly functions: readonly string[];
  readonly readOnly: boolean;
};

/** The name, and before it its schema, and before that its catalog or project. */
export type TableName = readonly [name: string, ...qualifiers: string[]];

export type FactRules = {
  readonly defaultSchema: string | undefined;
  /** Functions that only compute. */
  readonly pure: ReadonlySet<string>;
  /** Operations whose tables the walk sees to the last; any other may touch anything. */
  readonly seenThrough: ReadonlySet<string>;
  /** The schema that the engine itself looks into first, for names that are its own. */
  readonly systemSchemaOf: (table: string) => string | undefined;
};

/** Stands for whatever the text may touch beside what it names. */
export const ANYTHING = '*';

const PLAIN_NAME = /^[a-z_][a-z0-9_$]*$/;

/** As SQL writes it: quoted unless it is a plain lower-case word, so that `"a.b"` is never taken for `b` of `a`. */
export const sqlName = (name: string): string => (PLAIN_NAME.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

/** One text's findings; owned by one walk. */
export class Findings {
  readonly #operations = new Set<string>();
  readonly #tables: TableName[] = [];
  readonly #functions = new Set<string>();
  #writes = false;

  operation(name: string): void {
    this.#operations.add(name);
  }

  table(name: TableName): void {
    this.#tables.push(name);
  }

  call(name: string): void {
    this.#functions.add(name);
  }

  /** It does more than read, whatever its operations say: `INTO`, row locks. */
  writes(): void {
    this.#writes = true;
  }

  conclude(statements: number, rules: FactRules): SqlFacts {
    const operations = [...this.#operations];
    const functions = [...this.#functions];
    const vouched = functions.every((name) => rules.pure.has(name));
    const seen = vouched && operations.every((name) => rules.seenThrough.has(name));
    const tables = new Set<string>(seen ? [] : [ANYTHING]);
    const schemas = new Set<string>(seen ? [] : [ANYTHING]);
    for (const [name, ...qualifiers] of this.#tables) {
      // Where the text could have changed how names are looked up, a name without a schema stays without one.
      const fallback = rules.systemSchemaOf(name) ?? (seen ? rules.defaultSchema : undefined);
      const schema =
        qualifiers.length > 0 ? qualifiers.map(sqlName).toReversed().join('.') : fallback && sqlName(fallback);
      schemas.add(schema ?? '');
      tables.add(schema === undefined ? sqlName(name) : `${schema}.${sqlName(name)}`);
    }
    return {
      statements,
      operations,
      tables: [...tables],
      schemas: [...schemas],
      functions,
      readOnly: vouched && !this.#writes && operations.every((name) => name === 'select'),
    };
  }
}

/** Why a text cannot be judged, in words without the text. */
export class Unjudgeable extends Error {}
