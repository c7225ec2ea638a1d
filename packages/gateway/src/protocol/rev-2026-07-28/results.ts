/**
 * Results for 2026-07-28 clients. Every result says what it is (`resultType`); lists, reads and discovery say how long they
 * keep (server/utilities/caching). What an older upstream did not write is put in at the front of its result.
 */

import { failure } from '../../model/failure.ts';
import { isJsonObject, type JsonObject } from '../../model/json.ts';
import type { Continuation, Discovery, InputRequired, ListPage, Raw, UpstreamMessage } from '../../model/outcome.ts';
import { MODERN_REVISIONS } from '../../model/revision.ts';
import type { Entry } from '../../model/target.ts';
import { answer, nameOn, textAnswer, valueAnswer } from '../answers.ts';
import type { EncodeContext, EncodedAnswer } from '../codec.ts';
import { LIST_MEMBERS } from '../core-methods.ts';
import { SALLYPORT } from '../identity.ts';
import { offeredCapabilities, offeredExtensions } from '../offered.ts';
import { insertMembers, memberIs, memberText, withEdits, withId, type Edit } from '../splice.ts';
import { encodeFailure } from './wire-failures.ts';

const SERVER_INFO_KEY = 'io.modelcontextprotocol/serverInfo';
export const OUR_META: JsonObject = { [SERVER_INFO_KEY]: SALLYPORT };
const OUR_META_MEMBER = `"_meta":${JSON.stringify(OUR_META)}`;

const RESULT_TYPE = '"resultType":"complete"';
const WHOLE_MILLISECONDS = /^\d{1,15}$/;

export function encodeComplete(result: Raw, context: EncodeContext): EncodedAnswer {
  if (result.kind === 'value') return encodeValue(result.value, context);
  const { message } = result;
  const cacheable = context.operation?.kind === 'read-resource';
  if (message.era === 'modern' && !cacheable && message.members.has('resultType')) {
    return answer(withId(message, context.id));
  }
  const missing: string[] = [];
  const edits: Edit[] = [];
  completeType(message, missing, edits);
  if (cacheable) completeFreshness(message, missing, edits);
  // An upstream of this revision introduced itself; in a result that is still arriving, `_meta` may yet come.
  if (message.era === 'legacy' && message.resultEnd !== undefined && !message.members.has('_meta')) {
    missing.push(OUR_META_MEMBER);
  }
  if (missing.length > 0) {
    const insertion = insertMembers(message, missing.join(','));
    if (insertion === undefined) return encodeFailure(failure('upstream-invalid', { sent: 'yes' }), context);
    edits.push(insertion);
  }
  return answer(withEdits(message, context.id, edits));
}

/** Replaces the value of a member that the head holds. */
function replaceValue(message: UpstreamMessage, name: string, text: string): Edit[] {
  const member = message.members.get(name);
  return member === undefined ? [] : [{ start: member.valueStart, end: member.end, text }];
}

/** A legacy upstream knows nothing of `resultType`: whatever it wrote there, its result is complete. */
function completeType(message: UpstreamMessage, missing: string[], edits: Edit[]): void {
  if (!message.members.has('resultType')) missing.push(RESULT_TYPE);
  else if (!memberIs(message, 'resultType', '"complete"'))
    edits.push(...replaceValue(message, 'resultType', '"complete"'));
}

/**
 * What was read was read with one caller's rights: nobody else may be served from a cache of it, so `public` becomes
 * `private`. A modern upstream's large result may carry both members behind its contents; they pass as they are.
 */
function completeFreshness(message: UpstreamMessage, missing: string[], edits: Edit[]): void {
  const mayFollow = message.era === 'modern' && message.resultEnd === undefined;
  const ttl = memberText(message, 'ttlMs');
  if (ttl === undefined && !mayFollow) missing.push('"ttlMs":0');
  if (ttl !== undefined && !WHOLE_MILLISECONDS.test(ttl)) edits.push(...replaceValue(message, 'ttlMs', '0'));
  if (!message.members.has('cacheScope')) {
    if (!mayFollow) missing.push('"cacheScope":"private"');
  } else if (!memberIs(message, 'cacheScope', '"private"')) {
    edits.push(...replaceValue(message, 'cacheScope', '"private"'));
  }
}

function encodeValue(value: JsonObject, context: EncodeContext): EncodedAnswer {
  const keeps = context.operation?.kind === 'read-resource' ? { ttlMs: 0, cacheScope: 'private' } : {};
  const meta = isJsonObject(value._meta) ? { ...OUR_META, ...value._meta } : OUR_META;
  return valueAnswer(context.id, { resultType: 'complete', ...keeps, ...value, _meta: meta });
}

type Question = InputRequired & { readonly continuation: Continuation };

/** A question, and the state that its answers come back with (basic/patterns/mrtr). A round without questions only waits. */
export function encodeQuestion({ requests, continuation }: Question, context: EncodeContext): EncodedAnswer {
  if (context.operation === undefined) throw new Error('A question without a request cannot be sealed.');
  return valueAnswer(context.id, {
    resultType: 'input_required',
    ...(Object.keys(requests).length === 0 ? {} : { inputRequests: requests }),
    requestState: context.seals.state.seal(continuation, context.operation),
    _meta: OUR_META,
  });
}

/** `taskSupport` is a word of 2025-11-25 that this revision dropped. */
function entryText(entry: Entry, aggregate: boolean): string {
  const { definition } = entry;
  const name = nameOn(entry, aggregate);
  const { execution } = definition;
  if (!isJsonObject(execution) || execution.taskSupport === undefined) {
    return name === undefined ? entry.text : JSON.stringify({ ...definition, name });
  }
  const { execution: _dropped, ...rest } = definition;
  const { taskSupport: _word, ...others } = execution;
  return JSON.stringify({
    ...rest,
    ...(name === undefined ? {} : { name }),
    ...(Object.keys(others).length === 0 ? {} : { execution: others }),
  });
}

export function encodeListed(page: ListPage, context: EncodeContext): EncodedAnswer {
  const entries = page.entries.map((entry) => entryText(entry, context.aggregate)).join(',');
  const next = page.next === undefined ? '' : `,"nextCursor":${JSON.stringify(context.seals.cursor.seal(page.next))}`;
  const { ttlMs, scope } = page.freshness;
  const text =
    `{${RESULT_TYPE},"${LIST_MEMBERS[page.of]}":[${entries}]${next},` +
    `"ttlMs":${ttlMs},"cacheScope":"${scope}",${OUR_META_MEMBER}}`;
  return textAnswer(context.id, text);
}

export function encodeDiscovered(discovery: Discovery, context: EncodeContext): EncodedAnswer {
  const { serverInfo, instructions, freshness } = discovery;
  const named = typeof serverInfo.name === 'string' && typeof serverInfo.version === 'string';
  return valueAnswer(context.id, {
    resultType: 'complete',
    supportedVersions: MODERN_REVISIONS,
    capabilities: { ...offeredCapabilities(discovery.capabilities), ...offeredExtensions(discovery.capabilities) },
    ...(instructions === undefined ? {} : { instructions }),
    ttlMs: freshness.ttlMs,
    cacheScope: freshness.scope,
    _meta: { [SERVER_INFO_KEY]: named ? serverInfo : SALLYPORT },
  });
}
