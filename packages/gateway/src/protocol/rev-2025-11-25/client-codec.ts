/** We as the client of an upstream that speaks 2025-03-26, 2025-06-18 or 2025-11-25. */

import { failure, refuse, type Failure } from '../../model/failure.ts';
import { isJsonObject, type JsonObject } from '../../model/json.ts';
import type { Discovery } from '../../model/outcome.ts';
import { err, ok } from '../../model/result.ts';
import { isLegacyRevision, NEWEST_LEGACY, type LegacyRevision } from '../../model/revision.ts';
import type { ClientCodec, EncodedUpstreamRequest, LegacyHandshake, UpstreamRequest } from '../codec.ts';
import { encodeCoreOperation, type CoreRequest } from '../core-methods.ts';
import { SALLYPORT } from '../identity.ts';
import { notificationText, requestText } from '../json-rpc.ts';
import { decodeNotice } from '../notices.ts';
import { decodeUpstreamError } from '../upstream-failure.ts';
import { asTask, decodeCreated, decodeStep, stepOf } from './tasks.ts';

const PING: CoreRequest = { method: 'ping', params: {} };

/** A session serves many callers: it is opened in our name, and offers what all those can answer who share it. */
const initializeWith = (capabilities: JsonObject): CoreRequest => ({
  method: 'initialize',
  params: { protocolVersion: NEWEST_LEGACY, capabilities, clientInfo: SALLYPORT },
});

const INITIALIZE = initializeWith({});

/** `elicitation` names its modes since 2025-11-25, where an empty one means forms; older servers know no other. */
function legacyCapabilities(capabilities: JsonObject): JsonObject {
  const { elicitation } = capabilities;
  const formsOnly = isJsonObject(elicitation) && elicitation.url === undefined;
  return formsOnly ? { ...capabilities, elicitation: {} } : capabilities;
}

function coreOf(request: UpstreamRequest): CoreRequest {
  const { operation } = request;
  if (operation.kind === 'ping') return PING;
  if (operation.kind === 'discover') return INITIALIZE;
  const core =
    operation.kind === 'task-step' ? stepOf(operation) : encodeCoreOperation(operation, request.upstreamCursor);
  if (core === undefined) throw refuse('method-not-found');
  return request.asTask === true ? asTask(core) : core;
}

/** `context` of a completion came with 2025-06-18; a stricter server would refuse it. */
function paramsFor(revision: LegacyRevision, core: CoreRequest): JsonObject {
  if (revision !== '2025-03-26' || core.method !== 'completion/complete') return core.params;
  const { context: _unknown, ...params } = core.params;
  return params;
}

function withMeta(params: JsonObject, request: UpstreamRequest): JsonObject {
  const { vendor } = request.meta;
  const { progressToken } = request;
  if (progressToken !== undefined) return { ...params, _meta: { ...vendor, progressToken } };
  return Object.keys(vendor).length === 0 ? params : { ...params, _meta: vendor };
}

function decodeError(_operation: unknown, error: Parameters<ClientCodec['decodeError']>[1]): Failure {
  return decodeUpstreamError(error);
}

/** An `InitializeResult` in the modern vocabulary. Legacy servers say nothing of how long it keeps. */
function decodeDiscovery(result: JsonObject): Discovery {
  return {
    serverInfo: isJsonObject(result.serverInfo) ? result.serverInfo : {},
    capabilities: isJsonObject(result.capabilities) ? result.capabilities : {},
    ...(typeof result.instructions === 'string' ? { instructions: result.instructions } : {}),
    freshness: { ttlMs: 0, scope: 'private' },
  };
}

export function createClientCodec(revision: LegacyRevision): ClientCodec {
  // The header came with 2025-06-18.
  const headers: Readonly<Record<string, string>> = Object.freeze(
    revision === '2025-03-26' ? {} : { 'mcp-protocol-version': revision },
  );
  const encodeRequest = (request: UpstreamRequest): EncodedUpstreamRequest => {
    const core = coreOf(request);
    const params = withMeta(paramsFor(revision, core), request);
    return { method: core.method, body: requestText(request.id, core.method, params), headers };
  };
  return {
    era: 'legacy',
    revision,
    encodeRequest,
    decodeResult(operation, message, isTask = false) {
      if (operation.kind === 'task-step') return decodeStep(operation, message);
      const created = isTask ? decodeCreated(message) : undefined;
      return created ?? { kind: 'complete', result: { kind: 'message', message } };
    },
    decodeError,
    decodeNotice,
    decodeDiscovery,
  };
}

/**
 * Servers that know 2024-11-05 only are spoken to as 2025-03-26: the requests that we make are the same in both, and what
 * 2025-03-26 added on the wire (batches, audio) we neither send nor need.
 */
const revisionOf = (version: string): LegacyRevision | undefined => {
  if (version === '2024-11-05') return '2025-03-26';
  return isLegacyRevision(version) ? version : undefined;
};

export const handshake: LegacyHandshake = {
  initialize(id, capabilities = {}) {
    const { method, params } = initializeWith(legacyCapabilities(capabilities));
    return requestText(id, method, params);
  },
  initialized: notificationText('notifications/initialized'),
  decodeInitialize(result) {
    const { protocolVersion } = result;
    const revision = typeof protocolVersion === 'string' ? revisionOf(protocolVersion) : undefined;
    if (revision !== undefined) return ok({ revision, discovery: decodeDiscovery(result) });
    const message = 'The server chose a protocol version in initialize that the gateway does not speak.';
    return err(failure('upstream-invalid', { sent: 'yes', message }));
  },
};
