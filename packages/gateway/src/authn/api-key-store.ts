/**
 * The port for API keys that are remembered outside the configuration: made, listed, expired and revoked while the gateway
 * runs. Only the hash of a key is ever stored.
 */

import type { TenantId } from '../model/principal.ts';
import type { Result } from '../model/result.ts';

export type StoredApiKey = {
  /** Names the key in records and commands; opens nothing. */
  readonly id: string;
  readonly tenant: TenantId;
  /** Who the key belongs to: unique within a tenant among keys that were not revoked. */
  readonly name: string;
  /** SHA-256 of the key, lower-case hex. */
  readonly hash: string;
  /** The first characters of the key, so that its owner can tell which one it is. */
  readonly hint: string;
  readonly groups: readonly string[];
  readonly createdAtMs: number;
  readonly expiresAtMs?: number;
  readonly revokedAtMs?: number;
  /** To the minute or so: it is written in batches. */
  readonly lastUsedAtMs?: number;
};

export type NewApiKey = Omit<StoredApiKey, 'revokedAtMs' | 'lastUsedAtMs'>;

export type ApiKeyChange = { readonly expiresAtMs: number } | { readonly revokedAtMs: number };

/** Keys that were not revoked and whose end lies within `[fromMs, untilMs)`: at most `limit` of them. */
export type EndingKeys = { readonly fromMs: number; readonly untilMs: number; readonly limit: number };

/** Every method rejects when the store cannot be reached; none of them answers from memory. */
export interface ApiKeyStore {
  create(key: NewApiKey): Promise<Result<StoredApiKey, 'name-taken' | 'hash-taken'>>;
  /** Revoked and expired keys are found, too: the caller is told which. */
  findByHash(hash: string): Promise<StoredApiKey | undefined>;
  /** In the order of their creation, revoked ones included; or only those that end within a time, soonest first. */
  list(only?: EndingKeys): Promise<readonly StoredApiKey[]>;
  /** Changes the key of this name that was not revoked. False when there is none. */
  change(tenant: TenantId, name: string, change: ApiKeyChange): Promise<boolean>;
  /** Later uses win, whatever the order in which they are noted. */
  noteUses(uses: readonly { readonly id: string; readonly usedAtMs: number }[]): Promise<void>;
}
