/** We as the server of a client that speaks 2024-11-05 (over HTTP+SSE alone), 2025-03-26, 2025-06-18 or 2025-11-25. */

import type { Failure } from '../../model/failure.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Discovery, ListPage, Outcome, Raw, UpstreamMessage } from '../../model/outcome.ts';
import { answer, isForPerson, notCarried, textAnswer, toolErrorResult, valueAnswer } from '../answers.ts';
import type { EncodeContext, EncodedAnswer, ServerCodec } from '../codec.ts';
import { LIST_MEMBERS } from '../core-methods.ts';
import { SALLYPORT } from '../identity.ts';
import { encodeNotice } from '../notices.ts';
import { offeredCapabilities } from '../offered.ts';
import { collectResult, parseWhole, withId } from '../splice.ts';
import { entryText, needsProjection, projectResult, type SpokenRevision } from './projection.ts';
import { decode } from './requests.ts';
import { encodeFailure } from './wire-failures.ts';

type Answer = EncodedAnswer | Promise<EncodedAnswer>;

function encodeComplete(result: Raw, revision: SpokenRevision, context: EncodeContext): Answer {
  if (result.kind === 'value') return valueAnswer(context.id, result.value);
  const { message } = result;
  if (!needsProjection(message, revision, context)) return answer(withId(message, context.id));
  const whole = parseWhole(message);
  if (whole !== undefined) return valueAnswer(context.id, projectResult(whole, revision));
  return encodeCollected(message, revision, context);
}

async function encodeCollected(
  message: UpstreamMessage,
  revision: SpokenRevision,
  context: EncodeContext,
): Promise<EncodedAnswer> {
  const collected = await collectResult(message, context.maxProjectedBytes);
  return collected.ok
    ? valueAnswer(context.id, projectResult(collected.value, revision))
    : encodeFailure(collected.error, context);
}

function encodeListed(page: ListPage, revision: SpokenRevision, context: EncodeContext): EncodedAnswer {
  const entries = page.entries.map((entry) => entryText(entry, revision, context.aggregate)).join(',');
  const next = page.next === undefined ? '' : `,"nextCursor":${JSON.stringify(context.seals.cursor.seal(page.next))}`;
  return textAnswer(context.id, `{"${LIST_MEMBERS[page.of]}":[${entries}]${next}}`);
}

/** `InitializeResult`: discovery in the words of a handshake. */
function initializeResult(discovery: Discovery, revision: SpokenRevision): JsonObject {
  const { serverInfo, instructions } = discovery;
  const named = typeof serverInfo.name === 'string' && typeof serverInfo.version === 'string';
  return {
    protocolVersion: revision,
    capabilities: offeredCapabilities(discovery.capabilities),
    serverInfo: named ? serverInfo : SALLYPORT,
    ...(instructions === undefined ? {} : { instructions }),
  };
}

/** Earlier revisions had clients show JSON-RPC errors for bad arguments; models see results only since 2025-11-25. */
function encodeFailed(failure: Failure, revision: SpokenRevision, context: EncodeContext): EncodedAnswer {
  const links = failure.code === 'needs-login' ? failure.data?.elicitations : undefined;
  // The client can show links, and could not be asked on its stream (client/elicitation, URL Elicitation Required Error).
  if (links !== undefined && revision === '2025-11-25') return encodeFailure(failure, context);
  const isForModel = isForPerson(failure) || (failure.code === 'invalid-arguments' && revision === '2025-11-25');
  return isForModel && context.operation?.kind === 'call-tool'
    ? valueAnswer(context.id, toolErrorResult(failure))
    : encodeFailure(failure, context);
}

export function createServerCodec(revision: SpokenRevision): ServerCodec {
  const encode = (outcome: Outcome, context: EncodeContext): Answer => {
    switch (outcome.kind) {
      case 'complete':
        return encodeComplete(outcome.result, revision, context);
      case 'listed':
        return encodeListed(outcome.page, revision, context);
      case 'discovered':
        return valueAnswer(context.id, initializeResult(outcome.discovery, revision));
      case 'input-required':
      case 'task':
        return encodeFailure(notCarried(outcome), context);
      case 'failed':
        return encodeFailed(outcome.failure, revision, context);
    }
  };
  const known = revision === '2024-11-05' ? '2025-03-26' : revision;
  return { era: 'legacy', revision: known, decode, encode, encodeFailure, encodeNotice };
}
