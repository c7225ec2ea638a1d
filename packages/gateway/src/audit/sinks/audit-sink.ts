/**
 * The port of `audit/sinks`: somewhere else that the record goes to. A sink is given each record at least once and in order;
 * calls never wait for it.
 */

import type { BatchLimits } from './follower.ts';
import type { Batch } from './followed-record.ts';
import type { SinkPosition } from './sink-position.ts';

export interface AuditSink {
  /** Unique among the sinks of a gateway: metric label, file name. */
  readonly name: string;
  readonly limits: BatchLimits;
  /** The newest record that it has; undefined when it has none. */
  position(): Promise<SinkPosition | undefined>;
  /**
   * Resolves when the whole batch is taken and the position saved.
   *
   * @throws DeliveryError, or any other error: the same batch, or what is left of it, is given again later
   */
  take(batch: Batch, signal: AbortSignal): Promise<void>;
}

/** What was sent has not arrived, or may not have. The message names the sink's answer, and no secret. */
export class DeliveryError extends Error {
  /** Sent again, the same bytes would be refused again. */
  readonly refused: boolean;
  /** The sink asks for so much time. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, more: { refused?: boolean; retryAfterMs?: number | undefined; cause?: unknown } = {}) {
    super(message, { cause: more.cause });
    this.name = 'DeliveryError';
    this.refused = more.refused ?? false;
    this.retryAfterMs = more.retryAfterMs;
  }
}

/** What a sink says about records that it could not deliver, ever. */
export type RejectedReport = (count: number, why: string) => void;
