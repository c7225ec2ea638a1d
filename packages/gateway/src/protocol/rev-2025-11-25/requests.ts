/** Requests of legacy clients: what a request does not say of its client, the session knows from `initialize`. */

import { failure, type Failure } from '../../model/failure.ts';
import { isJsonObject, type JsonObject } from '../../model/json.ts';
import { isLogLevel, LOG_LEVELS } from '../../model/log-level.ts';
import { isLegacyRevision, NEWEST_LEGACY } from '../../model/revision.ts';
import type { ClientFacts } from '../../model/request.ts';
import type { Operation } from '../../model/operation.ts';
import { err, ok, type Result } from '../../model/result.ts';
import type { DecodeContext, Decoded } from '../codec.ts';
import { decodeCoreOperation, extensionOperation, type CoreOperation } from '../core-methods.ts';
import type { RpcMessage, RpcRequest } from '../json-rpc.ts';
import { readMeta } from '../request-meta.ts';

/** Features that we do not offer, methods of the other era, and those that only servers may ask for. */
const NOT_OFFERED: ReadonlySet<string> = new Set([
  'tasks/get',
  'tasks/list',
  'tasks/result',
  'tasks/cancel',
  'tasks/update',
  'server/discover',
  'subscriptions/listen',
  'sampling/createMessage',
  'elicitation/create',
  'roots/list',
]);

/** `task` asks for a task where one is offered; where none is, the request is handled as if it were not there (2025-11-25, tasks). */
const OWN_PARAMS: ReadonlySet<string> = new Set(['task']);

const SUBSCRIBE_METHODS: ReadonlyMap<string, 'subscribe' | 'unsubscribe'> = new Map([
  ['resources/subscribe', 'subscribe'],
  ['resources/unsubscribe', 'unsubscribe'],
]);

const NOBODY: readonly string[] = Object.freeze([]);
const UNKNOWN_CLIENT = Object.freeze({});

export function decode(message: RpcMessage, context: DecodeContext): Decoded {
  return message.kind === 'request' ? decodeRequest(message, context) : message;
}

function decodeRequest(message: RpcRequest, context: DecodeContext): Decoded {
  const { id, method, params } = message;
  if (NOT_OFFERED.has(method)) return { kind: 'refused', id, failure: failure('method-not-found') };
  if (method === 'initialize') return decodeInitialize(message);
  if (method === 'logging/setLevel') return decodeSetLevel(message);
  const meta = readMeta(params._meta);
  const core =
    subscribeOperation(method, params) ??
    decodeCoreOperation(method, params, { seals: context.seals, ownParams: OWN_PARAMS });
  if (core === undefined) {
    const operation: Operation = method === 'ping' ? { kind: 'ping' } : extensionOperation(method, params);
    return { kind: 'request', id, method, operation, meta, client: UNKNOWN_CLIENT, sealedFor: NOBODY };
  }
  if (!core.ok) return { kind: 'refused', id, failure: core.error };
  return { kind: 'request', id, method, ...core.value, meta, client: UNKNOWN_CLIENT };
}

function subscribeOperation(method: string, { uri }: JsonObject): Result<CoreOperation, Failure> | undefined {
  const kind = SUBSCRIBE_METHODS.get(method);
  if (kind === undefined) return undefined;
  if (typeof uri !== 'string') return err(failure('invalid-params', { message: 'params.uri must be a string.' }));
  return ok({ operation: { kind, uri }, sealedFor: NOBODY });
}

/** The client's revision if we speak it, else the newest that has sessions (2025-11-25, basic/lifecycle, Version Negotiation). */
function decodeInitialize({ id, method, params }: RpcRequest): Decoded {
  const { protocolVersion, capabilities } = params;
  if (typeof protocolVersion !== 'string') {
    const message = 'params.protocolVersion must be a string.';
    return { kind: 'refused', id, failure: failure('invalid-params', { message }) };
  }
  return {
    kind: 'request',
    id,
    method,
    operation: { kind: 'discover' },
    meta: readMeta(params._meta),
    client: { capabilities: isJsonObject(capabilities) ? capabilities : {}, ...infoOf(params) },
    negotiated: isLegacyRevision(protocolVersion) ? protocolVersion : NEWEST_LEGACY,
    sealedFor: NOBODY,
  };
}

function decodeSetLevel({ id, method, params }: RpcRequest): Decoded {
  const { level } = params;
  if (!isLogLevel(level)) {
    const message = `params.level must be one of ${LOG_LEVELS.join(', ')}.`;
    return { kind: 'refused', id, failure: failure('invalid-params', { message }) };
  }
  const operation: Operation = { kind: 'set-log-level', level };
  const meta = readMeta(params._meta);
  return { kind: 'request', id, method, operation, meta, client: UNKNOWN_CLIENT, sealedFor: NOBODY };
}

function infoOf(params: JsonObject): Pick<ClientFacts, 'info'> {
  const info = params.clientInfo;
  if (!isJsonObject(info)) return {};
  const { name, version } = info;
  return typeof name === 'string' && typeof version === 'string' ? { info: { ...info, name, version } } : {};
}
