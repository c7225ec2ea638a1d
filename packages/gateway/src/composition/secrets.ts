/** The one resolver of everything that a configuration refers to, and the stores behind it: a row for each. */

import { readFileSync } from 'node:fs';

import type { Config } from '../config/config.ts';
import type { ReferenceConfig, StoreKind, ValueConfig } from '../config/secrets-config.ts';
import type { Environment } from '../config/load.ts';
import { createSecretResolver, type SecretResolver, type SharedResolver } from '../credential/secret-resolver.ts';
import { UnresolvedReferenceError, type SecretStore } from '../credential/secret-store.ts';
import { createAwsStore } from '../credential/stores/aws-store.ts';
import { createExecStore } from '../credential/stores/exec-store.ts';
import type { VaultAuth } from '../credential/stores/vault-auth.ts';
import { createVaultClient, type VaultClient } from '../credential/stores/vault-client.ts';
import { createVaultStore } from '../credential/stores/vault-store.ts';
import { createEgress, type Egress } from '../egress/egress.ts';
import type { Logger } from '../telemetry/logger.ts';
import { systemClock } from '../upstream/clock.ts';

export type SecretsParts = {
  readonly config: Pick<Config, 'secrets' | 'directory'>;
  readonly env: Environment;
  readonly logger: Logger;
};

export type Secrets = SharedResolver & {
  /** Undefined where none is configured. */
  readonly vault: Pick<VaultClient, 'request'> | undefined;
  /** The stores beside environment and files. */
  readonly kinds: readonly StoreKind[];
};

/** A store for each section that is there. Nothing is asked before something refers to it. */
export function composeSecrets(parts: SecretsParts): Secrets {
  const { config, env, logger } = parts;
  const clockMs = (): number => systemClock.nowMs();
  const time = { clockMs, after: systemClock.after.bind(systemClock), random: Math.random };
  // What opens a store lies in the environment, in a file, or is printed by a command: never in a store that it opens.
  const variables = createSecretResolver({ env, logger, clockMs });
  const execStore = createExecStore(commandsOf(parts, variables));
  const openers = createSecretResolver({ env, logger, ...time, stores: { exec: execStore } });
  const opened: { close(): Promise<void> }[] = [openers];
  const reach = (ca?: string): Egress => {
    const egress = createEgress({ connectionsPerOrigin: CONNECTIONS, ...(ca === undefined ? {} : { ca }) });
    opened.push(egress);
    return egress;
  };
  const stores: Partial<Record<StoreKind, SecretStore>> = {};
  const { vault: vaultConfig, 'aws-sm': aws, exec } = config.secrets;
  if (Object.keys(exec).length > 0) stores.exec = execStore;
  let vault: VaultClient | undefined;
  if (vaultConfig !== undefined) {
    const { caFile, cacheMs, keepMs, address, namespace, timeoutMs } = vaultConfig;
    vault = createVaultClient({
      address,
      ...(namespace === undefined ? {} : { namespace }),
      timeoutMs,
      auth: authOf(vaultConfig.auth, openers),
      egress: reach(caFile === undefined ? undefined : readAuthorities(caFile)),
      logger,
      clockMs,
    });
    stores.vault = createVaultStore({ client: vault, cacheMs, keepMs });
  }
  if (aws !== undefined) {
    const { accessKeyId, secretAccessKey, sessionToken, ...rest } = aws;
    const keys = async () => ({
      accessKeyId: await openers.resolve(accessKeyId),
      secretAccessKey: await openers.resolve(secretAccessKey),
      ...(sessionToken === undefined ? {} : { sessionToken: await openers.resolve(sessionToken) }),
    });
    stores['aws-sm'] = createAwsStore({ ...rest, keys, egress: reach(), now: Date.now });
  }
  const resolver = createSecretResolver({ env, logger, ...time, stores });
  return {
    ...resolver,
    state: (source) => resolver.state(source) ?? openers.state(source) ?? variables.state(source),
    vault,
    kinds: KINDS.filter((kind) => stores[kind] !== undefined),
    async close() {
      await resolver.close();
      await Promise.all(opened.map((one) => one.close()));
    },
  };
}

const KINDS: readonly StoreKind[] = ['exec', 'vault', 'aws-sm'];

/** Reads go one by one for each place; this is for many places at once. */
const CONNECTIONS = 16;

/** `secrets` names something that cannot be had. The message says what to do. */
export class SecretsConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SecretsConfigError';
  }
}

/** Once, at the start: without its authority nothing can be asked. */
function readAuthorities(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SecretsConfigError(`secrets.vault.ca: ${file} cannot be read. Put the authority's certificate there.`, {
      cause,
    });
  }
}

type Resolve = Pick<SecretResolver, 'resolve'>;

function commandsOf({ config, env }: SecretsParts, { resolve }: Resolve): Parameters<typeof createExecStore>[0] {
  return Object.fromEntries(
    Object.entries(config.secrets.exec).map(([name, { env: wanted, ...command }]) => [
      name,
      {
        ...command,
        cwd: config.directory,
        env: async () => ({ ...basics(env), ...(await resolveAll(name, wanted, { resolve })) }),
      },
    ]),
  );
}

/** Nearly every program looks for others in the one and for its settings in the other. */
function basics(env: Environment): Record<string, string> {
  const { PATH, HOME } = env;
  return { ...(PATH === undefined ? {} : { PATH }), ...(HOME === undefined ? {} : { HOME }) };
}

async function resolveAll(
  name: string,
  values: Readonly<Record<string, ValueConfig>>,
  { resolve }: Resolve,
): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for (const [variable, value] of Object.entries(values)) {
    try {
      all[variable] = await resolve(value);
    } catch (error) {
      if (!(error instanceof UnresolvedReferenceError)) throw error;
      throw new UnresolvedReferenceError(`secrets.exec.${name}.env.${variable}: ${error.message}`, { cause: error });
    }
  }
  return all;
}

type AuthConfig = NonNullable<Config['secrets']['vault']>['auth'];

/** Asked at each log-in: files with tokens are replaced from time to time. */
function authOf(auth: AuthConfig, openers: Resolve): VaultAuth {
  const later = (value: ValueConfig | ReferenceConfig) => (): Promise<string> => openers.resolve(value);
  switch (auth.method) {
    case 'token':
      return { method: 'token', token: later(auth.token) };
    case 'approle': {
      const { method, mount, roleId, secretId } = auth;
      return { method, mount, roleId: later(roleId), secretId: secretId === undefined ? undefined : later(secretId) };
    }
    default:
      return { method: auth.method, mount: auth.mount, role: auth.role, jwt: later(auth.jwt) };
  }
}
