/**
 * The HTTP API of HashiCorp Vault and OpenBao, as far as it is needed: a token that is obtained, renewed and obtained again, and
 * requests with it. What an answer holds is never part of a message.
 */

import type { Egress } from '../../egress/egress.ts';
import { EgressError, toEgressError } from '../../egress/egress-error.ts';
import { exchange } from '../../egress/exchange.ts';
import { isJsonObject, type JsonObject } from '../../model/json.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { logIn, type VaultAuth, type VaultToken } from './vault-auth.ts';
import { VaultError, type VaultRequest } from './vault-request.ts';

export type VaultClientOptions = {
  /** Without a slash at its end. */
  readonly address: string;
  readonly namespace?: string;
  readonly auth: VaultAuth;
  readonly timeoutMs: number;
  readonly egress: Egress;
  readonly logger: Logger;
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
};

export interface VaultClient {
  /** The answer; undefined for one without content. @throws VaultError */
  request(request: VaultRequest, signal: AbortSignal): Promise<JsonObject | undefined>;
  /** Revokes a token that we logged in for, and with it all that was obtained with it. */
  close(): Promise<void>;
}

const MAX_ANSWER_BYTES = 1024 * 1024;
const MAX_MESSAGE = 200;
const LAST_WORDS_MS = 1_000;
/** A token is renewed when a third of its time is left. */
const RENEW_AT = 2 / 3;

type Held = VaultToken & { readonly obtainedAtMs: number };

export function createVaultClient(options: VaultClientOptions): VaultClient {
  const { auth, clockMs, logger } = options;
  let held: Held | undefined;
  let obtaining: Promise<Held> | undefined;

  const send = (request: VaultRequest, token: string | undefined, signal: AbortSignal) =>
    sendTo(options, { request, token, signal });

  const logInAnew = async (signal: AbortSignal): Promise<Held> => {
    const obtainedAtMs = clockMs();
    return { ...(await logIn(auth, (request, token) => send(request, token, signal))), obtainedAtMs };
  };

  const renew = async (old: Held, signal: AbortSignal): Promise<Held> => {
    const obtainedAtMs = clockMs();
    try {
      const answer = await send({ method: 'POST', path: 'auth/token/renew-self', body: {} }, old.token, signal);
      const granted = isJsonObject(answer?.['auth']) ? answer['auth'] : {};
      const lastsMs = Number(granted['lease_duration'] ?? 0) * 1000;
      // Near its longest life it is granted less and less: then a new log-in is due, as far as there is one.
      if (lastsMs >= old.lastsMs / 2 || auth.method === 'token')
        return { ...old, lastsMs: lastsMs || old.lastsMs, obtainedAtMs };
    } catch (error) {
      if (auth.method === 'token' || !(error instanceof VaultError)) throw error;
      logger.debug({ reason: error.message }, 'the token of the secret store cannot be renewed: logging in again');
    }
    return logInAnew(signal);
  };

  const tokenNow = (signal: AbortSignal): Held | Promise<Held> => {
    const now = held;
    const ageMs = now === undefined ? 0 : clockMs() - now.obtainedAtMs;
    if (now !== undefined && ageMs < now.lastsMs * RENEW_AT) return now;
    obtaining ??= refreshed(now, ageMs, signal)
      .then((token) => (held = token))
      .finally(() => {
        obtaining = undefined;
      });
    return obtaining;
  };

  const refreshed = async (now: Held | undefined, ageMs: number, signal: AbortSignal): Promise<Held> => {
    if (now === undefined || ageMs >= now.lastsMs) return logInAnew(signal);
    if (!now.renewable) return auth.method === 'token' ? { ...now } : logInAnew(signal);
    try {
      return await renew(now, signal);
    } catch (error) {
      // It is good for a while still; a store that is away now may be back by then.
      if (error instanceof VaultError && (error.status === 0 || error.status >= 500)) return now;
      throw error;
    }
  };

  return {
    async request(request, signal) {
      const { token } = await tokenNow(signal);
      try {
        return await send(request, token, signal);
      } catch (error) {
        if (!(error instanceof VaultError) || error.status !== 403) throw error;
        // The token may have been revoked, or replaced where it comes from. Whoever comes second finds the new one.
        if (held?.token === token) held = undefined;
        const again = await tokenNow(signal);
        return send(request, again.token, signal);
      }
    },
    async close() {
      const token = held?.token;
      held = undefined;
      if (token === undefined || auth.method === 'token') return;
      const signal = AbortSignal.timeout(LAST_WORDS_MS);
      await send({ method: 'POST', path: 'auth/token/revoke-self', body: {} }, token, signal).catch(() => undefined);
    },
  };
}

type Sending = { readonly request: VaultRequest; readonly token: string | undefined; readonly signal: AbortSignal };

async function sendTo(
  options: VaultClientOptions,
  { request, token, signal }: Sending,
): Promise<JsonObject | undefined> {
  const { address, namespace, timeoutMs, egress } = options;
  const url = new URL(`${address}/v1/${request.path.split('/').map(encodeURIComponent).join('/')}`);
  const timeout = AbortSignal.timeout(timeoutMs);
  const headers = ['accept', 'application/json', 'accept-encoding', 'identity', 'x-vault-request', 'true'];
  if (token !== undefined) headers.push('x-vault-token', token);
  if (namespace !== undefined) headers.push('x-vault-namespace', namespace);
  if (request.body !== undefined) headers.push('content-type', 'application/json');
  try {
    const { status, bytes } = await exchange((...args) => egress.dispatch(...args), {
      url,
      policy: 'configured',
      maxBytes: MAX_ANSWER_BYTES,
      signal: AbortSignal.any([timeout, signal]),
      method: request.method,
      headers,
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
    return answerOf(url, status, bytes);
  } catch (error) {
    if (error instanceof VaultError) throw error;
    if (timeout.aborted) throw new VaultError(`${url.host} did not answer within ${timeoutMs} ms`, 0, { cause: error });
    const reason = error instanceof EgressError ? error : toEgressError(error, false);
    throw new VaultError(`${url.host} cannot be reached: ${reason.message}`, 0, { cause: error });
  }
}

function answerOf(url: URL, status: number, bytes: Buffer): JsonObject | undefined {
  if (status === 204) return undefined;
  let body: unknown;
  try {
    body = JSON.parse(bytes.toString('utf8'));
  } catch {
    // Not as a cause: what a parser says quotes what it read.
    throw new VaultError(
      `${url.host} answered with status ${status} and no JSON: is that a Vault?`,
      status === 200 ? 0 : status,
    );
  }
  if (status === 200 && isJsonObject(body)) return body;
  const errors = isJsonObject(body) && Array.isArray(body['errors']) ? body['errors'] : [];
  const words = errors
    .filter((one) => typeof one === 'string')
    .join('; ')
    .replaceAll(/\s+/g, ' ')
    .slice(0, MAX_MESSAGE);
  throw new VaultError(`${url.host} answered with status ${status}${words === '' ? '' : ` (${words})`}`, status);
}
