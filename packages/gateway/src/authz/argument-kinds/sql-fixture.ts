/** SQL texts judged, for the tests of this folder. */

import type { ArgumentKind, SqlDialect } from '../../model/argument-kind.ts';
import { judgeSql } from './sql.ts';
import type { SqlFacts } from './sql-facts.ts';
import { tokenBudget } from './sql-gate.ts';

type Options = Partial<Pick<Extract<ArgumentKind, { kind: 'sql' }>, 'defaultSchema' | 'functions'>>;

/** The facts, or in words why there are none. */
export function judged(text: string, dialect: SqlDialect, options: Options = {}): SqlFacts | string {
  const result = judgeSql(text, { kind: 'sql', dialect, functions: [], ...options }, tokenBudget());
  return result.ok ? result.value : result.error;
}

export function factsOf(text: string, dialect: SqlDialect, options: Options = {}): SqlFacts {
  const result = judged(text, dialect, options);
  if (typeof result === 'string') throw new Error(`${text}: ${result}`);
  return result;
}
