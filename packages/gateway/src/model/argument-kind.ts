/**
 * What the operator declares an argument to be, so that policy judges its meaning and not its spelling. A place names the
 * argument: `path`, `filter.path` along objects, `files[]` for each element of a list, `files[].path` for a member of each.
 */

import { err, ok, type Result } from './result.ts';

export const SQL_DIALECTS = ['postgres', 'mysql', 'mariadb', 'sqlite', 'bigquery', 'snowflake'] as const;

export type SqlDialect = (typeof SQL_DIALECTS)[number];

export const URL_SCHEMES = ['http', 'https', 'ws', 'wss', 'ftp'] as const;

export type UrlScheme = (typeof URL_SCHEMES)[number];

export type ArgumentKind =
  /** `base`: what the server takes relative paths to be relative to; absolute. */
  | { readonly kind: 'path'; readonly base?: string }
  | { readonly kind: 'url'; readonly schemes: readonly UrlScheme[] }
  | {
      readonly kind: 'sql';
      readonly dialect: SqlDialect;
      /** Where a table without a schema is looked up. */
      readonly defaultSchema?: string;
      /** Functions that the operator vouches for, as `functions` shows them to policy. */
      readonly functions: readonly string[];
    };

/** One step to an argument: a member of an object, and then perhaps each element of the list that it holds. */
export type PlaceStep = { readonly name: string; readonly each: boolean };

export type DeclaredArgument = {
  /** As the operator wrote it. */
  readonly place: string;
  readonly steps: readonly [PlaceStep, ...PlaceStep[]];
  readonly kind: ArgumentKind;
};

const MAX_STEPS = 16;

/** `files[].path` as steps; or why it names nothing. A name that itself holds a dot or a bracket cannot be declared. */
export function parsePlace(place: string): Result<DeclaredArgument['steps'], string> {
  const steps = place.split('.').map((text): PlaceStep => {
    const each = text.endsWith('[]');
    return { name: each ? text.slice(0, -2) : text, each };
  });
  const [first, ...rest] = steps;
  if (first === undefined || steps.some(({ name }) => name === '' || /[[\]]/.test(name))) {
    return err('is no place of an argument. Write name, outer.inner, list[] or list[].inner');
  }
  if (steps.length > MAX_STEPS) return err(`has more than ${MAX_STEPS} steps`);
  return ok([first, ...rest]);
}
