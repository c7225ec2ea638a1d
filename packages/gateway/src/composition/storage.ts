/** What is remembered, and where: the stores that a configuration asks for. The gateway opens them all, commands the keys. */

import { randomBytes } from 'node:crypto';
import { setImmediate as yieldNow } from 'node:timers/promises';

import type { BodyStore } from '../audit/body-store.ts';
import { createApiKeyUses } from '../authn/api-key-uses.ts';
import type { ApiKeyStore } from '../authn/api-key-store.ts';
import type { KeyEventStore } from '../authn/key-event-store.ts';
import type { ApprovalStore } from '../authz/approval-store.ts';
import type { GrantStore } from '../credential/grant-rows.ts';
import { locateStorage } from '../config/compile.ts';
import type { Config, StorageConfig } from '../config/config.ts';
import { parseStorageUrl } from '../config/storage-url.ts';
import type { SecretResolver } from '../credential/secret-resolver.ts';
import { nameOf } from '../credential/secret-source.ts';
import { UnresolvedReferenceError } from '../credential/secret-store.ts';
import type { EndedSessions } from '../entrypoint/ended-sessions.ts';
import { Secret } from '../model/secret.ts';
import { createSealer } from '../seal/aead-sealer.ts';
import type { KeyRing } from '../seal/key-ring.ts';
import { createMemoryApiKeyStore } from '../storage/memory/memory-api-key-store.ts';
import { createMemoryApprovalStore } from '../storage/memory/memory-approval-store.ts';
import { createMemoryBodyStore } from '../storage/memory/memory-body-store.ts';
import { createMemoryGrantStore } from '../storage/memory/memory-grant-store.ts';
import { createPostgresBackend } from '../storage/postgres/postgres-backend.ts';
import { parsePostgresUrl } from '../storage/postgres/postgres-url.ts';
import type { Backend } from '../storage/sql/backend.ts';
import { createSqlApiKeyStore } from '../storage/sql/sql-api-key-store.ts';
import { createSqlApprovalStore, deleteOldApprovals, type TextSeal } from '../storage/sql/sql-approval-store.ts';
import { createSqlEndedSessions, deleteOldEndedSessions } from '../storage/sql/sql-ended-sessions.ts';
import { createSqlKeyEventStore } from '../storage/sql/sql-key-event-store.ts';
import { createSqlBodyStore } from '../storage/sql/sql-body-store.ts';
import { createSqlGrantStore } from '../storage/sql/sql-grant-store.ts';
import { SqlDatabase } from '../storage/sql/sql-database.ts';
import { createSqliteBackend } from '../storage/sqlite/sqlite-backend.ts';
import type { Logger } from '../telemetry/logger.ts';
import { systemClock } from '../upstream/clock.ts';

/** `storage.url` leads nowhere. The message says what to do; it never holds the URL. */
export class StorageConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(`storage.url: ${message}`, options);
    this.name = 'StorageConfigError';
  }
}

export type Storage = {
  readonly apiKeys: ApiKeyStore;
  readonly approvals: ApprovalStore;
  /** Undefined in memory, which no command can reach. */
  readonly keyEvents: KeyEventStore | undefined;
  readonly bodies: BodyStore;
  /** Undefined in memory, which no other replica can reach. */
  readonly endedSessions: EndedSessions | undefined;
  /** Tokens of people, sealed before they come here. */
  readonly grants: GrantStore;
  /** Costs next to nothing: uses are written together, about once a minute. */
  readonly noteUse: (id: string, usedAtMs: number) => void;
  /** The database's name for people; undefined when there is none. Holds no password. */
  readonly place: string | undefined;
  /** Why the database cannot be used; undefined while it can. */
  away(): string | undefined;
  /** Writes what is left, and closes. */
  close(): Promise<void>;
};

export type StorageParts = {
  readonly config: Config;
  readonly secrets: Pick<SecretResolver, 'resolve'>;
  readonly logger: Logger;
};

/** How long a start waits for the database: for another gateway's migrations, that is. One that is away says so sooner. */
const START_MS = 10_000;
/** For one piece of work while a call waits. */
const CALL_MS = 1_000;
const CLEAN_UP_EVERY_MS = 10 * 60_000;
/** Far longer than a gateway needs to hear of a revocation. */
const KEEP_REMOVALS_MS = 24 * 60 * 60_000;
/** So much for one clean-up: a heap of old ones is worked off over time. */
const BATCHES_AT_ONCE = 10;

/** Starts without a database that is away: what needs it is refused until it is there. @throws StorageConfigError */
export async function openStorage(parts: StorageParts, keyRing: KeyRing): Promise<Storage> {
  const { logger } = parts;
  const database = await openDatabase(parts);
  if (database === undefined) {
    logger.info({}, 'storage is memory: API keys and approvals end with this process');
    return withUses(createMemoryApiKeyStore(), createMemoryApprovalStore(), parts, {
      keyEvents: undefined,
      endedSessions: undefined,
      place: undefined,
      bodies: createMemoryBodyStore({ now: Date.now }),
      grants: createMemoryGrantStore(),
      away: () => undefined,
      close: () => Promise.resolve(),
    });
  }
  if (!(await database.ready(START_MS))) {
    logger.warn(
      { storage: database.place, reason: database.away },
      'started without its database: stored API keys and approvals are refused until it answers; configured keys work',
    );
  }
  const bodies = bodyStore(database, keyRing);
  const grants = createSqlGrantStore(database);
  const stopCleaning = cleanUp(database, { bodies, grants }, logger);
  const apiKeys = createSqlApiKeyStore(database, { actor: 'gateway', now: Date.now });
  return withUses(apiKeys, createSqlApprovalStore(database, textSeal(keyRing, 'approval')), parts, {
    keyEvents: createSqlKeyEventStore(database),
    endedSessions: createSqlEndedSessions(database),
    place: database.place,
    bodies,
    grants,
    away: () => database.away,
    close() {
      stopCleaning();
      return database.close();
    },
  });
}

function withUses(
  apiKeys: ApiKeyStore,
  approvals: ApprovalStore,
  { logger }: StorageParts,
  { close, ...others }: Pick<Storage, 'keyEvents' | 'endedSessions' | 'bodies' | 'grants' | 'place' | 'away' | 'close'>,
): Storage {
  const clockMs = (): number => systemClock.nowMs();
  const after = (delayMs: number, task: () => void): (() => void) => systemClock.after(delayMs, task);
  const uses = createApiKeyUses({ store: apiKeys, log: logger, clockMs, after });
  return {
    apiKeys,
    approvals,
    ...others,
    noteUse: (id, usedAtMs) => uses.note(id, usedAtMs),
    async close() {
      await uses.close();
      await close();
    },
  };
}

/** The database of a configuration, not opened yet; undefined for `memory:`. @throws StorageConfigError */
export async function openDatabase(parts: StorageParts, timeoutMs = CALL_MS): Promise<SqlDatabase | undefined> {
  const clockMs = (): number => systemClock.nowMs();
  const backend = await backendOf(parts, { clockMs, timeoutMs });
  return backend === undefined ? undefined : new SqlDatabase({ backend, logger: parts.logger, clockMs, timeoutMs });
}

type Times = { readonly clockMs: () => number; readonly timeoutMs: number };

async function backendOf(parts: StorageParts, { clockMs, timeoutMs }: Times): Promise<Backend | undefined> {
  const resolve = storagePlace(parts);
  const place = await resolve();
  if (place.kind === 'memory') return undefined;
  if (place.kind === 'sqlite') return createSqliteBackend({ file: place.file, clockMs });
  try {
    return createPostgresBackend({
      address: parsePostgresUrl(place.url),
      // Less than the whole: what the server says of it is worth more than that it did not answer.
      timeoutMs: 0.9 * timeoutMs,
      url: async () => {
        const now = await resolve();
        return now.kind === 'postgres' ? now.url : place.url;
      },
    });
  } catch (error) {
    throw new StorageConfigError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

export type StoragePlace =
  | Exclude<StorageConfig, { kind: 'reference' | 'postgres' }>
  | { readonly kind: 'postgres'; readonly url: Secret };

/** Where the configuration leads to now: a reference is followed each time. */
export function storagePlace({ config, secrets }: StorageParts): () => Promise<StoragePlace> {
  const { storage, directory } = config;
  return async () => {
    if (storage.kind === 'postgres') return { kind: 'postgres', url: new Secret(storage.url) };
    if (storage.kind !== 'reference') return storage;
    const name = nameOf(storage.source);
    let text: string;
    try {
      text = await secrets.resolve(storage.source);
    } catch (error) {
      if (error instanceof UnresolvedReferenceError) throw new StorageConfigError(error.message, { cause: error });
      throw error;
    }
    const parsed = parseStorageUrl(text);
    if (!parsed.ok) throw new StorageConfigError(`what ${name} holds ${parsed.error}`);
    const place = locateStorage(parsed.value, directory);
    if (place.kind === 'reference')
      throw new StorageConfigError(`${name} leads to another reference. Name a URL there.`);
    return place.kind === 'postgres' ? { kind: 'postgres', url: new Secret(place.url) } : place;
  };
}

/** Approvals and bodies have lives of their own; the seal must outlive the longest that `audit.bodies.keep` can say. */
const SEALED_MS = 11_000 * 24 * 60 * 60_000;
/** The largest arguments (`requests.maxBody`), escaped twice and in base64, and room to spare. */
const MAX_SEALED_BYTES = 64 * 1024 * 1024;

/** For commands as well, which open the database for a moment. */
export const bodyStore = (database: SqlDatabase, keyRing: KeyRing): BodyStore =>
  createSqlBodyStore(database, { seal: textSeal(keyRing, 'audit-body'), now: Date.now, yieldNow: () => yieldNow() });

function textSeal(keyRing: KeyRing, purpose: 'approval' | 'audit-body'): TextSeal {
  const sealer = createSealer(keyRing, {
    now: Date.now,
    randomBytes,
    rememberedSessions: 0,
    maxTokenBytes: MAX_SEALED_BYTES,
  });
  return {
    seal: (text) => sealer.seal(purpose, { text }, SEALED_MS),
    open(sealed) {
      const opened = sealer.open(purpose, sealed);
      return opened.ok && typeof opened.value['text'] === 'string' ? opened.value['text'] : undefined;
    },
  };
}

/** The returned function ends it. */
function cleanUp(
  database: SqlDatabase,
  { bodies, grants }: Pick<Storage, 'bodies' | 'grants'>,
  logger: Logger,
): () => void {
  const run = async (): Promise<void> => {
    try {
      for (let batch = 0; batch < BATCHES_AT_ONCE; batch += 1) {
        if (!(await deleteOldApprovals(database, Date.now()))) break;
      }
      for (let batch = 0; batch < BATCHES_AT_ONCE; batch += 1) {
        if (!(await bodies.deleteExpired(Date.now()))) break;
      }
      for (let batch = 0; batch < BATCHES_AT_ONCE; batch += 1) {
        if (!(await deleteOldEndedSessions(database, Date.now()))) break;
      }
      for (let batch = 0; batch < BATCHES_AT_ONCE; batch += 1) {
        if (!(await grants.removals.forget(Date.now() - KEEP_REMOVALS_MS))) break;
      }
    } catch (error) {
      logger.debug({ reason: String(error) }, 'what is old could not be deleted; tried again later');
    }
  };
  let cancel = (): void => {};
  const next = (): void => {
    cancel = systemClock.after(CLEAN_UP_EVERY_MS, () => {
      next();
      void run();
    });
  };
  next();
  return () => cancel();
}
