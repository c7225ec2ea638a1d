/**
 * How a secret is referred to: a table of kinds. Another store is a row here, a file in `credential/stores/` and a row in
 * `composition/secrets.ts`.
 */

import { nearestName } from '../model/nearest-name.ts';
import type { StoreKind, ValueConfig } from './secrets-config.ts';

type ReferenceKind = StoreKind | 'env' | 'file';

type Row = {
  /** What may stand behind the colon. */
  readonly pattern: RegExp;
  /** How it is written, for messages. */
  readonly example: string;
};

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** The name of a command under `secrets.exec`. */
export const EXEC_NAME = /^[a-z][a-z0-9-]{0,31}$/;

/** An argument may not begin with a hyphen: it would be an option of the command. */
const EXEC = /^[a-z][a-z0-9-]{0,31}(?:\/[A-Za-z0-9._@:=+/ ][A-Za-z0-9._@:=+/ -]{0,255})?(?:#[A-Za-z0-9._-]{1,100})?$/;
/** No dots alone between slashes: a path goes nowhere but down. */
const VAULT = /^(?!\/)(?!.*(?:^|\/)\.{1,2}(?:\/|#))[A-Za-z0-9._@ /-]{1,400}#[A-Za-z0-9._-]{1,100}$/;
/** A name, a path or an ARN (Secrets Manager, `SecretId`). */
const AWS = /^[A-Za-z0-9/_+=.@:!-]{1,512}(?:#[A-Za-z0-9._-]{1,100})?$/;

export const REFERENCE_KINDS: Readonly<Record<ReferenceKind, Row>> = {
  env: { pattern: VARIABLE, example: 'env:NAME' },
  file: { pattern: /^.+$/, example: 'file:/path/to/it' },
  exec: { pattern: EXEC, example: 'exec:name/argument or exec:name/argument#field' },
  vault: { pattern: VAULT, example: 'vault:secret/data/path#field' },
  'aws-sm': { pattern: AWS, example: 'aws-sm:name or aws-sm:name#field' },
};

const REFERENCE = /^(?<prefix>[A-Za-z][A-Za-z0-9-]* )?(?<kind>[a-z][a-z-]*):(?<rest>.*)$/s;

const isKind = (word: string): word is ReferenceKind => Object.hasOwn(REFERENCE_KINDS, word);

/**
 * `env:NAME`, `file:/path` and the like, after a scheme such as `Bearer ` where one is needed; everything else is the text
 * itself. Undefined: it begins like a reference and is none.
 */
export function parseValue(text: string): ValueConfig | undefined {
  const { prefix = '', kind = '', rest = '' } = REFERENCE.exec(text)?.groups ?? {};
  if (!isKind(kind)) return { kind: 'literal', value: text };
  if (!REFERENCE_KINDS[kind].pattern.test(rest)) return undefined;
  switch (kind) {
    case 'env':
      return { kind, name: rest, prefix };
    case 'file':
      return { kind, path: rest, prefix };
    default:
      return { kind, reference: rest, prefix };
  }
}

/** What to write instead of what is no reference. */
export function wantedReference(text: string): string {
  const { kind = '' } = REFERENCE.exec(text)?.groups ?? {};
  const { example } = isKind(kind) ? REFERENCE_KINDS[kind] : REFERENCE_KINDS.env;
  return `is not a reference. Write ${example}.`;
}

/** Shorter words are something else more often than a slip: `LANGUAGE` is `en:de`. */
const MIN_SLIP = 3;

/** The kind that was meant by a text such as `valut:secret/data/x#token`. A URL has slashes behind its colon. */
export function misspelledKind(text: string): string | undefined {
  const { kind = '', rest = '' } = REFERENCE.exec(text)?.groups ?? {};
  if (kind.length < MIN_SLIP || isKind(kind) || rest === '' || rest.startsWith('//') || /^\d+$/.test(rest))
    return undefined;
  return nearestName(kind, Object.keys(REFERENCE_KINDS));
}
