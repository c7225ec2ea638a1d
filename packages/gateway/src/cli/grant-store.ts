/** The tokens of people that a configuration keeps, for commands: the database is opened for the time of one command. */

import { composeSecrets } from '../composition/secrets.ts';
import { openDatabase, StorageConfigError } from '../composition/storage.ts';
import { composeVault } from '../composition/grants.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { GrantIssuer, GrantKey } from '../credential/grant.ts';
import { createEgress } from '../egress/egress.ts';
import { grantIssuers } from '../composition/oauth-sites.ts';
import type { Envelope } from '../credential/envelope.ts';
import type { GrantStore } from '../credential/grant-rows.ts';
import { WrappingKeyError } from '../credential/key-wrapper.ts';
import { VaultError } from '../credential/stores/vault-request.ts';
import type { SealedGrantVault } from '../credential/sealed-grant-vault.ts';
import { KeyRingError } from '../seal/key-ring.ts';
import { createSqlGrantStore } from '../storage/sql/sql-grant-store.ts';
import { StorageError, type SqlDatabase } from '../storage/sql/sql-database.ts';
import type { Logger } from '../telemetry/logger.ts';
import { CommandError } from './command.ts';
import { EXIT } from './exit-code.ts';
import { userName } from './key-store.ts';

export type OpenGrants = {
  readonly database: SqlDatabase;
  readonly store: GrantStore;
  readonly envelope: Envelope;
  readonly vault: SealedGrantVault;
  readonly issuerOf: (key: GrantKey) => GrantIssuer | undefined;
  /** Who the record will say that it was. */
  readonly actor: string;
};

const OPEN_MS = 15_000;
/** A person waits, and no call does. */
const COMMAND_MS = 30_000;
const VAULT_HINT = 'It is credentials.transit at secrets.vault; begin again when it answers. Nothing was deleted.';
const HINT = 'It is the storage.url of the configuration; docs/storage-and-keys.md explains it.';

/** What a command has to say it says itself. */
const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** @throws CommandError */
export async function withGrants<T>(
  { config, env }: LoadedConfig,
  task: (grants: OpenGrants) => Promise<T>,
): Promise<T> {
  const secrets = composeSecrets({ config, env, logger: SILENT });
  const egress = createEgress();
  let database: SqlDatabase | undefined;
  try {
    database = await openDatabase({ config, secrets, logger: SILENT }, COMMAND_MS);
    if (database === undefined) {
      throw new CommandError(
        'This configuration keeps grants in the memory of its gateway (storage.url is memory:), out of reach of this command.',
        EXIT.usage,
        'They end with the gateway: restart it to be rid of them all, or use DELETE /api/v1/credentials.',
      );
    }
    if (!(await database.ready(OPEN_MS))) {
      throw new CommandError(`${database.place} cannot be used: ${database.away}`, EXIT.unreachable, HINT);
    }
    const actor = `cli:${userName()}`;
    const store = createSqlGrantStore(database, { actor });
    return await task({
      database,
      store,
      actor,
      issuerOf: grantIssuers(config, {
        publicUrl: config.publicUrl,
        egress,
        resolve: (value) => secrets.resolve(value),
      }),
      ...composeVault({ config: config.credentials, store, secrets, logger: SILENT }),
    });
  } catch (error) {
    if (error instanceof KeyRingError || error instanceof WrappingKeyError) {
      throw new CommandError(error.message, EXIT.failed, undefined, error);
    }
    if (error instanceof VaultError) {
      throw new CommandError(
        `The key of people's tokens cannot be used: ${error.message}.`,
        EXIT.unreachable,
        VAULT_HINT,
        error,
      );
    }
    if (error instanceof StorageConfigError) throw new CommandError(error.message, EXIT.failed, HINT, error);
    if (error instanceof StorageError) throw new CommandError(error.message, EXIT.unreachable, HINT, error);
    throw error;
  } finally {
    await database?.close();
    await egress.close();
    await secrets.close();
  }
}
