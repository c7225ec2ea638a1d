/**
 * What a text must be before a parser sees it: short enough to be parsed at once, and, for parsers that only resemble their
 * server's, free of everything that one of the two could take for a comment or for the end of a string.
 */

import type { SqlDialect } from '../../model/argument-kind.ts';
import { Unjudgeable } from './sql-facts.ts';

const MAX_SQL_LENGTH = 65_536;

/** Measured at 1 to 1.6 us each for PostgreSQL's parser and its tree, and 10 to 20 us for the others: 4 ms at most. */
const MAX_TOKENS = { postgres: 2_000, other: 200 };

/** PostgreSQL's comments nest, and its scanner reads each opening's rest again: 32,000 of them take five seconds. */
const MAX_COMMENTS = 100;

/** What is left of the tokens of a call: all its texts share one measure. */
export type TokenBudget = { left: number };

export const tokenBudget = (): TokenBudget => ({ left: MAX_TOKENS.postgres });

/** @throws Unjudgeable */
export function passGate(text: string, dialect: SqlDialect, budget: TokenBudget): void {
  if (text.length > MAX_SQL_LENGTH) throw new Unjudgeable(`it is longer than ${MAX_SQL_LENGTH} characters`);
  // A parser in C would stop at a NUL where the server may not.
  if (!text.isWellFormed() || text.includes('\0')) throw new Unjudgeable('it holds what is no text');
  const allowed = dialect === 'postgres' ? budget.left : Math.min(budget.left, MAX_TOKENS.other);
  const tokens = countTokens(text, allowed);
  if (tokens > allowed) throw new Unjudgeable(`it has more than ${allowed} words and signs`);
  budget.left -= dialect === 'postgres' ? tokens : tokens * (MAX_TOKENS.postgres / MAX_TOKENS.other);
  if (dialect === 'postgres') {
    if (text.split('/*', MAX_COMMENTS + 2).length > MAX_COMMENTS + 1) throw new Unjudgeable('it has too many comments');
  } else scan(text, dialect);
}

/** At least as many as any scanner finds: words run on, every other sign counts, whether in a string or not. */
function countTokens(text: string, enough: number): number {
  let tokens = 0;
  let inWord = false;
  for (let at = 0; at < text.length && tokens <= enough; at++) {
    const code = text.charCodeAt(at);
    const isWord =
      (code >= 0x61 && code <= 0x7a) ||
      (code >= 0x30 && code <= 0x39) ||
      (code >= 0x41 && code <= 0x5a) ||
      code === 0x5f ||
      code > 0x7f;
    if (isWord ? !inWord : code > 0x20) tokens += 1;
    inWord = isWord;
  }
  return tokens;
}

/** Signs that begin a comment, a string or a quoted name in some setting of some server. */
const UNSURE: Readonly<Record<Exclude<SqlDialect, 'postgres'>, RegExp>> = {
  mysql: /--|\/\*|#|\/\/|\$\$/,
  mariadb: /--|\/\*|#|\/\/|\$\$/,
  sqlite: /--|\/\*|#|\/\/|\$\$|[[\]]/,
  bigquery: /--|\/\*|#|\/\/|\$\$/,
  // A quoted name keeps its case here and an unquoted one does not, and the parser's tree does not tell them apart.
  snowflake: /--|\/\*|#|\/\/|\$\$|"/,
};

const QUOTED = /'[^']*'|"[^"]*"|`[^`]*`/g;

function scan(text: string, dialect: Exclude<SqlDialect, 'postgres'>): void {
  // Whether it escapes is a setting of the server, even of the session.
  if (text.includes('\\')) throw new Unjudgeable('it holds a backslash. Double a quote to write it');
  if (dialect === 'bigquery' && /'''|"""/.test(text)) throw new Unjudgeable('it holds a triple quote');
  const outside = text.replace(dialect === 'snowflake' ? /'[^']*'/g : QUOTED, ' ');
  if (/['`]|"/.test(dialect === 'snowflake' ? outside.replaceAll('"', '') : outside)) {
    throw new Unjudgeable('a quote in it is not closed');
  }
  if (UNSURE[dialect].test(outside)) {
    throw new Unjudgeable('it holds a comment, or signs that this dialect may take for one. Leave comments out');
  }
  if (/[^\t\n\r -~]/.test(outside)) throw new Unjudgeable('it holds characters beyond ASCII outside of quotes');
}
