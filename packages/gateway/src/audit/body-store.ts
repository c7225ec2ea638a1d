/** The port for kept bodies: what a call was made with and what it answered, redacted, for as long as it is kept. */

import type { JsonObject } from '../model/json.ts';
import type { TenantId } from '../model/principal.ts';

export type StoredBody = {
  readonly requestId: string;
  readonly tenant: TenantId;
  /** Whose call it was, as the record names them. */
  readonly issuer: string;
  readonly subject: string;
  readonly name: string;
  /** `server/tool` */
  readonly address: string;
  readonly madeAtMs: number;
  readonly expiresAtMs: number;
  /** 16 random bytes, hex. With `content` gone from here, nobody can guess what the record's commitment is of. */
  readonly salt: string;
  /** JSON text of `{arguments?, result?}`: to the byte what the commitment is of. */
  readonly content: string;
};

export type BodyPlace = { readonly requestId: string; readonly tenant: TenantId };

export interface BodyStore {
  /** All or none. One that is there already stays as it is. @throws when they could not be kept */
  put(bodies: readonly StoredBody[]): Promise<void>;
  /** Of any tenant, when none is named. Undefined when there is none, or its time is over. */
  get(requestId: string, tenant: TenantId | undefined): Promise<StoredBody | undefined>;
  /** In the order of their requests' ids, from the first after `after` on. */
  list(after: string | undefined, limit: number): Promise<readonly StoredBody[]>;
  /** For good. How many there were. */
  erase(places: readonly BodyPlace[]): Promise<number>;
  /** Some of those whose time is over; true when there may be more. */
  deleteExpired(nowMs: number): Promise<boolean>;
}

/** As the API and commands show it. */
export const shownBody = ({ content, salt: _salt, ...facts }: StoredBody): JsonObject => {
  const bodies: JsonObject = JSON.parse(content);
  return { ...facts, ...bodies };
};
