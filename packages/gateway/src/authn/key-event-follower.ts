/**
 * Takes over into the record what commands did to API keys. Of several gateways on one database one records each change: it
 * claims it, writes it durably, and only then says so. One that dies in between leaves it to the next, so a change can stand in
 * two records, with the same id, and is never missing from all.
 */

import type { ChangeEvent } from '../model/event.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { KeyEvent, KeyEventStore } from './key-event-store.ts';

export type KeyEventFollowerOptions = {
  readonly store: KeyEventStore;
  /** False when the record had no place for it. */
  readonly record: (event: ChangeEvent) => boolean;
  /** Resolves when what was recorded is on stable storage. */
  readonly durable: () => Promise<void>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Runs a task later without keeping the process alive; the returned function prevents it. */
  readonly after: (delayMs: number, task: () => void) => () => void;
  readonly log: Logger;
  readonly everyMs?: number;
  readonly batch?: number;
};

export type KeyEventFollower = {
  /** Resolves when the round that is under way is over. */
  close(): Promise<void>;
};

const EVERY_MS = 5_000;
const BATCH = 100;
/** Far longer than a record takes to become durable, or to be refused. */
const CLAIM_MS = 60_000;

/** Starts at once, and goes on until it is closed. */
export function followKeyEvents(options: KeyEventFollowerOptions): KeyEventFollower {
  const { after, log, everyMs = EVERY_MS, batch = BATCH } = options;
  const closing = new AbortController();
  const { signal: closed } = closing;
  let failing = false;
  let cancel = (): void => undefined;

  const round = async (): Promise<void> => {
    try {
      let taken = batch;
      // A heap of them is worked off without a pause.
      while (taken === batch) taken = closed.aborted ? 0 : await takeOver(options, batch);
      failing = false;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      // Once per outage; the storage and the record have their own words for it.
      if (!failing) log.warn({ reason }, 'changes of API keys cannot be taken over into the record; tried again');
      failing = true;
    }
    if (closed.aborted) return;
    cancel = after(everyMs, () => {
      running = round();
    });
  };

  let running = round();
  return {
    close() {
      closing.abort();
      cancel();
      return running;
    },
  };
}

async function takeOver({ store, record, durable, now }: KeyEventFollowerOptions, limit: number): Promise<number> {
  const nowMs = now();
  const events = await store.claim({ nowMs, untilMs: nowMs + CLAIM_MS, limit });
  if (events.length === 0) return 0;
  const recorded = events.filter((event) => record(changeOf(event)));
  await durable();
  await store.recorded(
    recorded.map(({ id }) => id),
    now(),
  );
  return recorded.length;
}

const ACTIVITIES: ReadonlyMap<string, ChangeEvent['activity']> = new Map([
  ['create', 'create'],
  ['revoke', 'delete'],
  ['bodies/erase', 'delete'],
  ['credentials/revoke', 'delete'],
]);

/** What commands do beside changing API keys, under its own name: bodies erased, grants revoked, their key rotated. */
const OTHERS: ReadonlyMap<string, ChangeEvent['entity']['type']> = new Map([
  ['bodies/erase', 'bodies'],
  ['credentials/revoke', 'grant'],
  ['credentials/rotate-key', 'grant-key'],
]);

const changeOf = ({ id, atMs, actor, action, tenant, name }: KeyEvent): ChangeEvent => ({
  kind: 'change',
  operation: OTHERS.has(action) ? action : `key/${action}`,
  activity: ACTIVITIES.get(action) ?? 'update',
  entity: { type: OTHERS.get(action) ?? 'api-key', name },
  by: actor,
  atMs,
  tenant,
  facts: { change_id: id },
});
