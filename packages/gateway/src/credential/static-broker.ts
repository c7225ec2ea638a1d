/**
 * The broker for credentials that the operator configured: the same for every caller, headers for HTTP servers and
 * environment variables for stdio ones. While nothing changed it answers with the same object, without any I/O.
 */

import { refuse } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import type { ServerId } from '../model/target.ts';
import type { Credential, CredentialBroker } from './broker.ts';
import type { SecretResolver } from './secret-resolver.ts';
import { UnresolvedReferenceError, type SecretSource } from './secret-source.ts';

export type CredentialSources = {
  readonly headers: Readonly<Record<string, SecretSource>>;
  readonly env: Readonly<Record<string, SecretSource>>;
};

export type StaticBrokerOptions = {
  /** Every server, also one that needs no credential. */
  readonly servers: Readonly<Record<ServerId, CredentialSources>>;
  readonly resolver: SecretResolver;
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
  /** For how long a resolved credential is used without looking at its files again. */
  readonly checkMs?: number;
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
};

/** References are followed at the first call, not before: a server whose secret is missing disables only itself. */
export function createStaticBroker(options: StaticBrokerOptions): CredentialBroker {
  const { clockMs, checkMs = 1000 } = options;
  const held = new Map(Object.entries(options.servers).map(([id, sources]) => [id, emptyHeld(sources)]));
  return {
    obtain(_principal, server, signal) {
      const of = held.get(server);
      if (of === undefined)
        throw refuse('server-unavailable', { message: `The server ${server} has no credential entry.` });
      if (of.credential !== undefined && (of.constant || clockMs() - of.checkedMs < checkMs)) return of.credential;
      if (signal.aborted) throw refuse('cancelled');
      of.resolving ??= resolve(server, of, options).finally(() => {
        delete of.resolving;
      });
      return untilAborted(of.resolving, signal);
    },
  };
}

const emptyHeld = (sources: CredentialSources): Held => ({
  sources,
  constant: ![...Object.values(sources.headers), ...Object.values(sources.env)].some(({ kind }) => kind === 'file'),
  changes: 0,
  checkedMs: -Infinity,
});

async function resolve(server: ServerId, held: Held, { resolver, clockMs }: StaticBrokerOptions): Promise<Credential> {
  try {
    const values: Values = {
      headers: await resolveAll(held.sources.headers, resolver, assertHeaderValue),
      env: await resolveAll(held.sources.env, resolver, assertVariableValue),
    };
    held.checkedMs = clockMs();
    if (held.credential !== undefined && isSame(values, held.values)) return held.credential;
    held.values = values;
    held.changes++;
    held.credential = {
      kind: kindOf(held.sources),
      version: `${server}/${held.changes}`,
      headers: Object.freeze(asSecrets(values.headers)),
      env: Object.freeze(asSecrets(values.env)),
    };
    return held.credential;
  } catch (error) {
    if (!(error instanceof UnresolvedReferenceError)) throw error;
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
  resolver: SecretResolver,
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
function untilAborted(credential: Promise<Credential>, signal: AbortSignal): Promise<Credential> {
  return new Promise((resolved, reject) => {
    const abort = (): void => reject(refuse('cancelled'));
    signal.addEventListener('abort', abort, { once: true });
    credential.then(resolved, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
