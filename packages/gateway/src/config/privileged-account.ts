/**
 * Accounts that may do everything, by the names that products give them: what a tool is called with should be able to do what
 * its tools do, and no more. Pure; a password is never part of what is found.
 */

/** In lower case. */
const ADMINISTRATORS: ReadonlySet<string> = new Set(
  (
    'root admin administrator superuser sysadmin dba dbadmin master postgres rdsadmin cloudsqlsuperuser azure_superuser ' +
    'sa sys system mysql elastic neo4j'
  ).split(' '),
);

/** User of a URL (`postgres://root:…@db`), of a DSN (`root:…@tcp(db)/x`), and of keys and values (`User ID=sa;…`). */
const USERS = [
  /[a-z][a-z0-9+.-]*:\/\/(?<user>[^:@/?#\s]+)(?::[^@/\s]*)?@/gi,
  /^(?<user>[^:@/\s]+)(?::\S*)?@(?:tcp|unix)\(/gi,
  /(?:^|[\s;?&])(?:user(?: id|name)?|uid)\s*=\s*["']?(?<user>[^\s;&"']+)/gi,
];

const USER_NAME = /(?:^|[-_])(?:user|username|login|uid)$|^pguser$/i;
const USER_FLAG = /^(?:-u|-U|--?(?:[a-z]+-)*(?:user|username|login|uid))$/;

/** Longer texts are not looked at. */
const MAX_LENGTH = 4_096;

const asAdministrator = (user: string): string | undefined => {
  const name = user.toLowerCase();
  return ADMINISTRATORS.has(name) ? name : undefined;
};

/** The administrator that a connection text names. */
export function administratorIn(text: string): string | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  for (const pattern of USERS) {
    for (const { groups } of text.matchAll(pattern)) {
      const found = asAdministrator(groups?.['user'] ?? '');
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** The same of a header or variable, whose name may say that its value is a user. */
export const administratorOf = (name: string, value: string): string | undefined =>
  administratorIn(value) ?? (USER_NAME.test(name) ? asAdministrator(value.trim()) : undefined);

/** The same of a command line: `-u root`, `--user=postgres`, or a connection text in an argument. */
export function administratorInArguments(args: readonly string[]): string | undefined {
  for (const [index, argument] of args.entries()) {
    const equals = argument.indexOf('=');
    const flag = equals === -1 ? argument : argument.slice(0, equals);
    const user = equals === -1 ? args[index + 1] : argument.slice(equals + 1);
    const found =
      administratorIn(argument) ??
      (USER_FLAG.test(flag) && user !== undefined ? asAdministrator(user) : undefined) ??
      (equals === -1 ? undefined : administratorOf(flag, user ?? ''));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A scope with one of these as a part is as good as many: `crm:*`, `repo.full_access`. */
const BROAD: ReadonlySet<string> = new Set(
  '* all full full_access full-access sudo root admin administrator superuser owner'.split(' '),
);

const isBroad = (scope: string): boolean =>
  scope
    .toLowerCase()
    .split(/[:./]/)
    .some((part) => BROAD.has(part));

/** Of scopes that are asked for, those that reach too far. */
export const broadOf = (scopes: readonly string[]): readonly string[] => scopes.filter(isBroad);

/** Of the scopes that a token says it has (RFC 9068: `scope`; others: `scp`, `roles`), those that reach too far. */
export function broadScopes(token: string): readonly string[] {
  const payload = /(?:^|\s)[A-Za-z0-9_-]+\.([A-Za-z0-9_-]{1,16384})\.[A-Za-z0-9_-]*$/.exec(token)?.[1];
  if (payload === undefined) return [];
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    if (typeof claims !== 'object' || claims === null) return [];
    return Object.entries(claims)
      .filter(([name]) => name === 'scope' || name === 'scp' || name === 'roles')
      .flatMap(([, value]): unknown[] =>
        typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [],
      )
      .filter((scope): scope is string => typeof scope === 'string' && scope.length <= 200 && isBroad(scope));
  } catch {
    return [];
  }
}
