/** The port of `seal`: small values that clients carry for us, unreadable and unforgeable (AES-256-GCM). */

import type { JsonObject } from '../model/json.ts';
import type { Result } from '../model/result.ts';

/** What a sealed value is for. Part of the associated data: a cursor never opens as a session. */
export type SealPurpose =
  | 'session'
  | 'sse-session'
  | 'cursor'
  | 'request-state'
  | 'task'
  | 'request-id'
  | 'forward'
  | 'event-id'
  | 'approval'
  | 'audit-body'
  | 'browser-login'
  | 'browser-session'
  | 'browser-connect'
  | 'connect-link'
  | 'csrf';

export type SealFault = 'malformed' | 'unknown-key' | 'forged' | 'expired';

export interface Sealer {
  /** URL-safe text, visible ASCII only. The payload must be small: a session id has to fit in a header. */
  seal(purpose: SealPurpose, payload: JsonObject, lifetimeMs: number): string;
  open(purpose: SealPurpose, token: string): Result<JsonObject, SealFault>;
}
