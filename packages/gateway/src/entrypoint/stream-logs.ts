/**
 * What legacy clients can go on reading from with `Last-Event-ID` (MCP 2025-06-18 and 2025-11-25, basic/transports,
 * Resumability and Redelivery): the last events of each stream, for as long as its call runs and a while after. Bounded for
 * each stream, for each caller and in all; the oldest events go first.
 *
 * An event id is the name of its stream, which nobody can guess, and a number. It is good for the session that the stream
 * was opened in, and for nobody else.
 */

import type { PrincipalKey } from '../model/principal.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { ResumableStream } from './resumable-stream.ts';

export type ResumptionLimits = {
  /** For a client to come back for the rest of a stream that has ended. */
  readonly keepMs: number;
  /** For a client that is asked something to come back; then its question has no answer. */
  readonly awayMs: number;
  /** What clients are told to wait before they come back. */
  readonly retryMs: number;
  readonly maxBytesPerStream: number;
  readonly maxBytesPerPrincipal: number;
  readonly maxBytes: number;
  /** Streams beyond them cannot be resumed. */
  readonly maxStreams: number;
};

export const DEFAULT_RESUMPTION: ResumptionLimits = {
  keepMs: 60_000,
  awayMs: 15_000,
  retryMs: 1_000,
  maxBytesPerStream: 1024 * 1024,
  maxBytesPerPrincipal: 8 * 1024 * 1024,
  maxBytes: 128 * 1024 * 1024,
  maxStreams: 10_000,
};

export type StreamOwner = { readonly principal: PrincipalKey; readonly session: string };

export type EventData = string | Uint8Array;

type Kept = { readonly log: StreamLog; readonly number: number; readonly data: EventData; readonly bytes: number };

/** Events in the order of their age. */
type Shelf = { readonly events: Set<Kept>; bytes: number };

const emptyShelf = (): Shelf => ({ events: new Set(), bytes: 0 });

/** Of one call, or of the session itself. */
export type StreamKind = 'call' | 'session';

/** The events of one stream. */
export type StreamLog = {
  readonly owner: StreamOwner;
  readonly of: StreamKind;
  readonly name: string;
  readonly shelf: Shelf;
  /** Of the newest event. */
  last: number;
  /** Of the newest event that was let go. */
  lost: number;
  /** From when on nobody can come back; undefined while it runs. */
  untilMs: number | undefined;
  /** Who writes to whoever reads it. */
  stream: ResumableStream | undefined;
};

export type Found = { readonly stream: ResumableStream; readonly after: number };

export type StreamLogsOptions = {
  readonly limits: ResumptionLimits;
  readonly clockMs: () => number;
  readonly randomBytes: (bytes: number) => Uint8Array;
};

const NAME_BYTES = 16;
const EVENT_ID = /^([A-Za-z0-9_-]{22})[.~](\d{1,9})$/;
const OF_SESSION = /^[A-Za-z0-9_-]{22}~\d{1,9}$/;
/** Of an event, beside its data. */
const OVERHEAD_BYTES = 256;
const SWEEP_MS = 1_000;

export class StreamLogs {
  readonly limits: ResumptionLimits;
  readonly #options: StreamLogsOptions;
  readonly #logs = new Map<string, StreamLog>();
  /** Those that only wait for somebody to come back, in the order of their end. */
  readonly #ended = new Set<StreamLog>();
  readonly #all = emptyShelf();
  /** Bounded by the streams: a caller without events has none. */
  readonly #ofPrincipal = new Map<PrincipalKey, Shelf>();
  #sweep: NodeJS.Timeout | undefined;

  /** @throws RangeError for a limit that is none. */
  constructor(options: StreamLogsOptions) {
    for (const [name, value] of Object.entries(options.limits)) {
      if (!(value > 0)) throw new RangeError(`resumption: ${name} must be positive`);
    }
    this.#options = options;
    this.limits = options.limits;
  }

  get size(): number {
    return this.#logs.size;
  }

  get bytes(): number {
    return this.#all.bytes;
  }

  /** A new stream's log; undefined where there is no room for one. */
  open(owner: StreamOwner, of: StreamKind = 'call'): StreamLog | undefined {
    if (this.#logs.size >= this.limits.maxStreams) {
      const [oldest] = this.#ended;
      if (oldest === undefined) return undefined;
      this.#forget(oldest);
    }
    const name = Buffer.from(this.#options.randomBytes(NAME_BYTES)).toString('base64url');
    const log = { owner, of, name, shelf: emptyShelf(), last: 0, lost: 0, untilMs: undefined, stream: undefined };
    this.#logs.set(name, log);
    return log;
  }

  /** Remembers one event and returns its id. */
  add(log: StreamLog, data: EventData): string {
    log.last += 1;
    // Its session has ended: nobody comes back for more.
    if (this.#logs.get(log.name) !== log) return idAt(log, log.last);
    const event = { log, number: log.last, data, bytes: Buffer.byteLength(data) + OVERHEAD_BYTES };
    const { principal } = log.owner;
    let own = this.#ofPrincipal.get(principal);
    if (own === undefined) this.#ofPrincipal.set(principal, (own = emptyShelf()));
    const { maxBytes, maxBytesPerPrincipal, maxBytesPerStream } = this.limits;
    for (const shelf of [log.shelf, own, this.#all]) {
      shelf.events.add(event);
      shelf.bytes += event.bytes;
    }
    this.#shrink(log.shelf, maxBytesPerStream);
    this.#shrink(own, maxBytesPerPrincipal);
    this.#shrink(this.#all, maxBytes);
    return idAt(log, log.last);
  }

  /** Its call has its answer. */
  ended(log: StreamLog): void {
    if (log.untilMs !== undefined || this.#logs.get(log.name) !== log) return;
    log.untilMs = this.#options.clockMs() + this.limits.keepMs;
    this.#ended.add(log);
    this.#sweep ??= setInterval(() => this.#forgetExpired(), Math.min(SWEEP_MS, this.limits.keepMs)).unref();
  }

  /** Where a client that comes back goes on, or why it cannot, for our own eyes. */
  find(eventId: string, owner: StreamOwner): Result<Found, string> {
    const [, name = '', digits = ''] = EVENT_ID.exec(eventId) ?? [];
    const log = this.#logs.get(name);
    if (log?.stream === undefined) return err('the event id names no stream that is kept');
    const { principal, session } = log.owner;
    if (principal !== owner.principal || session !== owner.session) return err("the stream is another session's");
    // Nothing comes on it any more, and its client wants to hear more.
    if (log.of === 'session' && log.untilMs !== undefined) return err('the stream of the session is over');
    const after = Number(digits);
    if (after > log.last) return err('the event id was never given');
    if (after < log.lost) return err('the events after it are not kept any more');
    return ok({ stream: log.stream, after });
  }

  /** Nobody comes back to its streams; calls that run go on. */
  endSession(session: string): void {
    for (const log of this.#logs.values()) if (log.owner.session === session) this.#forget(log);
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const log of this.#logs.values()) this.#forget(log);
  }

  #shrink(shelf: Shelf, maxBytes: number): void {
    for (const event of shelf.events) {
      if (shelf.bytes <= maxBytes) return;
      this.#drop(event);
    }
  }

  #drop(event: Kept): void {
    const { log, bytes, number } = event;
    const { principal } = log.owner;
    const own = this.#ofPrincipal.get(principal);
    log.lost = Math.max(log.lost, number);
    for (const shelf of [log.shelf, own, this.#all]) if (shelf?.events.delete(event) === true) shelf.bytes -= bytes;
    if (own?.events.size === 0) this.#ofPrincipal.delete(principal);
  }

  #forget(log: StreamLog): void {
    this.#logs.delete(log.name);
    this.#ended.delete(log);
    for (const event of log.shelf.events) this.#drop(event);
  }

  #forgetExpired(): void {
    const nowMs = this.#options.clockMs();
    for (const log of this.#ended) if ((log.untilMs ?? 0) <= nowMs) this.#forget(log);
    if (this.#ended.size > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }
}

/** The id of where a client stands that has had `number` events. */
export const idAt = ({ name, of }: Pick<StreamLog, 'name' | 'of'>, number: number): string =>
  `${name}${of === 'session' ? '~' : '.'}${number}`;

/** Of a session's own stream: where it is not kept any more, a new one takes its place. */
export const isOfSessionStream = (eventId: string): boolean => OF_SESSION.test(eventId);

/** What a client has missed that has had `number` events. */
export function* eventsAfter(
  log: StreamLog,
  number: number,
): Generator<{ readonly id: string; readonly data: EventData }> {
  for (const event of log.shelf.events)
    if (event.number > number) yield { id: idAt(log, event.number), data: event.data };
}
