/** An upstream's JSON-RPC error as a failure: the same in every revision. */

import { failure, type Failure } from '../model/failure.ts';
import { isJsonObject } from '../model/json.ts';
import type { UpstreamError } from './codec.ts';
import { INTERNAL_ERROR, isAboutOurEnvelope, MISSING_CAPABILITY } from './wire-error.ts';

/**
 * Errors about the envelope are about the one that we wrote: relayed, they would tell the client that its own headers or
 * version are wrong. They become `upstream-invalid`; all others stay the upstream's.
 */
export function decodeUpstreamError(error: UpstreamError): Failure {
  const code = Number.isSafeInteger(error.code) ? error.code : INTERNAL_ERROR;
  const upstream = { ...error, code };
  if (!isAboutOurEnvelope(code)) return failure('upstream-error', { sent: 'yes', upstream });
  const message =
    code === MISSING_CAPABILITY
      ? `The server needs a client capability that the gateway does not offer it${missing(error)}.`
      : 'The server refused the envelope of the request that the gateway sent it.';
  return failure('upstream-invalid', { sent: 'yes', message, upstream });
}

function missing(error: UpstreamError): string {
  const required = isJsonObject(error.data) ? error.data.requiredCapabilities : undefined;
  return isJsonObject(required) ? `: ${Object.keys(required).join(', ')}` : '';
}
