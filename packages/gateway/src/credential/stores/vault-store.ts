/**
 * `vault:path#field`: HashiCorp Vault and OpenBao. A KV secret (version 2 has its values one level deeper) is looked at from time
 * to time; what is made for us (database/creds/…) comes with a lease, which is renewed as long as it may be, and is then
 * replaced before it ends, so that what was made before serves calls in flight.
 */

import { isJsonObject, type JsonObject } from '../../model/json.ts';
import { Secret } from '../../model/secret.ts';
import { UnresolvedReferenceError, type Lease, type SecretStore } from '../secret-store.ts';
import type { VaultClient } from './vault-client.ts';
import { VaultError } from './vault-request.ts';

export type VaultStoreOptions = {
  readonly client: VaultClient;
  /** Of values without a lease. */
  readonly cacheMs: number;
  readonly keepMs: number;
};

/** A lease is looked after when a third of it is left. */
const LOOK_AT = 2 / 3;
/** However short a lease is. */
const MIN_LOOK_MS = 500;

type Granted = { readonly id: string; readonly firstMs: number };

export function createVaultStore({ client, cacheMs, keepMs }: VaultStoreOptions): SecretStore {
  /** By the lease that we gave out: the id would let whoever reads it revoke or renew. */
  const granted = new WeakMap<Lease, Granted>();

  const read = async (path: string, signal: AbortSignal): Promise<Lease> => {
    const answer = await asked(path, () => client.request({ method: 'GET', path }, signal));
    const { values, version } = valuesOf(path, answer);
    const id = answer?.['lease_id'];
    const seconds = answer?.['lease_duration'];
    // KV version 1 tells a duration without a lease: that of the engine, which ends nothing.
    if (typeof id !== 'string' || id === '' || typeof seconds !== 'number' || seconds <= 0) {
      return { value: values, checkAfterMs: cacheMs, lastsMs: keepMs, ...(version === undefined ? {} : { version }) };
    }
    const lease = leaseOf(values, seconds * 1000);
    if (answer?.['renewable'] === true) granted.set(lease, { id, firstMs: seconds * 1000 });
    return lease;
  };

  const renew = async (path: string, lease: Lease, signal: AbortSignal): Promise<Lease> => {
    const known = granted.get(lease);
    if (known === undefined) return read(path, signal);
    const body = { lease_id: known.id, increment: Math.round(known.firstMs / 1000) };
    let lastsMs = 0;
    try {
      const answer = await client.request({ method: 'POST', path: 'sys/leases/renew', body }, signal);
      lastsMs = Number(answer?.['lease_duration'] ?? 0) * 1000;
    } catch (error) {
      // Away: it goes on until its end. Anything else: the lease cannot be renewed, and another is asked for.
      if (error instanceof VaultError && (error.status === 0 || error.status >= 500)) throw explained(path, error);
    }
    // Near its longest life less and less is granted. A new one now, while the old one serves what is under way.
    if (lastsMs < known.firstMs / 2) return read(path, signal);
    const renewed = leaseOf(lease.value, lastsMs);
    granted.set(renewed, known);
    return renewed;
  };

  return { read, renew, close: () => client.close() };
}

const leaseOf = (value: Lease['value'], lastsMs: number): Lease => ({
  value,
  checkAfterMs: Math.max(Math.min(MIN_LOOK_MS, lastsMs / 2), lastsMs * LOOK_AT),
  lastsMs,
  ends: true,
});

function valuesOf(path: string, answer: JsonObject | undefined): { values: Record<string, Secret>; version?: string } {
  const outer = isJsonObject(answer?.['data']) ? answer['data'] : {};
  const metadata = outer['metadata'];
  const isKv2 = isJsonObject(metadata) && 'version' in metadata && 'data' in outer;
  const inner = isKv2 ? outer['data'] : outer;
  if (!isJsonObject(inner)) {
    throw new UnresolvedReferenceError(`vault:${path} was deleted. Write it anew, or correct the path.`, {
      fault: 'gone',
    });
  }
  const values: Record<string, Secret> = {};
  for (const [name, value] of Object.entries(inner)) {
    if (typeof value === 'string') values[name] = new Secret(value);
    else if (typeof value === 'number' || typeof value === 'boolean') values[name] = new Secret(String(value));
  }
  return isKv2 ? { values, version: `v${Number(metadata['version'])}` } : { values };
}

async function asked<T>(path: string, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    throw explained(path, error);
  }
}

const MEND: Readonly<Record<number, string>> = {
  400: 'Correct the path: for KV version 2 it has "data" behind the mount (secret/data/name)',
  403: 'Give the policy of its role the right to read that path, and look whether its log-in is still good',
  404: 'There is nothing at that path. Write it, or correct the path: for KV version 2 it has "data" behind the mount (secret/data/name)',
  429: 'It is asked too often',
  503: 'It is sealed, or on stand-by. Unseal it',
};

/** A 404 is the store's word that there is nothing; everything else may pass. */
function explained(path: string, error: unknown): Error {
  if (error instanceof UnresolvedReferenceError) return error;
  if (!(error instanceof VaultError))
    return new UnresolvedReferenceError(`vault:${path} cannot be read.`, { cause: error });
  const mend = MEND[error.status] ?? 'It is tried again; look whether it is up and secrets.vault.address is right';
  return new UnresolvedReferenceError(`vault:${path}: ${error.message}. ${mend}.`, {
    cause: error,
    fault: faultOf(error.status),
  });
}

function faultOf(status: number): 'gone' | 'away' | undefined {
  if (status === 404) return 'gone';
  return status === 0 || status === 429 || status >= 500 ? 'away' : undefined;
}
