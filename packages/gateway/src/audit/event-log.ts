/** The port for what happens beside calls: authentications, sessions, early refusals, changes. */

import type { GatewayEvent } from '../model/event.ts';

/** An event, or several alike that were counted instead of recorded one by one. */
export type RecordedEvent = {
  readonly event: GatewayEvent;
  /** Milliseconds since the epoch; of several, the first one's. */
  readonly timeMs: number;
  readonly several?: { readonly count: number; readonly lastMs: number };
};

export interface EventLog {
  /** Queues the record, as `append` does. False when there was no place for it: it is then only counted. */
  note(recorded: RecordedEvent): boolean;
  /** Resolves when everything noted so far is on stable storage. Rejects while the record cannot be written. */
  durable(): Promise<void>;
}
