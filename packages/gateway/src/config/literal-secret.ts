/**
 * Finds what should not stand in a configuration file: secrets written out, and placeholders that someone forgot to
 * replace. It errs on the side of refusing: a value that is wrongly taken for a secret moves to a variable or a file and
 * nothing is lost, a secret that is wrongly let through ends up in a repository.
 */

/** What is wrong with a value, as a sentence without its subject. It never repeats the value. */
export type SecretFinding = { readonly message: string; readonly mend: string };

const PLACEHOLDER =
  /^(?:change[-_ ]?me.*|replace[-_ ]?me.*|your[-_ ].*|<[^>]*>|\$\{[^}]*\}|x{3,}|\*{3,}|\.{3}|…|secret|password|passw0rd|token|api[-_]?key|insert[-_ ].*|dummy|tbd)$/i;

/** Header and variable names whose value is a secret whatever it looks like. */
const SECRET_NAME =
  /(?:^|[-_])(?:token|secret|password|passwd|passphrase|pwd|api[-_]?key|access[-_]?key|secret[-_]?key|private[-_]?key|credentials?|authorization|cookie)$/i;

/** How the keys and tokens of well-known services begin. */
const KNOWN_PREFIX =
  /^(?:sk-|sk_live_|sk_test_|rk_live_|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|xapp-|AKIA|ASIA|AIza|ya29\.|npm_|pypi-|hf_|SG\.|dop_v1_|shpat_|lin_api_|sp_[A-Za-z0-9_-]{20})/;

const JWT = /^eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\./;
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const SCHEME = /^(?:bearer|basic|token|apikey|digest)\s+\S/i;
const USERINFO = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]*:[^/?#\s@]+@/i;
const SECRET_FLAG =
  /^--?(?:[a-z0-9]+-)*(?:token|secret|password|passwd|passphrase|pwd|api-?key|apikey|access-?key|secret-?key|private-?key|credentials?)$/i;

/** Shorter texts carry too little to tell a key from a word. */
const MIN_RANDOM_LENGTH = 20;
const MIN_BITS_PER_CHARACTER = 3.6;
const MIN_HEX_LENGTH = 32;

/** A literal under `headers` or `env`. `name` is the header's or the variable's. */
export function secretInValue(name: string, value: string): SecretFinding | undefined {
  const mend = `Put it into a variable or a file and write ${name}: env:${variableName(name)} or ${name}: file:/path/to/it.`;
  const text = value.trim();
  if (PLACEHOLDER.test(text)) return { message: 'is a placeholder that was never replaced.', mend };
  if (SCHEME.test(text)) {
    const scheme = text.split(/\s/, 1)[0] ?? '';
    return { message: 'is a credential written out.', mend: `Write ${name}: "${scheme} env:${variableName(name)}".` };
  }
  if (USERINFO.test(text)) return { message: 'has a password in its URL.', mend };
  if (looksLikeSecret(text)) return { message: 'looks like a secret written out.', mend };
  if (SECRET_NAME.test(name) && text !== '') {
    return { message: 'is named like a secret, and its value is written out.', mend };
  }
  return undefined;
}

/** A literal anywhere else: only what is certain. */
export function secretInText(value: string): SecretFinding | undefined {
  if (USERINFO.test(value)) {
    return {
      message: 'has a user and a password in its URL.',
      mend: 'Take them out of the URL and send them under headers or env, as env:NAME or file:/path.',
    };
  }
  if (KNOWN_PREFIX.test(value) || JWT.test(value) || PRIVATE_KEY.test(value)) {
    return {
      message: 'looks like a secret written out.',
      mend: 'Write env:NAME or file:/path where a secret belongs.',
    };
  }
  return undefined;
}

/** In `storage.url`. Refuses too much rather than too little: an unescaped `/` in a password hides it from the others. */
export function secretInDatabaseUrl(value: string): SecretFinding | undefined {
  if (!/:\/\/[^@]*:[^@]*@/.test(value) && !/[?&]password=/i.test(value)) return secretInText(value);
  return {
    message: 'has a password in its URL.',
    mend: 'Put the whole URL into a variable or a file and write url: env:DATABASE_URL or url: file:/path/to/it.',
  };
}

/** Secrets in a command line: every user of the machine can read them there, references included. */
export function secretInArguments(args: readonly string[]): { index: number; finding: SecretFinding } | undefined {
  const mend = 'Arguments are visible to every user of the machine. Hand it over under env, as env:NAME or file:/path.';
  for (const [index, argument] of args.entries()) {
    const equals = argument.indexOf('=');
    const flag = equals === -1 ? argument : argument.slice(0, equals);
    const assigned = equals === -1 ? undefined : argument.slice(equals + 1);
    const names = SECRET_FLAG.test(flag) || (assigned !== undefined && !flag.startsWith('-') && SECRET_NAME.test(flag));
    const next = args[index + 1];
    if (names && assigned !== undefined && assigned !== '') {
      return { index, finding: { message: `hands over a secret in the argument ${flag}.`, mend } };
    }
    if (names && assigned === undefined && next !== undefined && !next.startsWith('-')) {
      return { index: index + 1, finding: { message: `hands over a secret in the argument ${flag}.`, mend } };
    }
    const found = secretInText(argument) ?? (assigned === undefined ? undefined : secretInText(assigned));
    if (found !== undefined) return { index, finding: { message: found.message, mend } };
    if (looksRandom(argument)) return { index, finding: { message: 'looks like a secret in an argument.', mend } };
  }
  return undefined;
}

function looksLikeSecret(text: string): boolean {
  return KNOWN_PREFIX.test(text) || JWT.test(text) || PRIVATE_KEY.test(text) || looksRandom(text);
}

/** One unbroken token of letters and digits without the regularity of words, paths or versions. */
function looksRandom(text: string): boolean {
  // Of a path the unbroken words count: together they are long and mixed, and still only names (`/tmp/build-x7Kq/servers`).
  if (/^\.{0,2}\/./.test(text))
    return text.split(/[/._=+-]/).some((word) => word.length >= MIN_RANDOM_LENGTH && looksRandom(word));
  if (/^[0-9a-f]+$/i.test(text)) return text.length >= MIN_HEX_LENGTH && /\d/.test(text) && /[a-f]/i.test(text);
  if (text.length < MIN_RANDOM_LENGTH || !/^[A-Za-z0-9+/_=-]+$/.test(text)) return false;
  const longestRun = Math.max(...text.split(/[-_/=+]/).map((part) => part.length));
  const mixed = /\d/.test(text) && /[a-z]/.test(text) && /[A-Z]/.test(text);
  const unbroken = longestRun >= MIN_RANDOM_LENGTH && /\d/.test(text) && /[A-Za-z]/.test(text);
  return (mixed || unbroken) && !isUuid(text) && bitsPerCharacter(text) >= MIN_BITS_PER_CHARACTER;
}

const isUuid = (text: string): boolean => /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);

/** Shannon entropy of the text's own characters. */
function bitsPerCharacter(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

const variableName = (name: string): string => name.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_');
