/** Follows references to values: one resolver for everything that a configuration refers to, so that a place is read once. */

import { isJsonObject } from '../model/json.ts';
import { nearestName } from '../model/nearest-name.ts';
import { Secret } from '../model/secret.ts';
import type { Logger } from '../telemetry/logger.ts';
import { LeasedSecret, type LeaseState, type LeaseTimes } from './leased-secret.ts';
import {
  nameOf,
  placeOf,
  type ReferenceKind,
  type SecretReference,
  type SecretSource,
  type StoreKind,
} from './secret-source.ts';
import { UnresolvedReferenceError, type Lease, type SecretStore } from './secret-store.ts';
import { createEnvStore } from './stores/env-store.ts';
import { createFileStore } from './stores/file-store.ts';

export type SecretResolverOptions = Pick<LeaseTimes, 'clockMs'> &
  Partial<LeaseTimes> & {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly logger: Logger;
    /** Beside the environment and files. */
    readonly stores?: Readonly<Partial<Record<StoreKind, SecretStore>>>;
    /** How often a file is looked at. */
    readonly checkMs?: number;
    /** A larger file is not a secret but a mistake. */
    readonly maxBytes?: number;
  };

export interface SecretResolver {
  /** The value now, prefix included. @throws UnresolvedReferenceError */
  resolve(source: SecretSource): Promise<string>;
  /** A server refused the value: the store is asked anew, by all who say so at once only once. Never throws. */
  reread(source: SecretSource): Promise<void>;
  /** How a reference stands that was followed before. */
  state(source: SecretSource): LeaseState | undefined;
  /** Of all that was read and has an end by its store's own word. */
  leases(): readonly LeaseState[];
  /** Why a store does not answer; undefined while it does. */
  away(kind: StoreKind): string | undefined;
  close(): Promise<void>;
}

/** More than a configuration names; a fault of ours must not grow without end. */
const MAX_PLACES = 5_000;

/** Looks on use alone need no timer; stores that a configuration adds do, and `after` comes with them. */
const NO_TIMER = (): (() => void) => () => undefined;

export interface SharedResolver extends SecretResolver {
  /**
   * Another over the same stores, which holds what it read by itself and gives it up when it is closed. Looks happen on use
   * alone: for what is one of very many, most of which nobody needs now.
   */
  apart(): SecretResolver;
}

export function createSecretResolver(options: SecretResolverOptions): SharedResolver {
  const { env, logger, clockMs, after = NO_TIMER, random = Math.random, stores = {}, ...limits } = options;
  const all: Stores = { ...stores, env: createEnvStore(env), file: createFileStore(limits) };
  const own = resolverOver(all, { logger, clockMs, after, random });
  return {
    ...own,
    apart: () => resolverOver(all, { logger, clockMs, after: NO_TIMER, random }),
    async close() {
      await own.close();
      await Promise.all(Object.values(all).map((store) => store.close()));
    },
  };
}

type Stores = Readonly<Partial<Record<ReferenceKind, SecretStore>>>;

function resolverOver(all: Stores, common: LeaseTimes & { readonly logger: Logger }): SecretResolver {
  const held = new Map<string, LeasedSecret>();

  const leasedAt = (source: SecretReference): LeasedSecret => {
    const { kind, place } = placeOf(source);
    const name = `${kind}:${place}`;
    const known = held.get(name);
    if (known !== undefined) return known;
    const store = all[kind];
    if (store === undefined) {
      throw new UnresolvedReferenceError(
        `${nameOf(source)} refers to a store that is not configured. Add secrets.${kind}.`,
      );
    }
    if (held.size >= MAX_PLACES) throw new UnresolvedReferenceError(`${name} is one reference too many.`);
    const lookOn = kind === 'env' || kind === 'file' ? 'use' : 'time';
    const leased = new LeasedSecret({ ...common, name, reference: place, store, lookOn });
    held.set(name, leased);
    return leased;
  };

  const states = (): readonly LeaseState[] => [...held.values()].flatMap((leased) => leased.state() ?? []);

  return {
    async resolve(source) {
      if (source.kind === 'literal') return source.value;
      return source.prefix + valueIn(await leasedAt(source).get(), source);
    },
    async reread(source) {
      if (source.kind !== 'literal') await leasedAt(source).reread();
    },
    state(source) {
      if (source.kind === 'literal') return undefined;
      const { kind, place } = placeOf(source);
      return held.get(`${kind}:${place}`)?.state();
    },
    leases: () => states().filter(({ leftMs }) => leftMs !== undefined),
    away(kind) {
      for (const [name, leased] of held)
        if (leased.away !== undefined && name.startsWith(`${kind}:`)) return leased.away;
      return undefined;
    },
    close() {
      for (const leased of held.values()) leased.close();
      return Promise.resolve();
    },
  };
}

function valueIn({ value }: Lease, source: SecretReference): string {
  const { field } = placeOf(source);
  if (value instanceof Secret) return field === undefined ? value.expose() : fieldOfJson(value.expose(), field, source);
  const found = field !== undefined && Object.hasOwn(value, field) ? value[field] : undefined;
  if (found !== undefined) return found.expose();
  throw noField(source, field, Object.keys(value));
}

/** What commands and AWS give out is a text; a field of it makes it a JSON object. */
function fieldOfJson(text: string, field: string, source: SecretReference): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Not as a cause: what a parser says quotes what it read.
    throw new UnresolvedReferenceError(`${nameOf(source)}: what is there is no JSON, so it has no field "${field}".`);
  }
  const found = isJsonObject(parsed) && Object.hasOwn(parsed, field) ? parsed[field] : undefined;
  if (typeof found === 'string' && found !== '') return found;
  if (typeof found === 'number' || typeof found === 'boolean') return String(found);
  throw noField(source, field, isJsonObject(parsed) ? Object.keys(parsed) : []);
}

function noField(
  source: SecretReference,
  field: string | undefined,
  known: readonly string[],
): UnresolvedReferenceError {
  const near = field === undefined ? undefined : nearestName(field, known);
  const hint =
    near === undefined ? `Known there: ${known.slice(0, 20).join(', ') || 'nothing'}.` : `Did you mean #${near}?`;
  return new UnresolvedReferenceError(
    field === undefined
      ? `${nameOf(source)} names no field. ${hint}`
      : `${nameOf(source)}: there is no field "${field}". ${hint}`,
  );
}
