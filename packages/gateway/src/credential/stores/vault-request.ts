/** What a Vault is asked, and how it fails. */

import type { JsonObject } from '../../model/json.ts';

export type VaultRequest = {
  readonly method: 'GET' | 'POST';
  /** Behind `/v1/`. */
  readonly path: string;
  readonly body?: JsonObject;
};

/** The errors are its own words, which name paths and policies and no values; cut, because they come from outside. */
export class VaultError extends Error {
  /** 0: no answer came. */
  readonly status: number;

  constructor(message: string, status: number, options?: ErrorOptions) {
    super(message, options);
    this.name = 'VaultError';
    this.status = status;
  }
}
