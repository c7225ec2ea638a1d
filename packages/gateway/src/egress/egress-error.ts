/** What can go wrong on the way out, told apart by cause and not by message text. */

import errors from 'undici/lib/core/errors.js';

export type EgressReason =
  /** Policy does not let us talk to this URL or address. Nothing was sent. */
  | 'refused'
  /** No connection: name unknown, port closed, TLS not trusted, connect timeout. Nothing was sent. */
  | 'unreachable'
  /** What came is not HTTP, or has headers beyond the limit. */
  | 'not-http'
  /** The connection ended before the answer did. */
  | 'closed'
  | 'timeout'
  | 'aborted'
  /** `fetchJson` only: the status, the content or its size is not what was asked for. */
  | 'unexpected-answer';

/** Messages name hosts, addresses and codes; never paths, queries, headers or bodies, which may hold secrets. */
export class EgressError extends Error {
  readonly reason: EgressReason;

  constructor(reason: EgressReason, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'EgressError';
    this.reason = reason;
  }
}

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : '';

const CLOSED = new Set([
  'UND_ERR_SOCKET',
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_DESTROYED',
  'UND_ERR_CLOSED',
  'ECONNABORTED',
]);

const NOT_HTTP = new Set(['UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH']);

const UNREACHABLE_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ENOTFOUND: 'its name is unknown (DNS)',
  EAI_AGAIN: 'its name cannot be resolved now (DNS)',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  ETIMEDOUT: 'it did not accept the connection in time',
  UND_ERR_CONNECT_TIMEOUT: 'it did not accept the connection in time',
};

/** Several addresses were tried: the first failure speaks for all. */
const firstOf = (error: unknown): unknown =>
  error instanceof AggregateError && codeOf(error) === '' ? (error.errors[0] ?? error) : error;

/**
 * An error of the HTTP client or the socket as one of ours. `wasSent` says whether the request had been written: a reset
 * before that is a connection that never worked.
 */
export function toEgressError(thrown: unknown, wasSent: boolean): EgressError {
  if (thrown instanceof EgressError) return thrown;
  const error = firstOf(thrown);
  const code = codeOf(error);
  if (error instanceof errors.HTTPParserError || NOT_HTTP.has(code)) {
    return new EgressError('not-http', `the answer is not valid HTTP${code && ` (${code})`}`, thrown);
  }
  if (wasSent && CLOSED.has(code)) return new EgressError('closed', 'the connection was closed', thrown);
  if (wasSent) return new EgressError('closed', `the connection broke (${code || 'no code'})`, thrown);
  const words = UNREACHABLE_WORDS[code] ?? `the connection failed (${code || 'no code'})`;
  return new EgressError('unreachable', words, thrown);
}
