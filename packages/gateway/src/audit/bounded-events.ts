/**
 * Keeps a stranger from filling the disk. What fails without a proven caller is recorded one by one only so often in a minute;
 * the rest is counted, by address and reason, and the counts are recorded when the minute ends, or the gateway stops. Nothing is
 * left out: records and counts together are what happened. What a proven caller or the operator causes is always recorded.
 *
 * With the defaults a minute costs at most 2,050 records, about 2 MB, whoever tries what (see the bounds).
 */

import type { GatewayEvent, NoteEvent, RefusalEvent } from '../model/event.ts';
import type { AuditEvent, AuditLog } from './audit-log.ts';
import type { EventLog, RecordedEvent } from './event-log.ts';

export type BoundedEventsOptions = {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Runs a task later without keeping the process alive; the returned function prevents it. */
  readonly after: (delayMs: number, task: () => void) => () => void;
  /** Addresses that one stranger can have at will are one. */
  readonly networkOf: (address: string) => string;
  readonly windowMs?: number;
  /** Recorded one by one in a window: of one address and reason, and of all together. */
  readonly maxPerKey?: number;
  readonly maxAtAll?: number;
  /** Addresses and reasons that are told apart in a window; of the rest only the reason is. */
  readonly maxKeys?: number;
  /** Events noted before there is a record to write them to. */
  readonly maxWaiting?: number;
};

export type BoundedEvents = {
  readonly note: NoteEvent;
  /** From now on to this record; what was noted before follows at once. */
  attach(log: EventLog): void;
  /** The record of calls, but for the refusals of callers without a proof: those are bounded here. */
  bounding(audit: AuditLog): AuditLog;
  /** Records the counts. What is noted later is recorded one by one. */
  close(): void;
};

/** Of one address and reason in this window. */
type Counted = { readonly event: GatewayEvent; recorded: number; count: number; firstMs: number; lastMs: number };

const DEFAULTS = { windowMs: 60_000, maxPerKey: 30, maxAtAll: 1_000, maxKeys: 1_000, maxWaiting: 1_000 };

export function createBoundedEvents(options: BoundedEventsOptions): BoundedEvents {
  const { now, after, networkOf, ...bounds } = { ...DEFAULTS, ...options };
  const waiting: RecordedEvent[] = [];
  let log: EventLog | undefined;
  let window = new Map<string, Counted>();
  let recordedAtAll = 0;
  let cancel: (() => void) | undefined;
  let closed = false;

  const write = (recorded: RecordedEvent): boolean => {
    if (log !== undefined) return log.note(recorded);
    // Only the watch of the policies speaks before the record is open, for a second or so.
    if (waiting.length < bounds.maxWaiting) waiting.push(recorded);
    return true;
  };

  const countedOf = (event: GatewayEvent, address: string, reason: string): Counted => {
    const key = `${reason} ${networkOf(address)}`;
    const full = window.size >= bounds.maxKeys;
    const known = window.get(key) ?? (full ? window.get(reason) : undefined);
    if (known !== undefined) return known;
    // There are as many reasons as codes and kinds: they come on top of the bound.
    const made = { event: anonymous(event, full ? '' : address), recorded: 0, count: 0, firstMs: 0, lastMs: 0 };
    window.set(full ? reason : key, made);
    return made;
  };

  /** True when it is to be recorded by itself; else it was counted. */
  const admit = (event: GatewayEvent, address: string, reason: string): boolean => {
    if (closed) return true;
    const counted = countedOf(event, address, reason);
    cancel ??= after(bounds.windowMs, flush);
    if (counted.recorded < bounds.maxPerKey && recordedAtAll < bounds.maxAtAll) {
      counted.recorded += 1;
      recordedAtAll += 1;
      return true;
    }
    counted.lastMs = now();
    if (counted.count === 0) counted.firstMs = counted.lastMs;
    counted.count += 1;
    return false;
  };

  function flush(): void {
    cancel = undefined;
    recordedAtAll = 0;
    const ended = window;
    window = new Map();
    for (const [key, counted] of ended) {
      const { event, count, firstMs, lastMs } = counted;
      if (count === 0 || write({ event, timeMs: firstMs, several: { count, lastMs } })) continue;
      // The record had no place for it: the count goes on.
      window.set(key, { ...counted, recorded: 0 });
    }
    if (window.size > 0 && !closed) cancel = after(bounds.windowMs, flush);
  }

  return {
    note(event) {
      const reason = boundedReason(event);
      if (reason !== undefined && !admit(event, event.kind === 'change' ? '' : event.address, reason)) return;
      write({ event, timeMs: (event.kind === 'change' ? event.atMs : undefined) ?? now() });
    },
    attach(to) {
      log = to;
      for (const recorded of waiting.splice(0)) to.note(recorded);
    },
    bounding: (audit) => ({
      intend: (request) => audit.intend(request),
      sequenceOf: (intent) => audit.sequenceOf(intent),
      append(event) {
        const refusal = unproven(event);
        if (refusal === undefined || admit(refusal, refusal.address, `outcome ${refusal.code}`)) audit.append(event);
      },
      close: () => audit.close(),
    }),
    close() {
      closed = true;
      cancel?.();
      flush();
    },
  };
}

/** What is counted together; undefined for what is always recorded. */
function boundedReason(event: GatewayEvent): string | undefined {
  if (event.kind === 'refused-early') return `refused ${event.stage} ${event.code}`;
  if (event.kind !== 'authentication' || event.failure === undefined) return undefined;
  return `authentication ${event.activity} ${event.credential} ${event.failure.code}`;
}

/** What is the same for all that are counted together. */
function anonymous(event: GatewayEvent, address: string): GatewayEvent {
  switch (event.kind) {
    case 'refused-early':
      return { kind: event.kind, stage: event.stage, code: event.code, address };
    case 'authentication': {
      const { kind, activity, credential, failure } = event;
      const code = failure?.code;
      return { kind, activity, credential, address, ...(code === undefined ? {} : { failure: { code } }) };
    }
    default:
      return event;
  }
}

/** A request that failed before its caller had proved who they are: with no credential at all, anyone can send any number. */
function unproven({ principal, failure, request }: AuditEvent): RefusalEvent | undefined {
  if (principal !== undefined || failure === undefined) return undefined;
  const { id, client, endpoint } = request;
  const { address } = client;
  return { kind: 'refused-early', stage: 'identity', code: failure.code, address, requestId: id, endpoint };
}
