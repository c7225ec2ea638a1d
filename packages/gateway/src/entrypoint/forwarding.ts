/**
 * What is open in one replica and asked for at another: a parked call, a question to a legacy client, a call that is cancelled.
 * The replica that it was sent to by chance passes the request on to the one that has it, as it came and with the caller's own
 * credential, so that everything is checked and recorded there. The port, and the adapter for a gateway that knows no others.
 */

import type { ReplicaId } from '../model/outcome.ts';

export type ForwardedRequest = {
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly body: string;
  readonly signal: AbortSignal;
};

export type ForwardedAnswer = {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: AsyncIterable<Uint8Array>;
};

export interface OtherReplicas {
  /** Those that a request can be passed on to; never this one. */
  readonly names: readonly string[];
  /** Undefined when nothing was sent: it cannot be reached. @throws when it broke off, and may have done something */
  send(name: string, request: ForwardedRequest): Promise<ForwardedAnswer | undefined>;
}

export const ALONE: OtherReplicas = { names: [], send: () => Promise.resolve(undefined) };

/** A replica's own name comes first in its id; what follows is of one process, so that a restarted one is another. */
export const replicaId = (name: string, ofProcess: string): ReplicaId => `${name}~${ofProcess}`;

export const nameOfReplica = (id: ReplicaId): string => id.split('~', 1)[0] ?? id;
