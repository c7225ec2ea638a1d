/** What a line from the client is, as far as HTTP needs to know: which headers go with it, and what answers it. */

import { isJsonObject, type Json, type JsonObject } from '../../model/json.ts';
import { NAMED_BY } from '../../protocol/classify.ts';
import { encodeHeaderValue } from '../../protocol/header-value.ts';

export type RequestId = string | number;

export type ClientMessage =
  | { readonly kind: 'request'; readonly id: RequestId; readonly method: string; readonly params: JsonObject }
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonObject }
  /** An answer to the server's question, or a batch of 2025-03-26: goes on as it is. */
  | { readonly kind: 'other' };

/** Undefined when the line is no JSON-RPC message. */
export function readClientMessage(line: string): ClientMessage | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (Array.isArray(parsed)) return { kind: 'other' };
  if (!isJsonObject(parsed)) return undefined;
  const { id, method, params } = parsed;
  if (typeof method !== 'string') return { kind: 'other' };
  const given = isJsonObject(params) ? params : {};
  if (typeof id === 'string' || typeof id === 'number') return { kind: 'request', id, method, params: given };
  return { kind: 'notification', method, params: given };
}

const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';

/** The revision that a request names itself: only those without a handshake do (2026-07-28 on). */
export function modernRevision(params: JsonObject): string | undefined {
  const meta = params['_meta'];
  const version = isJsonObject(meta) ? meta[VERSION_KEY] : undefined;
  return typeof version === 'string' ? version : undefined;
}

/** The standard headers of a modern request. */
export function modernHeaders(revision: string, method: string, params: JsonObject): Record<string, string> {
  const member = NAMED_BY[method];
  const name: Json | undefined = member === undefined ? undefined : params[member];
  return {
    'mcp-protocol-version': revision,
    'mcp-method': method,
    ...(typeof name === 'string' ? { 'mcp-name': encodeHeaderValue(name) } : {}),
  };
}
