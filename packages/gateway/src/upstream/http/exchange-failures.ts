/** What a server's HTTP answer, or the lack of one, means for the call. */

import { readChallenge } from '../../egress/bearer-challenge.ts';
import { EgressError, toEgressError } from '../../egress/egress-error.ts';
import type { ResponseHeaders } from '../../egress/egress.ts';
import { failure, Refusal } from '../../model/failure.ts';
import type { Failure } from '../../model/failure.ts';

type Sent = Failure['sent'];

/** Statuses by which proxies and servers say "not now". The request may have been worked on before they did. */
export const NOT_NOW: ReadonlySet<number> = new Set([429, 502, 503, 504]);

const MAX_CHALLENGE_CHARS = 4_096;

const MAX_RETRY_AFTER_MS = 3_600_000;

/** `Retry-After` in seconds (RFC 9110, 10.2.3). Its date form is not used: it would need the clocks to agree. */
function retryAfterMs(headers: ResponseHeaders): number | undefined {
  const value = headers['retry-after'];
  if (typeof value !== 'string' || !/^\d{1,7}$/.test(value)) return undefined;
  return Math.min(Number(value) * 1000, MAX_RETRY_AFTER_MS);
}

/** The media type without its parameters, lower-case; what else stands there is cut, because it goes into messages. */
export function mediaType(headers: ResponseHeaders): string {
  const value = headers['content-type'];
  if (typeof value !== 'string') return '';
  if (value === 'application/json') return value;
  return (value.split(';', 1)[0] ?? '').trim().toLowerCase().slice(0, 100);
}

/** An answer that holds no JSON-RPC message: the status and the content type say all that there is to say. */
export function withoutMessage(status: number, headers: ResponseHeaders, reason?: string): Failure {
  if (status === 401 || status === 403) {
    const message = `The server refused the gateway's credential (status ${status}). Tell the server's owner.`;
    const asked = headers['www-authenticate'];
    const challenge = readChallenge(typeof asked === 'string' ? asked.slice(0, MAX_CHALLENGE_CHARS) : undefined);
    return failure('upstream-refused', {
      sent: 'yes',
      message,
      challenge,
      ...(status === 401 && { credentialRejected: true }),
    });
  }
  if (NOT_NOW.has(status)) {
    const delayMs = retryAfterMs(headers);
    return failure('server-unavailable', {
      sent: 'maybe',
      message: `The server is not available now (status ${status}). Try again shortly.`,
      ...(delayMs === undefined ? {} : { retryAfterMs: delayMs }),
    });
  }
  const type = mediaType(headers);
  const content = type === '' ? 'no content type' : `content type ${JSON.stringify(type)}`;
  const why = reason === undefined ? 'which is no MCP answer' : `which is no MCP answer: it ${reason}`;
  return failure('upstream-invalid', {
    sent: 'yes',
    message: `The server answered with status ${status} and ${content}, ${why}.`,
  });
}

export const invalid = (message: string): Failure => failure('upstream-invalid', { sent: 'yes', message });

export const tooLarge = (maxBytes: number): Failure =>
  failure('result-too-large', {
    sent: 'yes',
    message: `The server's answer could not be told within ${maxBytes} bytes, which is as much as the gateway may hold. Let the server write "id" (and "resultType") before the content.`,
  });

export const endedEarly = (sent: Sent = 'yes'): Failure => failure('upstream-closed', { sent });

/** The connection failed, before (`no`), while (`maybe`) or after (`yes`) the request reached the server. */
export function connectionFailure(thrown: unknown, sent: Sent): Failure {
  if (thrown instanceof Refusal) return { ...thrown.failure, sent };
  const error = toEgressError(thrown, sent !== 'no');
  switch (error.reason) {
    case 'not-http':
      return failure('upstream-invalid', {
        sent,
        message: `The server does not speak HTTP: ${error.message}.`,
        cause: error,
      });
    case 'closed':
      return failure('upstream-closed', { sent, cause: error });
    case 'refused':
      return failure('server-unavailable', {
        sent,
        message: `The server must not be reached: ${error.message}.`,
        cause: error,
      });
    case 'unreachable':
    case 'timeout':
    case 'aborted':
    case 'unexpected-answer':
      return failure('server-unavailable', {
        sent,
        message: `The server cannot be reached: ${error.message}.`,
        cause: error,
      });
  }
}

/** Whoever aborts may say why with a `Refusal`: a timeout does. */
export function abortFailure(signal: AbortSignal, sent: Sent): Failure {
  const reason: unknown = signal.reason;
  return reason instanceof Refusal ? { ...reason.failure, sent } : failure('cancelled', { sent });
}

/** Ends an exchange that nobody waits for. */
export const GIVEN_UP = new EgressError('aborted', 'the exchange was given up');
