/**
 * The broker for credentials that the operator configured: the same for every caller, headers for HTTP servers and
 * environment variables for stdio ones. While nothing changed it answers with the same object, without any I/O.
 */

import { refuse } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import type { ServerId } from '../model/target.ts';
import type { Credential, CredentialBroker } from './broker.ts';
import type { CredentialReport, CredentialSource } from './credential-report.ts';
import type { SecretResolver } from './secret-resolver.ts';
import { nameOf, type SecretReference, type SecretSource } from './secret-source.ts';
import { UnresolvedReferenceError } from './secret-store.ts';
import { tokenExpiryMs, tokenScopes } from './token-claims.ts';

export type CredentialSources = {
  readonly headers: Readonly<Record<string, SecretSource>>;
  readonly env: Readonly<Record<string, SecretSource>>;
};

export type StaticBrokerOptions = {
  /** Every server, also one that needs no credential. */
  readonly servers: Readonly<Record<ServerId, CredentialSources>>;
  readonly resolver: Pick<SecretResolver, 'resolve' | 'reread' | 'state'>;
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
  /** Milliseconds since the epoch: for reports. */
  readonly now: () => number;
  /** For how long a resolved credential is used without looking at its files again. */
  readonly checkMs?: number;
  /** Where it is one of many for the same server: what it is, and what its versions begin with. */
  readonly as?: { readonly kind: Credential['kind']; readonly version: string };
};

type Values = { readonly headers: Readonly<Record<string, string>>; readonly env: Readonly<Record<string, string>> };

type Held = {
  readonly sources: CredentialSources;
  /** Nothing of it can change: literals and environment variables only. */
  readonly constant: boolean;
  values?: Values;
  credential?: Credential;
  /** Counts the changes: a version that were made from the value would tell something about it. */
  changes: number;
  checkedMs: number;
  resolving?: Promise<Credential>;
  obtainedAtMs?: number;
  usedAtMs?: number;
  failure?: { readonly atMs: number; readonly reason: string };
  /** It cannot be had now. */
  isMissing?: boolean;
};

/** References are followed at the first call, not before: a server whose secret is missing disables only itself. */
export function createStaticBroker(options: StaticBrokerOptions): CredentialBroker & CredentialSource {
  const { clockMs, now, resolver, checkMs = 1000 } = options;
  const held = new Map(Object.entries(options.servers).map(([id, sources]) => [id, emptyHeld(sources)]));

  const resolved = (server: ServerId, of: Held): Promise<Credential> =>
    (of.resolving ??= resolve(server, of, options).finally(() => {
      delete of.resolving;
    }));

  return {
    obtain(_principal, server, signal) {
      const of = held.get(server);
      if (of === undefined)
        throw refuse('server-unavailable', { message: `The server ${server} has no credential entry.` });
      of.usedAtMs = clockMs();
      if (of.credential !== undefined && (of.constant || of.usedAtMs - of.checkedMs < checkMs)) return of.credential;
      if (signal.aborted) throw refuse('cancelled');
      return untilAborted(resolved(server, of), signal);
    },

    async replace(refused, { server }, signal) {
      const of = held.get(server);
      if (of === undefined || signal.aborted) return false;
      of.failure = { atMs: now(), reason: 'The server refused it (401 or 403).' };
      // Somebody else found another one while this call was on its way.
      if (of.credential !== refused) return of.credential !== undefined;
      if (of.constant) return false;
      try {
        await untilAborted(Promise.all(referencesOf(of.sources).map((source) => resolver.reread(source))), signal);
        return (await untilAborted(resolved(server, of), signal)) !== refused;
      } catch {
        // It said why when it was looked for; the call ends with the server's own word.
        return false;
      }
    },

    report: () => [...held].flatMap(([server, of]) => rowOf(server, of, options)),
  };
}

const referencesOf = ({ headers, env }: CredentialSources): readonly SecretReference[] =>
  [...Object.values(headers), ...Object.values(env)].filter((source) => source.kind !== 'literal');

/** None for a server without secrets. */
function rowOf(
  server: ServerId,
  of: Held,
  { resolver, clockMs, now }: StaticBrokerOptions,
): readonly CredentialReport[] {
  const sources = referencesOf(of.sources);
  if (sources.length === 0) return [];
  const toEpochMs = now() - clockMs();
  const leases = sources.flatMap((source) => resolver.state(source) ?? []);
  const left = leases.flatMap(({ leftMs }) => leftMs ?? []);
  const ends = [...left.map((leftMs) => now() + leftMs), ...endsOfTokens(of.values)];
  const scopes = valuesOf(of.values).flatMap((value) => tokenScopes(value) ?? []);
  const failing = leases.find((lease) => lease.failing !== undefined)?.failing;
  return [
    {
      owner: 'operator',
      server,
      kind: kindOf(of.sources),
      references: sources.map(nameOf),
      ...(scopes.length === 0 ? {} : { scopes: [...new Set(scopes)] }),
      state:
        of.isMissing === true
          ? 'missing'
          : failing !== undefined
            ? 'failing'
            : of.credential === undefined
              ? 'unused'
              : 'good',
      ...(of.credential === undefined ? {} : { version: of.credential.version }),
      ...(of.obtainedAtMs === undefined ? {} : { obtainedAtMs: of.obtainedAtMs }),
      ...(ends.length === 0 ? {} : { expiresAtMs: Math.round(Math.min(...ends)) }),
      ...(of.usedAtMs === undefined ? {} : { lastUsedAtMs: Math.round(of.usedAtMs + toEpochMs) }),
      ...lastFailure(of, failing, now()),
    },
  ];
}

function lastFailure(
  { failure }: Held,
  failing: string | undefined,
  nowMs: number,
): Pick<CredentialReport, 'lastFailure'> {
  if (failing !== undefined) return { lastFailure: { atMs: nowMs, reason: failing } };
  return failure === undefined ? {} : { lastFailure: failure };
}

/** Tokens say themselves when they end. */
const endsOfTokens = (values: Values | undefined): readonly number[] =>
  valuesOf(values).flatMap((value) => tokenExpiryMs(value) ?? []);

const valuesOf = (values: Values | undefined): readonly string[] => [
  ...Object.values(values?.headers ?? {}),
  ...Object.values(values?.env ?? {}),
];

const emptyHeld = (sources: CredentialSources): Held => ({
  sources,
  constant: referencesOf(sources).every(({ kind }) => kind === 'env'),
  changes: 0,
  checkedMs: -Infinity,
});

async function resolve(
  server: ServerId,
  held: Held,
  { resolver, clockMs, now, as }: StaticBrokerOptions,
): Promise<Credential> {
  try {
    const values: Values = {
      headers: await resolveAll(held.sources.headers, resolver, assertHeaderValue),
      env: await resolveAll(held.sources.env, resolver, assertVariableValue),
    };
    held.checkedMs = clockMs();
    held.isMissing = false;
    if (held.credential !== undefined && isSame(values, held.values)) return held.credential;
    held.values = values;
    held.changes++;
    held.obtainedAtMs = now();
    held.credential = {
      kind: as?.kind ?? kindOf(held.sources),
      version: `${as?.version ?? server}/${held.changes}`,
      headers: Object.freeze(asSecrets(values.headers)),
      env: Object.freeze(asSecrets(values.env)),
    };
    return held.credential;
  } catch (error) {
    if (!(error instanceof UnresolvedReferenceError)) throw error;
    held.isMissing = true;
    held.failure = { atMs: now(), reason: error.message };
    throw refuse('server-unavailable', {
      message: `The credential of the server ${server} is not available: ${error.message}`,
      cause: error,
    });
  }
}

/** A plain value is a setting, not a credential. */
function kindOf({ headers, env }: CredentialSources): Credential['kind'] {
  const isSecret = ({ kind }: SecretSource): boolean => kind !== 'literal';
  if (Object.values(headers).some(isSecret)) return 'headers';
  return Object.values(env).some(isSecret) ? 'environment' : 'none';
}

async function resolveAll(
  sources: Readonly<Record<string, SecretSource>>,
  resolver: Pick<SecretResolver, 'resolve'>,
  assertValue: (name: string, value: string) => void,
): Promise<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const [name, source] of Object.entries(sources)) {
    const value = await resolver.resolve(source);
    assertValue(name, value);
    values[name] = value;
  }
  return values;
}

/** RFC 9110, 5.5: no control characters but tab. A line break would begin a header of its own. */
// oxlint-disable-next-line no-control-regex
const NOT_IN_HEADERS = /[\u0000-\u0008\u000a-\u001f\u007f]|[^\u0000-\u00ff]/;

function assertHeaderValue(name: string, value: string): void {
  if (!NOT_IN_HEADERS.test(value)) return;
  throw new UnresolvedReferenceError(
    `The value for the header ${name} holds a line break or another character that no header may carry.`,
  );
}

function assertVariableValue(name: string, value: string): void {
  if (!value.includes('\0')) return;
  throw new UnresolvedReferenceError(`The value for the variable ${name} holds a NUL character.`);
}

const asSecrets = (values: Readonly<Record<string, string>>): Record<string, Secret> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, new Secret(value)]));

const isSame = (left: Values, right: Values | undefined): boolean =>
  right !== undefined && equalRecords(left.headers, right.headers) && equalRecords(left.env, right.env);

const equalRecords = (left: Readonly<Record<string, string>>, right: Readonly<Record<string, string>>): boolean =>
  Object.entries(left).every(([name, value]) => right[name] === value);

/** A file system that hangs holds up the credential, not the caller who went away. */
function untilAborted<T>(credential: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolved, reject) => {
    const abort = (): void => reject(refuse('cancelled'));
    signal.addEventListener('abort', abort, { once: true });
    credential.then(resolved, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
