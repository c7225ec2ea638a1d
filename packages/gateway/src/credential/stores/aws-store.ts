/** `aws-sm:name` and `aws-sm:name#field`: AWS Secrets Manager, `GetSecretValue` and nothing else. */

import type { Egress } from '../../egress/egress.ts';
import { EgressError, toEgressError } from '../../egress/egress-error.ts';
import { exchange } from '../../egress/exchange.ts';
import { isJsonObject, type JsonObject } from '../../model/json.ts';
import { Secret } from '../../model/secret.ts';
import { UnresolvedReferenceError, type Lease, type SecretStore } from '../secret-store.ts';
import { sign, type AwsKeys } from './sigv4.ts';

export type AwsStoreOptions = {
  readonly region: string;
  /** Default: that of the region. */
  readonly endpoint?: string;
  /** Asked for each request: temporary keys change where they lie. */
  readonly keys: () => Promise<AwsKeys>;
  readonly timeoutMs: number;
  readonly cacheMs: number;
  readonly keepMs: number;
  readonly egress: Egress;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

/** A secret is 64 KiB at the most. */
const MAX_ANSWER_BYTES = 256 * 1024;

export function createAwsStore(options: AwsStoreOptions): SecretStore {
  const { cacheMs, keepMs } = options;
  const read = async (id: string, signal: AbortSignal): Promise<Lease> => {
    const { status, body } = await ask(id, options, signal);
    if (status !== 200) throw refused(id, status, body);
    const { SecretString: text, VersionId: version } = body;
    if (typeof text !== 'string' || text === '') {
      throw new UnresolvedReferenceError(`aws-sm:${id} holds no text (SecretString). Write it as one.`);
    }
    return {
      value: new Secret(text),
      checkAfterMs: cacheMs,
      lastsMs: keepMs,
      ...(typeof version === 'string' ? { version: version.slice(0, 64) } : {}),
    };
  };
  return { read, renew: (id, _lease, signal) => read(id, signal), close: () => Promise.resolve() };
}

async function ask(
  id: string,
  options: AwsStoreOptions,
  given: AbortSignal,
): Promise<{ readonly status: number; readonly body: JsonObject }> {
  const { region, timeoutMs, egress, now } = options;
  const url = new URL(`${options.endpoint ?? `https://secretsmanager.${region}.amazonaws.com`}/`);
  const sent = JSON.stringify({ SecretId: id });
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'secretsmanager.GetSecretValue' };
  const request = {
    url,
    method: 'POST',
    headers,
    body: sent,
    region,
    service: 'secretsmanager',
    nowMs: now(),
  } as const;
  const signed = sign(request, await options.keys());
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const { status, bytes } = await exchange((...args) => egress.dispatch(...args), {
      url,
      policy: 'configured',
      maxBytes: MAX_ANSWER_BYTES,
      signal: AbortSignal.any([timeout, given]),
      method: 'POST',
      headers: [...Object.entries(signed).flat(), 'accept-encoding', 'identity'],
      body: sent,
    });
    return { status, body: parsed(bytes) };
  } catch (error) {
    const why = timeout.aborted
      ? `did not answer within ${timeoutMs} ms`
      : `cannot be reached: ${(error instanceof EgressError ? error : toEgressError(error, false)).message}`;
    throw new UnresolvedReferenceError(`aws-sm:${id}: ${url.host} ${why}. It is tried again.`, {
      cause: error,
      fault: 'away',
    });
  }
}

function parsed(bytes: Buffer): JsonObject {
  try {
    const body: unknown = JSON.parse(bytes.toString('utf8'));
    return isJsonObject(body) ? body : {};
  } catch {
    // What a parser says quotes what it read.
    return {};
  }
}

const MEND: Readonly<Record<string, string>> = {
  ResourceNotFoundException: 'There is no such secret in this region. Create it, or correct the name',
  AccessDeniedException: 'Give the gateway secretsmanager:GetSecretValue on it, and kms:Decrypt on its key',
  UnrecognizedClientException: 'The access key is not known. Look at secrets.aws-sm.accessKeyId',
  InvalidSignatureException: 'Look at secrets.aws-sm.secretAccessKey, and at the clock of this machine',
  ExpiredTokenException: 'The temporary keys have ended. Put new ones where secrets.aws-sm refers to',
};

/** The type alone is told: AWS's own sentence may quote who asked. */
function refused(id: string, status: number, body: JsonObject): UnresolvedReferenceError {
  const type = typeof body['__type'] === 'string' ? (body['__type'].split('#').at(-1) ?? '') : '';
  const known = Object.hasOwn(MEND, type) ? MEND[type] : undefined;
  const mend = known ?? 'It is tried again';
  return new UnresolvedReferenceError(
    `aws-sm:${id} is answered with status ${status}${known === undefined ? '' : ` (${type})`}. ${mend}.`,
    { fault: type === 'ResourceNotFoundException' ? 'gone' : status >= 500 ? 'away' : undefined },
  );
}
