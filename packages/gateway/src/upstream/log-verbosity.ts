/**
 * How much a legacy server is told to log (MCP 2025-11-25, server/utilities/logging). Its session serves several calls, and
 * the level is the session's: it is set to the least that any call at work wants, before that call is sent, and each client
 * is given what it asked for itself. It is raised at once and lowered late, by a call that comes when nobody has wanted so
 * much for a while: a server that says more than is wanted costs a little, one that says less breaks a promise.
 */

import type { SendOptions } from '../model/call.ts';
import { isAtLeast, LOG_LEVELS, type LogLevel } from '../model/log-level.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Clock } from './clock.ts';

export type VerbosityOptions = {
  readonly clock: Clock;
  /** Settles when the server has answered, whatever it said, or has not in time: a call does not fail for its log. */
  readonly setLevel: (level: LogLevel) => Promise<void>;
};

const LOWER_AFTER_MS = 60_000;
/** For a server to answer `logging/setLevel`. A call waits for it once in the life of a session. */
export const SET_LEVEL_TIMEOUT_MS = 2_000;

export class LogVerbosity {
  readonly #options: VerbosityOptions;
  /** Calls at work, by what they want. */
  readonly #wanted = new Map<LogLevel, number>();
  /** What the server was told last; undefined before anybody asked. */
  #told: LogLevel | undefined;
  #telling: Promise<void> | undefined;
  /** When somebody last wanted as much as it was told. */
  #neededAtMs = 0;

  constructor(options: VerbosityOptions) {
    this.#options = options;
  }

  /** A call begins. A promise when the server must be told first. Each `want` is followed by one `done`. */
  want(level: LogLevel): Promise<void> | undefined {
    this.#wanted.set(level, (this.#wanted.get(level) ?? 0) + 1);
    const least = LOG_LEVELS.find((known) => this.#wanted.has(known)) ?? level;
    const nowMs = this.#options.clock.nowMs();
    const isEnough = this.#told !== undefined && isAtLeast(least, this.#told);
    if (least === this.#told) this.#neededAtMs = nowMs;
    else if (!isEnough || nowMs - this.#neededAtMs > LOWER_AFTER_MS) this.#tell(least, nowMs);
    // Told, and perhaps not yet taken.
    return this.#telling;
  }

  done(level: LogLevel): void {
    const left = (this.#wanted.get(level) ?? 1) - 1;
    if (left > 0) this.#wanted.set(level, left);
    else this.#wanted.delete(level);
    if (level === this.#told) this.#neededAtMs = this.#options.clock.nowMs();
  }

  /** In order: of two at the same time the later one counts. */
  #tell(level: LogLevel, nowMs: number): void {
    this.#told = level;
    this.#neededAtMs = nowMs;
    const before = this.#telling ?? Promise.resolve();
    const telling: Promise<void> = before
      .then(() => this.#options.setLevel(level))
      .finally(() => {
        if (this.#telling === telling) this.#telling = undefined;
      });
    this.#telling = telling;
  }
}

/** Makes a call for which the server says as much as its caller wants to hear. */
export function atVerbosity(
  verbosity: LogVerbosity | undefined,
  { channel: { logLevel } }: SendOptions,
  make: () => Promise<Outcome>,
): Promise<Outcome> {
  if (verbosity === undefined || logLevel === undefined) return make();
  const made = verbosity.want(logLevel)?.then(make) ?? make();
  return made.finally(() => verbosity.done(logLevel));
}

/** A call that was parked goes on, perhaps for a request that wants more. It does not wait: it is at work already. */
export function goOnAtVerbosity(verbosity: LogVerbosity | undefined, { channel: { logLevel } }: SendOptions): void {
  if (verbosity === undefined || logLevel === undefined) return;
  void verbosity.want(logLevel);
  verbosity.done(logLevel);
}
