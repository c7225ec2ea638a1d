/** Turns a scanned envelope into an `UpstreamAnswer`: parses what must be parsed and leaves results as bytes. */

import { isJsonObject } from '../model/json.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { UpstreamMessage } from '../model/outcome.ts';
import type { Era } from '../model/revision.ts';
import type { JsonRpcId, UpstreamAnswer } from './codec.ts';
import type { Envelope } from './envelope.ts';

export type ScannedMessage = {
  readonly era: Era;
  /** The bytes that were scanned. */
  readonly head: Uint8Array;
  readonly envelope: Envelope;
  /** What follows `head` when the envelope's result has no end yet. */
  readonly rest?: AsyncIterable<Uint8Array>;
};

const utf8 = new TextDecoder();
const NO_PARAMS: JsonObject = {};

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    return undefined;
  }
}

const isId = (value: unknown): value is JsonRpcId => typeof value === 'string' || typeof value === 'number';

/** The id of a response. Small whole numbers, which are what we mint, are read without a parser. */
function idAt(bytes: Uint8Array, start: number, end: number): JsonRpcId | undefined {
  if (end - start <= 15) {
    let value = 0;
    let index = start;
    for (; index < end; index += 1) {
      const digit = (bytes[index] ?? 0) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (index === end) return value;
  }
  const parsed = parse(bytes.subarray(start, end));
  return isId(parsed) ? parsed : undefined;
}

function response(message: ScannedMessage, envelope: Envelope & { kind: 'response' }): UpstreamAnswer | undefined {
  const { era, head, rest } = message;
  const { id, resultStart, resultEnd, members } = envelope;
  const value = idAt(head, id.start, id.end);
  if (value === undefined) return undefined;
  const open: UpstreamMessage = { era, head, id, resultStart, members };
  if (resultEnd !== undefined) return { kind: 'response', id: value, message: { ...open, resultEnd } };
  return rest === undefined ? undefined : { kind: 'response', id: value, message: { ...open, rest } };
}

function error(id: unknown, value: unknown): UpstreamAnswer | undefined {
  if (!isJsonObject(value)) return undefined;
  const { code, message, data } = value;
  if (typeof code !== 'number') return undefined;
  return {
    kind: 'error',
    id: isId(id) ? id : null,
    error: { code, message: typeof message === 'string' ? message : '', ...(data === undefined ? {} : { data }) },
  };
}

/** The answer behind a scanned message, or undefined when its parts are not what JSON-RPC 2.0 says they are. */
export function readUpstreamAnswer(scanned: ScannedMessage): UpstreamAnswer | undefined {
  const { envelope } = scanned;
  if (envelope.kind === 'response') return response(scanned, envelope);
  const message = parse(scanned.head);
  if (!isJsonObject(message)) return undefined;
  if (envelope.kind === 'error') return error(message['id'], message['error']);
  const { id, method } = message;
  const params: Json | undefined = message['params'];
  if (typeof method !== 'string') return undefined;
  const object = isJsonObject(params) ? params : NO_PARAMS;
  if (envelope.kind === 'notification') return { kind: 'notification', method, params: object };
  return isId(id) ? { kind: 'request', id, method, params: object } : undefined;
}
