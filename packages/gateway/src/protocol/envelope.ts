/**
 * Tells what a JSON-RPC message from an upstream is, and where its parts stand, from its first bytes: so that a result
 * travels on as it was written, and a large one before its end has arrived. Walks bytes, makes no value of them.
 */

import type { Span, UpstreamMessage } from '../model/outcome.ts';
import type { Era } from '../model/revision.ts';
import {
  BACKSLASH,
  BRACE_CLOSE,
  BRACE_OPEN,
  COMMA,
  INCOMPLETE,
  INVALID,
  QUOTE,
  skipColon,
  skipSpace,
  skipString,
  skipValue,
} from './json-scan.ts';

export type Members = UpstreamMessage['members'];
type Member = Span & { readonly valueStart: number };

export type Envelope =
  | {
      readonly kind: 'response';
      readonly id: Span;
      readonly resultStart: number;
      /** Absent: the result, and with it the message, goes on behind these bytes. Present: the message is whole. */
      readonly resultEnd?: number;
      readonly members: Members;
    }
  /** These three are found only once the message is whole: they are parsed, see `upstream-answer.ts`. */
  | { readonly kind: 'error' }
  | { readonly kind: 'request' }
  | { readonly kind: 'notification' };

export type EnvelopeScan =
  | { readonly kind: 'need-more' }
  | { readonly kind: 'found'; readonly envelope: Envelope }
  /** `reason` completes the sentence "the answer is not JSON-RPC: it …". */
  | { readonly kind: 'not-json-rpc'; readonly reason: string };

export type EnvelopeOptions = {
  /** A modern result is handed on before its end only once its `resultType` is known to be `complete`. */
  readonly era: Era;
  /** The bytes are all there is: what is missing now is missing for good. */
  readonly complete: boolean;
};

const NEED_MORE: EnvelopeScan = { kind: 'need-more' };
const notJsonRpc = (reason: string): EnvelopeScan => ({ kind: 'not-json-rpc', reason });

const utf8 = new TextDecoder();

/** Keys that nearly every message has: recognised by their bytes, so that no string is built for them. */
const COMMON_KEYS = [
  'jsonrpc',
  'id',
  'method',
  'params',
  'result',
  'error',
  'resultType',
  'content',
  'structuredContent',
  'isError',
  '_meta',
  'contents',
  'messages',
  'ttlMs',
  'cacheScope',
];

const commonKeySlot = (length: number, first: number, last: number): number => (length * 37 + first * 5 + last) & 127;

const COMMON_KEY_SLOTS: readonly (string | undefined)[] = (() => {
  const slots = Array.from<string | undefined>({ length: 128 });
  for (const key of COMMON_KEYS) {
    slots[commonKeySlot(key.length, key.charCodeAt(0), key.charCodeAt(key.length - 1))] = key;
  }
  return slots;
})();

function isCommonKey(bytes: Uint8Array, from: number, key: string): boolean {
  for (let index = 0; index < key.length; index += 1) {
    if (bytes[from + index] !== key.charCodeAt(index)) return false;
  }
  return true;
}

/** Text of a string token, quotes included in the span. Undefined when it is not a JSON string after all. */
function stringAt(bytes: Uint8Array, start: number, end: number): string | undefined {
  const length = end - start - 2;
  const common = COMMON_KEY_SLOTS[commonKeySlot(length, bytes[start + 1] ?? 0, bytes[end - 2] ?? 0)];
  if (common !== undefined && common.length === length && isCommonKey(bytes, start + 1, common)) return common;
  let text = '';
  for (let index = start + 1; index < end - 1; index += 1) {
    const byte = bytes[index] ?? 0;
    if (byte < 0x20 || byte >= 0x80 || byte === BACKSLASH) return parsedString(bytes.subarray(start, end));
    text += String.fromCharCode(byte);
  }
  return text;
}

function parsedString(token: Uint8Array): string | undefined {
  try {
    const value: unknown = JSON.parse(utf8.decode(token));
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Told of each member at its value; answers where the value ends (or `INCOMPLETE`, `INVALID`). */
type Visit = (key: string, keyStart: number, valueStart: number) => number;

/** Past the object that opens at `from`, or `INCOMPLETE` / `INVALID`. */
function walkObject(bytes: Uint8Array, from: number, visit: Visit): number {
  let index = skipSpace(bytes, from + 1);
  if (bytes[index] === BRACE_CLOSE) return index + 1;
  for (;;) {
    if (index >= bytes.length) return INCOMPLETE;
    if (bytes[index] !== QUOTE) return INVALID;
    const keyEnd = skipString(bytes, index);
    if (keyEnd < 0) return keyEnd;
    const valueStart = skipColon(bytes, keyEnd);
    if (valueStart < 0) return valueStart;
    const key = stringAt(bytes, index, keyEnd);
    if (key === undefined) return INVALID;
    const end = visit(key, index, valueStart);
    if (end < 0) return end;
    index = skipSpace(bytes, end);
    if (index >= bytes.length) return INCOMPLETE;
    if (bytes[index] === BRACE_CLOSE) return index + 1;
    if (bytes[index] !== COMMA) return INVALID;
    index = skipSpace(bytes, index + 1);
  }
}

/** Top-level members by name. A key that comes twice makes the message ambiguous, and so refused. */
type Parts = {
  jsonrpc: Member | undefined;
  id: Member | undefined;
  method: Member | undefined;
  result: Member | undefined;
  error: Member | undefined;
  repeated: boolean;
  /** Where a result that the bytes break off in begins. */
  openResultStart: number;
  readonly members: Map<string, Member>;
};

/** `result` is walked into, so that its members are known even where it breaks off; all else is skipped over. */
function walkMessage(bytes: Uint8Array, from: number, parts: Parts): number {
  const visitResult: Visit = (key, start, valueStart) => {
    const end = skipValue(bytes, valueStart);
    if (end >= 0) parts.members.set(key, { start, end, valueStart });
    return end;
  };
  return walkObject(bytes, from, (key, start, valueStart) => {
    const isResult = key === 'result';
    if (isResult) parts.openResultStart = valueStart;
    const isObject = bytes[valueStart] === BRACE_OPEN;
    const end = isResult && isObject ? walkObject(bytes, valueStart, visitResult) : skipValue(bytes, valueStart);
    if (end < 0) return end;
    parts.openResultStart = -1;
    switch (key) {
      case 'jsonrpc':
      case 'id':
      case 'method':
      case 'result':
      case 'error':
        if (parts[key] !== undefined) parts.repeated = true;
        parts[key] = { start, end, valueStart };
        break;
      default:
    }
    return end;
  });
}

const isString = (bytes: Uint8Array, member: Member): boolean => bytes[member.valueStart] === QUOTE;
const isId = (bytes: Uint8Array, member: Member): boolean => {
  const first = bytes[member.valueStart] ?? 0;
  return first === QUOTE || first === 0x2d || (first >= 0x30 && first <= 0x39);
};
const isVersion2 = (bytes: Uint8Array, member: Member): boolean =>
  isString(bytes, member) && stringAt(bytes, member.valueStart, member.end) === '2.0';
const idSpan = (member: Member): Span => ({ start: member.valueStart, end: member.end });

/** A response whose result is still arriving: found once its id, and what decides how it is read, are known. */
function scanOpenResult(bytes: Uint8Array, parts: Parts, era: Era): EnvelopeScan {
  const { openResultStart: resultStart, members } = parts;
  if (parts.repeated || parts.result !== undefined) return notJsonRpc('repeats a member');
  if (parts.error !== undefined || parts.method !== undefined) return notJsonRpc('has a result and an error or method');
  if (bytes[resultStart] !== BRACE_OPEN) return notJsonRpc('has a result that is not an object');
  if (parts.id === undefined) return NEED_MORE;
  if (!isId(bytes, parts.id)) return notJsonRpc('has an id that is neither a string nor a number');
  if (era === 'modern') {
    const resultType = members.get('resultType');
    if (resultType === undefined) return NEED_MORE;
    // Questions to the person and tasks are read whole by the codec.
    if (stringAt(bytes, resultType.valueStart, resultType.end) !== 'complete') return NEED_MORE;
  }
  return { kind: 'found', envelope: { kind: 'response', id: idSpan(parts.id), resultStart, members } };
}

function scanWhole(bytes: Uint8Array, parts: Parts): EnvelopeScan {
  const { id, method, result, error } = parts;
  if (parts.repeated) return notJsonRpc('repeats a member');
  if (parts.jsonrpc === undefined || !isVersion2(bytes, parts.jsonrpc))
    return notJsonRpc('does not say "jsonrpc":"2.0"');
  if (method !== undefined) {
    if (result !== undefined || error !== undefined) return notJsonRpc('has a method and an answer');
    if (!isString(bytes, method)) return notJsonRpc('has a method that is not a string');
    if (id === undefined) return { kind: 'found', envelope: { kind: 'notification' } };
    if (!isId(bytes, id)) return notJsonRpc('has an id that is neither a string nor a number');
    return { kind: 'found', envelope: { kind: 'request' } };
  }
  if (result === undefined && error === undefined) return notJsonRpc('has neither a method, a result nor an error');
  if (result !== undefined && error !== undefined) return notJsonRpc('has a result and an error');
  if (result === undefined) return { kind: 'found', envelope: { kind: 'error' } };
  if (id === undefined || !isId(bytes, id)) return notJsonRpc('has a result without a usable id');
  if (bytes[result.valueStart] !== BRACE_OPEN) return notJsonRpc('has a result that is not an object');
  const { members } = parts;
  return {
    kind: 'found',
    envelope: { kind: 'response', id: idSpan(id), resultStart: result.valueStart, resultEnd: result.end, members },
  };
}

/**
 * What the message that begins with `bytes` is. Pure and repeatable: call it again from the start when more has arrived
 * (at doubling sizes, so that the work stays linear). A message with equal top-level keys is refused, because we and the
 * client behind us could read different ones.
 */
export function scanEnvelope(bytes: Uint8Array, options: EnvelopeOptions): EnvelopeScan {
  const start = skipSpace(bytes, 0);
  if (start >= bytes.length) return options.complete ? notJsonRpc('is empty') : NEED_MORE;
  if (bytes[start] !== BRACE_OPEN) return notJsonRpc('is not a JSON object');
  const parts: Parts = {
    jsonrpc: undefined,
    id: undefined,
    method: undefined,
    result: undefined,
    error: undefined,
    repeated: false,
    openResultStart: -1,
    members: new Map(),
  };
  const end = walkMessage(bytes, start, parts);
  if (end === INVALID) return notJsonRpc('is not valid JSON');
  if (end === INCOMPLETE) {
    if (options.complete) return notJsonRpc('ends before its last brace');
    return parts.openResultStart >= 0 ? scanOpenResult(bytes, parts, options.era) : NEED_MORE;
  }
  if (skipSpace(bytes, end) < bytes.length) return notJsonRpc('goes on after its last brace');
  return scanWhole(bytes, parts);
}
