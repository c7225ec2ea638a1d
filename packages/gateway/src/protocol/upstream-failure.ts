/** An upstream's JSON-RPC error as a failure: the same in every revision. */

import { failure, type Failure } from '../model/failure.ts';
import { isJsonObject } from '../model/json.ts';
import type { UpstreamError } from './codec.ts';
import { INTERNAL_ERROR, isAboutOurEnvelope, MISSING_CAPABILITY } from './wire-error.ts';

/**
 * Errors about the envelope are about the one that we wrote: relayed, they would tell the client that its own headers or
 * version are wrong. They become `upstream-invalid`, but for a capability that is missing: a server is never told of one
 * that the client lacks, so what it misses the client has to hear. All others stay the upstream's.
 */
export function decodeUpstreamError(error: UpstreamError): Failure {
  const code = Number.isSafeInteger(error.code) ? error.code : INTERNAL_ERROR;
  const upstream = { ...error, code };
  if (!isAboutOurEnvelope(code)) return failure('upstream-error', { sent: 'yes', upstream });
  if (code === MISSING_CAPABILITY) return missingCapability(error);
  const message = 'The server refused the envelope of the request that the gateway sent it.';
  return failure('upstream-invalid', { sent: 'yes', message, upstream });
}

function missingCapability(error: UpstreamError): Failure {
  const required = isJsonObject(error.data) ? error.data.requiredCapabilities : undefined;
  const named = isJsonObject(required) ? required : {};
  const names = Object.keys(named).join(', ');
  const message = `The server needs a client capability that is not offered to it${names === '' ? '' : `: ${names}`}.`;
  return failure('missing-capability', { sent: 'yes', message, data: { requiredCapabilities: named } });
}
