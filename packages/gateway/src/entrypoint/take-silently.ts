/**
 * What a legacy client sends without wanting an answer, and what it does here: a cancellation ends a call, a posted answer goes
 * to whoever asked. It has passed the pipeline: its sender is who opened the session.
 */

import { failure, type Failure } from '../model/failure.ts';
import type { Decoded } from '../protocol/codec.ts';
import { forwardTo, tellOthers } from './forward.ts';
import type { Within } from './run-call.ts';

export type Silent = Extract<Decoded, { kind: 'notification' | 'response' }>;

/** Why it could not be taken; undefined when it was, and when nobody minds. */
export function takeSilently({ arrival, speaker: { session } }: Within, decoded: Silent): Failure | undefined {
  const { runningCalls, openQuestions, questionIds } = arrival.parts;
  if (session === undefined) return undefined;
  if (decoded.kind === 'notification') {
    const isHere =
      decoded.method !== 'notifications/cancelled' || runningCalls.cancel(session, decoded.params['requestId']);
    // A legacy client chooses its request ids: nothing in one says which replica has the call.
    if (!isHere) void tellOthers(arrival, decoded);
    return undefined;
  }
  if (openQuestions.answer(session, decoded.id, decoded.message)) return undefined;
  const question = questionIds.open(decoded.id);
  // An answer that comes late or twice, or to what was never asked, is let go.
  if (question === undefined || question.session !== session || question.owner === questionIds.self) return undefined;
  return failure('invalid-state', { message: ASKED_ELSEWHERE });
}

/** True when another replica waits for this answer, and took it or refused it. */
export async function answeredElsewhere({ arrival, speaker }: Within, decoded: Silent): Promise<boolean> {
  const question = decoded.kind === 'response' ? arrival.parts.questionIds.open(decoded.id) : undefined;
  return question?.session === speaker.session && question !== undefined && forwardTo(arrival, question.owner, decoded);
}

const ASKED_ELSEWHERE =
  'The question that this answers was asked by a gateway that does not run any more, or by another replica, and the call ' +
  'that waits for it is not here. The answer was not taken. Make the call again; the server may have done a part of it.';
