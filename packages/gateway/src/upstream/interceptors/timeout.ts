/**
 * How long a call may take, from the moment it leaves until its result is complete, a streamed one included: a time for the
 * whole that progress starts anew, a hard maximum that nothing moves, and a time for the server to say anything at all
 * (MCP 2025-11-25, basic/lifecycle, Timeouts).
 */

import { refuse } from '../../model/failure.ts';
import type { Call, Interceptor, SendOptions } from '../../model/call.ts';
import type { LogLevel } from '../../model/log-level.ts';
import type { ClientChannel, Notice } from '../../model/outcome.ts';
import type { Clock } from '../clock.ts';
import { untilRead } from '../streamed-result.ts';

export type CallTimeouts = {
  /** Without progress. */
  readonly totalMs: number;
  /** With progress. Never below `totalMs`. */
  readonly maxMs: number;
  /** Until the first notice or the beginning of the result. */
  readonly firstByteMs?: number;
};

export type TimeoutOptions = {
  readonly clock: Clock;
  /** The operator's limits for a call. The caller's own limit holds too, whichever is shorter. */
  readonly timeoutsFor: (call: Call) => CallTimeouts;
};

/** Aborts the call with the Refusal `upstream-timeout` as its reason, which the upstream turns into the outcome. */
export function timeout({ clock, timeoutsFor }: TimeoutOptions): Interceptor {
  return (next) => async (call, options) => {
    const limits = timeoutsFor(call);
    const timers = new CallTimers(clock, call, { ...limits, maxMs: Math.min(limits.maxMs, options.timeoutMs) });
    const { signal } = options;
    const leave = (): void => timers.controller.abort(signal.reason);
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    const stop = (): void => {
      timers.stop();
      signal.removeEventListener('abort', leave);
    };
    try {
      const outcome = await next(call, within(options, timers, limits));
      timers.heard();
      return untilRead(outcome, timers.controller.signal, stop);
    } catch (error) {
      stop();
      throw error;
    }
  };
}

/** Named, not spread: the options may be an object with getters. */
function within(options: SendOptions, timers: CallTimers, { firstByteMs }: CallTimeouts): SendOptions {
  const { channel, timeoutMs, answers, upstreamCursor, watch, subject } = options;
  return {
    channel: channel.wantsProgress || firstByteMs !== undefined ? new HeardChannel(channel, timers) : channel,
    signal: timers.controller.signal,
    timeoutMs,
    ...(answers === undefined ? undefined : { answers }),
    ...(upstreamCursor === undefined ? undefined : { upstreamCursor }),
    ...(watch === undefined ? undefined : { watch }),
    ...(subject === undefined ? undefined : { subject }),
    alive: () => {
      timers.heard();
      timers.progressed();
    },
  };
}

/** The caller's channel; what passes tells the timers that the server lives. */
class HeardChannel implements ClientChannel {
  readonly wantsProgress: boolean;
  readonly logLevel?: LogLevel;
  readonly #channel: ClientChannel;
  readonly #timers: CallTimers;

  constructor(channel: ClientChannel, timers: CallTimers) {
    this.wantsProgress = channel.wantsProgress;
    if (channel.logLevel !== undefined) this.logLevel = channel.logLevel;
    this.#channel = channel;
    this.#timers = timers;
  }

  notify(notice: Notice): Promise<void> | undefined {
    this.#timers.heard();
    if (notice.kind === 'progress') this.#timers.progressed();
    return this.#channel.notify(notice);
  }
}

class CallTimers {
  readonly controller = new AbortController();
  readonly #clock: Clock;
  readonly #server: string;
  readonly #totalMs: number;
  readonly #endsAtMs: number;
  #cancelTotal: () => void;
  #cancelFirst: (() => void) | undefined;

  constructor(clock: Clock, call: Call, { totalMs, maxMs, firstByteMs }: CallTimeouts) {
    this.#clock = clock;
    this.#server = call.entry.server.id;
    this.#totalMs = Math.min(totalMs, maxMs);
    this.#endsAtMs = clock.nowMs() + maxMs;
    this.#cancelTotal = this.#arm(this.#totalMs, `did not answer within ${this.#totalMs} ms`);
    if (firstByteMs !== undefined && firstByteMs < this.#totalMs) {
      this.#cancelFirst = this.#arm(firstByteMs, `did not begin to answer within ${firstByteMs} ms`);
    }
  }

  /** The server has said something. */
  heard(): void {
    this.#cancelFirst?.();
    this.#cancelFirst = undefined;
  }

  /** The time for the whole begins anew, within the maximum. */
  progressed(): void {
    if (this.controller.signal.aborted) return;
    this.#cancelTotal();
    const leftMs = Math.max(0, this.#endsAtMs - this.#clock.nowMs());
    const ms = Math.min(this.#totalMs, leftMs);
    this.#cancelTotal = this.#arm(
      ms,
      leftMs <= this.#totalMs ? 'took longer than the maximum, progress or not' : `made no progress for ${ms} ms`,
    );
  }

  stop(): void {
    this.#cancelTotal();
    this.#cancelFirst?.();
  }

  #arm(ms: number, what: string): () => void {
    const message = `The server ${this.#server} ${what}.`;
    return this.#clock.after(ms, () => this.controller.abort(refuse('upstream-timeout', { sent: 'maybe', message })));
  }
}
