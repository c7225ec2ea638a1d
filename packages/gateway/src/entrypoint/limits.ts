/** Every bound of the front door in one place, with its default. */

export type EntrypointLimits = {
  /** Longer bodies are refused with 413: at once when Content-Length says so, else while they arrive. */
  readonly maxBodyBytes: number;
  /** Request line and headers together; more is 431. */
  readonly maxHeaderBytes: number;
  /** Header lines of one request; more is 431. */
  readonly maxHeaderCount: number;
  /** Nesting of the JSON in a body. */
  readonly maxDepth: number;
  /** Messages in one batch (MCP 2025-03-26 only). */
  readonly maxBatch: number;
  /** For the headers to arrive, from the first byte of a connection or since the last answer on it. */
  readonly headersTimeoutMs: number;
  /** For the body to arrive, from the end of the headers. */
  readonly bodyTimeoutMs: number;
  /** A connection without a request in flight is closed after this. */
  readonly idleTimeoutMs: number;
  /** For a client that does not read to take what was written; then its connection is cut. */
  readonly writeTimeoutMs: number;
  /** For the whole request, whatever the server's own timeout says. */
  readonly timeoutMs: number;
  /** Open connections; more are closed unanswered. */
  readonly maxConnections: number;
  /** Requests in flight; more are 503. */
  readonly maxConcurrent: number;
  /** Event streams that stay open (GET), in all and for one caller; more are 429. */
  readonly maxStreams: number;
  readonly maxStreamsPerPrincipal: number;
  /** Resources that one legacy session may be subscribed to. */
  readonly maxSubscribedResources: number;
  /** Notices that wait for a client that reads slowly. Beyond this, further notices are dropped, never a result. */
  readonly maxPendingNoticeBytes: number;
  /** The most of one result that is ever held in memory to look at it. */
  readonly maxBufferedResultBytes: number;
  /** Without an answer for this long, the response becomes an event stream, so that proxies see life. */
  readonly quietMs: number;
  /** Between two comments on a silent event stream. */
  readonly keepAliveMs: number;
  /** How long a legacy session id is good for. */
  readonly sessionLifetimeMs: number;
  readonly cursorLifetimeMs: number;
  /** How long what a client carries between a question and its answer is good for. */
  readonly stateLifetimeMs: number;
  /** How long the id of a task is good for, whatever its server says of the task. */
  readonly taskLifetimeMs: number;
  /** For a legacy client to answer one question, within the time of its request. */
  readonly answerTimeoutMs: number;
  /** Questions that legacy clients have not answered yet; further ones are not asked. */
  readonly maxOpenQuestions: number;
};

export const DEFAULT_LIMITS: EntrypointLimits = {
  maxBodyBytes: 4 * 1024 * 1024,
  maxHeaderBytes: 32 * 1024,
  maxHeaderCount: 100,
  maxDepth: 64,
  maxBatch: 50,
  headersTimeoutMs: 15_000,
  bodyTimeoutMs: 30_000,
  idleTimeoutMs: 65_000,
  writeTimeoutMs: 60_000,
  timeoutMs: 300_000,
  maxConnections: 20_000,
  maxConcurrent: 5_000,
  maxStreams: 10_000,
  maxStreamsPerPrincipal: 100,
  maxSubscribedResources: 100,
  maxPendingNoticeBytes: 1024 * 1024,
  maxBufferedResultBytes: 1024 * 1024,
  quietMs: 5_000,
  keepAliveMs: 15_000,
  sessionLifetimeMs: 24 * 60 * 60 * 1000,
  cursorLifetimeMs: 60 * 60 * 1000,
  stateLifetimeMs: 15 * 60 * 1000,
  taskLifetimeMs: 24 * 60 * 60 * 1000,
  answerTimeoutMs: 2 * 60 * 1000,
  maxOpenQuestions: 10_000,
};

/** What a timer can wait; two limits are added up in one place. */
const MAX_TIMER_MS = 2 ** 30;

/**
 * The defaults with `chosen` on top.
 *
 * @throws RangeError when a limit is not a whole number above zero: no bound is switched off by a wrong value.
 */
export function resolveLimits(chosen: Partial<EntrypointLimits>): EntrypointLimits {
  const limits = { ...DEFAULT_LIMITS, ...chosen };
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value <= 0)
      throw new RangeError(`limits.${name} must be a whole number above 0`);
    if (name.endsWith('Ms') && value > MAX_TIMER_MS)
      throw new RangeError(`limits.${name} is longer than a timer can wait`);
  }
  return limits;
}
