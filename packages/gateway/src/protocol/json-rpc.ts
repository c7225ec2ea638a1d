/**
 * JSON-RPC 2.0 envelopes: telling messages apart, and the few texts that are the same in every revision. MCP narrows
 * JSON-RPC: an id is a string or a number and never null, params are always an object.
 */

import { failure, type Failure } from '../model/failure.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import { err, ok, type Result } from '../model/result.ts';

export type JsonRpcId = string | number;

export type RpcRequest = {
  readonly kind: 'request';
  readonly id: JsonRpcId;
  readonly method: string;
  readonly params: JsonObject;
};

export type RpcNotification = { readonly kind: 'notification'; readonly method: string; readonly params: JsonObject };

/** An answer: `message` is the whole object, with its `result` or its `error`. */
export type RpcResponse = { readonly kind: 'response'; readonly id: JsonRpcId; readonly message: JsonObject };

export type RpcMessage = RpcRequest | RpcNotification | RpcResponse;

/** Why a body is no JSON-RPC message, with the id to answer under when one could be read. */
export type RpcFault = { readonly id: JsonRpcId | null; readonly failure: Failure };

const NO_PARAMS: JsonObject = Object.freeze({});

const fault = (id: JsonRpcId | null, message: string): Result<never, RpcFault> =>
  err({ id, failure: failure('invalid-request', { message }) });

/** True for what MCP accepts as a request id: a string, or a number that is not fractional. */
const isJsonRpcId = (value: unknown): value is JsonRpcId =>
  typeof value === 'string' || (typeof value === 'number' && Number.isSafeInteger(value));

/** Reads one message. Batches are the caller's to take apart. */
export function readMessage(body: Json | undefined): Result<RpcMessage, RpcFault> {
  if (!isJsonObject(body)) return fault(null, 'The body must be one JSON-RPC message: a JSON object.');
  const { id } = body;
  const known = isJsonRpcId(id) ? id : null;
  if (body.jsonrpc !== '2.0') return fault(known, 'The message must carry "jsonrpc": "2.0".');
  if (id !== undefined && known === null) return fault(null, 'The id must be a string or an integer.');
  const { method } = body;
  if (method === undefined && known !== null && (body.result !== undefined || body.error !== undefined)) {
    return ok({ kind: 'response', id: known, message: body });
  }
  if (typeof method !== 'string' || method === '') return fault(known, 'The message must name its method.');
  if (body.result !== undefined || body.error !== undefined) {
    return fault(known, 'A message is either a request or a response: it cannot carry both a method and an answer.');
  }
  const params = body.params ?? NO_PARAMS;
  if (!isJsonObject(params)) return fault(known, 'params must be a JSON object.');
  return ok(known === null ? { kind: 'notification', method, params } : { kind: 'request', id: known, method, params });
}

/** The text of a notification. It holds no raw line break, so it fits one line of stdio and one SSE event. */
export const notificationText = (method: string, params?: JsonObject): string =>
  JSON.stringify(params === undefined ? { jsonrpc: '2.0', method } : { jsonrpc: '2.0', method, params });

/** The text of a request, likewise on one line. */
export const requestText = (id: JsonRpcId, method: string, params: JsonObject): string =>
  JSON.stringify({ jsonrpc: '2.0', id, method, params });

/** Our answer to a request, likewise. */
export const resultText = (id: JsonRpcId, result: JsonObject): string => JSON.stringify({ jsonrpc: '2.0', id, result });

export const errorText = (id: JsonRpcId, error: { readonly code: number; readonly message: string }): string =>
  JSON.stringify({ jsonrpc: '2.0', id, error });
