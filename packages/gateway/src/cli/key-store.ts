/** The API keys that a configuration keeps, for commands: the store is opened for the time of one command. */

import os from 'node:os';

import type { ApiKeyStore } from '../authn/api-key-store.ts';
import { composeSecrets } from '../composition/secrets.ts';
import { openDatabase, StorageConfigError } from '../composition/storage.ts';
import type { LoadedConfig } from '../config/load.ts';
import { createSqlApiKeyStore } from '../storage/sql/sql-api-key-store.ts';
import { StorageError, type SqlDatabase } from '../storage/sql/sql-database.ts';
import type { Logger } from '../telemetry/logger.ts';
import { CommandError, TYPED } from './command.ts';
import { EXIT } from './exit-code.ts';

export type OpenKeys = { readonly store: ApiKeyStore; readonly place: string };

/** Another process may be making the database at this moment. */
const OPEN_MS = 15_000;

/** A person waits, and no call does. */
const COMMAND_MS = 10_000;

const HINT = 'It is the storage.url of the configuration; docs/storage-and-keys.md explains it.';

/** What a command has to say it says itself. */
const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** `task` gets undefined when the configuration keeps everything in memory. @throws CommandError */
export async function withKeys<T>(
  { config, env }: LoadedConfig,
  task: (keys: OpenKeys | undefined) => Promise<T>,
): Promise<T> {
  const secrets = composeSecrets({ config, env, logger: SILENT });
  let database: SqlDatabase | undefined;
  try {
    database = await openDatabase({ config, secrets, logger: SILENT }, COMMAND_MS);
    if (database === undefined) return await task(undefined);
    if (!(await database.ready(OPEN_MS))) {
      throw new CommandError(`${database.place} cannot be used: ${database.away}`, EXIT.unreachable, HINT);
    }
    const store = createSqlApiKeyStore(database, { actor: `cli:${userName()}`, now: Date.now });
    return await task({ store, place: database.place });
  } catch (error) {
    if (error instanceof StorageConfigError) throw new CommandError(error.message, EXIT.failed, HINT, error);
    if (error instanceof StorageError) throw new CommandError(error.message, EXIT.unreachable, HINT, error);
    throw error;
  } finally {
    await database?.close();
    await secrets.close();
  }
}

/** The same for a change: memory cannot be reached from outside of its process. @throws CommandError */
export const withStoredKeys = <T>(
  loaded: LoadedConfig,
  name: string,
  task: (keys: OpenKeys) => Promise<T>,
): Promise<T> =>
  withKeys(loaded, (keys) => {
    if (keys !== undefined) return task(keys);
    throw new CommandError(
      'This configuration keeps API keys in the memory of its gateway (storage.url is memory:), out of reach of this command.',
      EXIT.usage,
      `Type: ${TYPED} key create ${name} --print-config, and put the line into the configuration.`,
    );
  });

/** A user without a name (a container's random uid) is a number. */
export function userName(): string {
  try {
    return os.userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

/** Whose key it is, as policies see its owner. */
export type KeyOwner = { readonly name: string; readonly groups: readonly string[]; readonly tenant: string };

/** The owner of the good API key of a name, wherever it is kept, and the names there are. @throws CommandError */
export async function findKeyOwner(
  loaded: LoadedConfig,
  name: string,
): Promise<{ readonly owner: KeyOwner | undefined; readonly names: readonly string[] }> {
  const { apiKeys } = loaded.config.identity;
  const configured = apiKeys.find((key) => key.name === name);
  if (configured !== undefined) return { owner: configured, names: [] };
  const stored = await withKeys(loaded, async (keys) => (await keys?.store.list()) ?? []);
  const good = stored.filter(({ revokedAtMs }) => revokedAtMs === undefined);
  const names = [...new Set([...apiKeys, ...good].map((key) => key.name))];
  return { owner: good.find((key) => key.name === name), names };
}
