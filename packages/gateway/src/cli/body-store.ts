/** The bodies that a configuration keeps, for commands: database and key ring are opened for the time of one command. */

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';

import type { BodyStore } from '../audit/body-store.ts';
import { composeSecrets } from '../composition/secrets.ts';
import { bodyStore, openDatabase, StorageConfigError } from '../composition/storage.ts';
import type { LoadedConfig } from '../config/load.ts';
import { KeyRingError, loadKeyRing } from '../seal/key-ring.ts';
import { StorageError, type SqlDatabase } from '../storage/sql/sql-database.ts';
import type { Logger } from '../telemetry/logger.ts';
import { CommandError } from './command.ts';
import { EXIT } from './exit-code.ts';

export type OpenBodies = { readonly store: BodyStore; readonly database: SqlDatabase };

const OPEN_MS = 15_000;
/** A person waits, and no call does. */
const COMMAND_MS = 30_000;
const HINT = 'It is the storage.url of the configuration; docs/storage-and-keys.md explains it.';

/** What a command has to say it says itself. */
const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** @throws CommandError */
export async function withBodies<T>(
  { config, env }: LoadedConfig,
  task: (bodies: OpenBodies) => Promise<T>,
): Promise<T> {
  const secrets = composeSecrets({ config, env, logger: SILENT });
  let database: SqlDatabase | undefined;
  try {
    // Loading makes a new ring where there is none; with that, nothing could be opened.
    if (!existsSync(config.keys.file)) {
      throw new CommandError(`There is no key ring ${config.keys.file}.`, EXIT.failed, 'Bodies are sealed under it.');
    }
    const keyRing = await loadKeyRing({ file: config.keys.file, randomBytes });
    database = await openDatabase({ config, secrets, logger: SILENT }, COMMAND_MS);
    if (database === undefined) {
      const message =
        'This configuration keeps bodies in the memory of its gateway (storage.url is memory:), out of reach.';
      throw new CommandError(message, EXIT.usage);
    }
    if (!(await database.ready(OPEN_MS))) {
      throw new CommandError(`${database.place} cannot be used: ${database.away}`, EXIT.unreachable, HINT);
    }
    return await task({ store: bodyStore(database, keyRing), database });
  } catch (error) {
    if (error instanceof KeyRingError) throw new CommandError(error.message, EXIT.failed, undefined, error);
    if (error instanceof StorageConfigError) throw new CommandError(error.message, EXIT.failed, HINT, error);
    if (error instanceof StorageError) throw new CommandError(error.message, EXIT.unreachable, HINT, error);
    throw error;
  } finally {
    await database?.close();
    await secrets.close();
  }
}
