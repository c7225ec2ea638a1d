/** We as the client of a 2026-07-28 upstream. */

import { failure, refuse, type Failure } from '../../model/failure.ts';
import { isJsonObject, type JsonObject } from '../../model/json.ts';
import type { Discovery, Freshness, InputRequests, Outcome, UpstreamMessage } from '../../model/outcome.ts';
import { NEWEST_MODERN } from '../../model/revision.ts';
import type { TaskStep } from '../../model/task.ts';
import { filterParams } from '../changes.ts';
import type { ClientCodec, EncodedUpstreamRequest, UpstreamOperation, UpstreamRequest } from '../codec.ts';
import { encodeCoreOperation, type CoreRequest } from '../core-methods.ts';
import { encodeHeaderValue } from '../header-value.ts';
import { SALLYPORT } from '../identity.ts';
import { requestText } from '../json-rpc.ts';
import { decodeNotice } from '../notices.ts';
import { encodeParamHeaders } from '../param-headers.ts';
import { memberIs, parseWhole } from '../splice.ts';
import { decodeUpstreamError } from '../upstream-failure.ts';

const DISCOVER: CoreRequest = { method: 'server/discover', params: {} };

/** Where nobody can be asked, nothing is declared. */
const NO_CAPABILITIES: JsonObject = {};

function encodeRequest(request: UpstreamRequest): EncodedUpstreamRequest {
  const { meta, progressToken } = request;
  const core = coreOf(request);
  if (core === undefined) throw refuse('method-not-found');
  const { method, params } = core;
  const _meta = {
    ...meta.vendor,
    ...(progressToken === undefined ? undefined : { progressToken }),
    ...(meta.logLevel === undefined ? undefined : { 'io.modelcontextprotocol/logLevel': meta.logLevel }),
    'io.modelcontextprotocol/protocolVersion': NEWEST_MODERN,
    'io.modelcontextprotocol/clientInfo': request.client.info ?? SALLYPORT,
    'io.modelcontextprotocol/clientCapabilities': request.capabilities ?? NO_CAPABILITIES,
  };
  const body = requestText(request.id, method, { ...params, ...answersOf(request), _meta });
  return { method, body, headers: headersOf(request, method) };
}

function coreOf({ operation, upstreamCursor }: UpstreamRequest): CoreRequest | undefined {
  switch (operation.kind) {
    case 'discover':
      return DISCOVER;
    case 'listen':
      return { method: 'subscriptions/listen', params: { notifications: filterParams(operation.filter) } };
    case 'task-step':
      return stepOf(operation);
    case 'subscribe':
    case 'unsubscribe':
      return undefined;
    default:
      return encodeCoreOperation(operation, upstreamCursor);
  }
}

function stepOf({ verb, ref, responses }: TaskStep): CoreRequest | undefined {
  if (verb === 'result') return undefined;
  const params = { taskId: ref.id, ...(verb === 'update' ? { inputResponses: responses ?? {} } : undefined) };
  return { method: `tasks/${verb}`, params };
}

function answersOf({ answers }: UpstreamRequest): JsonObject {
  if (answers === undefined) return {};
  const { responses, state } = answers;
  return {
    ...(Object.keys(responses).length === 0 ? {} : { inputResponses: responses }),
    // Byte for byte, and only where there was one (basic/patterns/mrtr, Client Requirements).
    ...(state === undefined ? {} : { requestState: state }),
  };
}

function headersOf(request: UpstreamRequest, method: string): Readonly<Record<string, string>> {
  const { operation } = request;
  const standard = { 'mcp-protocol-version': NEWEST_MODERN, 'mcp-method': method };
  switch (operation.kind) {
    case 'call-tool': {
      const params = encodeParamHeaders(request.inputSchema, operation.arguments, request.meta.paramHeaders);
      return { ...params, ...standard, 'mcp-name': encodeHeaderValue(operation.name) };
    }
    case 'get-prompt':
      return { ...standard, 'mcp-name': encodeHeaderValue(operation.name) };
    case 'read-resource':
      return { ...standard, 'mcp-name': encodeHeaderValue(operation.uri) };
    // So that whatever stands before the server finds the instance that has the task (tasks extension, Routing Headers).
    case 'task-step':
      return { ...standard, 'mcp-name': encodeHeaderValue(operation.ref.id) };
    default:
      return standard;
  }
}

const broken = (message: string): Outcome => ({
  kind: 'failed',
  failure: failure('upstream-invalid', { sent: 'yes', message }),
});

/** What the extension calls an empty acknowledgement. */
const ACKNOWLEDGED: Outcome = { kind: 'complete', result: { kind: 'value', value: {} } };

/** `resultType` of a task that is asked for should be `complete`; the extension's own examples say `task`. */
function decodeStep({ verb }: TaskStep, message: UpstreamMessage): Outcome {
  if (verb !== 'get') return ACKNOWLEDGED;
  const task = parseWhole(message);
  return task === undefined
    ? broken('The server answered tasks/get with something that is no task.')
    : { kind: 'task', task };
}

function decodeResult(operation: UpstreamOperation, message: UpstreamMessage): Outcome {
  if (operation.kind === 'task-step') return decodeStep(operation, message);
  if (operation.kind === 'discover') {
    const about = parseWhole(message);
    return about === undefined
      ? broken('The server answered server/discover with something that is no JSON object.')
      : { kind: 'discovered', discovery: decodeDiscovery(about) };
  }
  // An absent type means complete (basic, Result); only in a result that is still arriving could it yet say otherwise.
  const isUnsaid = message.resultEnd !== undefined && !message.members.has('resultType');
  if (isUnsaid || memberIs(message, 'resultType', '"complete"')) {
    return { kind: 'complete', result: { kind: 'message', message } };
  }
  const result = parseWhole(message);
  if (result === undefined) return broken("The server's result does not say early enough what it is.");
  if (result.resultType === 'task' && operation.kind === 'call-tool') return { kind: 'task', task: result };
  if (result.resultType !== 'input_required') return broken("The server's result is of a type that is not known.");
  const requests = readInputRequests(result.inputRequests);
  if (requests === undefined) return broken("The server's questions are not valid input requests.");
  const { requestState: state } = result;
  if (state === undefined) return { kind: 'input-required', requests };
  return typeof state === 'string'
    ? { kind: 'input-required', requests, state }
    : broken("The server's requestState is no string.");
}

function readInputRequests(value: JsonObject[string]): InputRequests | undefined {
  if (value === undefined) return {};
  if (!isJsonObject(value)) return undefined;
  const requests = new Map<string, InputRequests[string]>();
  for (const [key, request] of Object.entries(value)) {
    if (!isJsonObject(request) || typeof request.method !== 'string') return undefined;
    requests.set(key, { method: request.method, params: isJsonObject(request.params) ? request.params : {} });
  }
  return Object.fromEntries(requests);
}

function decodeError(_operation: UpstreamOperation, error: Parameters<ClientCodec['decodeError']>[1]): Failure {
  return decodeUpstreamError(error);
}

function freshnessOf(result: JsonObject): Freshness {
  const { ttlMs } = result;
  return {
    ttlMs: typeof ttlMs === 'number' && Number.isSafeInteger(ttlMs) && ttlMs >= 0 ? ttlMs : 0,
    scope: result.cacheScope === 'public' ? 'public' : 'private',
  };
}

function decodeDiscovery(result: JsonObject): Discovery {
  const meta = isJsonObject(result._meta) ? result._meta : {};
  const info = meta['io.modelcontextprotocol/serverInfo'];
  return {
    serverInfo: isJsonObject(info) ? info : {},
    capabilities: isJsonObject(result.capabilities) ? result.capabilities : {},
    ...(typeof result.instructions === 'string' ? { instructions: result.instructions } : {}),
    freshness: freshnessOf(result),
  };
}

export const clientCodec: ClientCodec = {
  era: 'modern',
  revision: NEWEST_MODERN,
  encodeRequest,
  decodeResult,
  decodeError,
  decodeNotice,
  decodeDiscovery,
};
