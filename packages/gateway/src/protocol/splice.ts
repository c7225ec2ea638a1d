/**
 * Results as bytes: a response is written to the client as its server wrote it, with a few places replaced. Nothing is
 * parsed unless a projection must see inside.
 */

import { failure, type Failure } from '../model/failure.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { Span, UpstreamMessage } from '../model/outcome.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { EncodedMessage, JsonRpcId } from './codec.ts';

/** Puts `text` in the place of the bytes of `head` between `start` and `end`. */
export type Edit = Span & { readonly text: string };

const QUOTE = 0x22;
const utf8 = new TextDecoder();

export const idText = (id: JsonRpcId | null): string => (typeof id === 'number' ? String(id) : JSON.stringify(id));

/** The message under the client's id: the hot path of every call. */
export function withId(message: UpstreamMessage, id: JsonRpcId | null): EncodedMessage {
  const { head, rest } = message;
  const chunks = [head.subarray(0, message.id.start), idText(id), head.subarray(message.id.end)];
  return rest === undefined ? { chunks } : { chunks, rest };
}

/** The message under the client's id, with further edits that do not overlap. */
export function withEdits(message: UpstreamMessage, id: JsonRpcId | null, edits: readonly Edit[]): EncodedMessage {
  const { head, rest } = message;
  const ordered = [...edits, { ...message.id, text: idText(id) }].sort((one, other) => one.start - other.start);
  const chunks: (string | Uint8Array)[] = [];
  let from = 0;
  for (const edit of ordered) {
    chunks.push(head.subarray(from, edit.start), edit.text);
    from = edit.end;
  }
  chunks.push(head.subarray(from));
  return rest === undefined ? { chunks } : { chunks, rest };
}

/**
 * The edit that adds members (`"a":1,"b":2`) at the front of the result. Undefined when the head breaks off before it shows
 * whether the result has members at all, and so whether a comma must follow.
 */
export function insertMembers(message: UpstreamMessage, members: string): Edit | undefined {
  const at = message.resultStart + 1;
  if (message.members.size === 0 && message.resultEnd === undefined && !opensWithKey(message.head, at))
    return undefined;
  const empty = message.members.size === 0 && message.resultEnd !== undefined;
  return { start: at, end: at, text: empty ? members : `${members},` };
}

function opensWithKey(head: Uint8Array, from: number): boolean {
  let index = from;
  while (index < head.length && (head[index] ?? 0) <= 0x20) index += 1;
  return head[index] === QUOTE;
}

/** The text of a member's value. Undefined when the head does not hold the member. */
export function memberText(message: UpstreamMessage, name: string): string | undefined {
  const member = message.members.get(name);
  if (member === undefined) return undefined;
  return utf8.decode(message.head.subarray(member.valueStart, member.end));
}

/** Is the value of a member exactly this ASCII text? Makes no string: every modern result is asked for its type. */
export function memberIs(message: UpstreamMessage, name: string, text: string): boolean {
  const member = message.members.get(name);
  if (member === undefined || member.end - member.valueStart !== text.length) return false;
  for (let index = 0; index < text.length; index += 1) {
    if (message.head[member.valueStart + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

/** The result of a message that is whole. */
export function parseWhole(message: UpstreamMessage): JsonObject | undefined {
  return message.resultEnd === undefined
    ? undefined
    : parseObject(message.head.subarray(message.resultStart, message.resultEnd));
}

function parseObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The result of a message that is still arriving, held up to `maxBytes`. Never throws. */
export async function collectResult(message: UpstreamMessage, maxBytes: number): Promise<Result<JsonObject, Failure>> {
  const pieces = [message.head];
  let size = message.head.length;
  try {
    for await (const piece of message.rest ?? []) {
      size += piece.length;
      if (size > maxBytes) return err(failure('result-too-large', { sent: 'yes' }));
      pieces.push(piece);
    }
  } catch (cause) {
    return err(failure('upstream-closed', { sent: 'yes', cause }));
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  const parsed = parseObject(whole);
  return isJsonObject(parsed?.result) ? ok(parsed.result) : err(failure('upstream-invalid', { sent: 'yes' }));
}
