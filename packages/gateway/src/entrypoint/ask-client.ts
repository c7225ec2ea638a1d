/**
 * Questions to a legacy client, inside the POST that is still open: each becomes a real request on its stream, and the
 * pipeline is asked again with what came back. A question ends when it is answered, when its time is over, with the
 * session, and with the connection that it stands on: a legacy client that goes away cancels nothing that runs, but
 * nobody is left to hear the question.
 */

import { setTimeout as pause } from 'node:timers/promises';

import { isQuestion } from '../model/elicitation.ts';
import { failure, failureMessage, type Failure } from '../model/failure.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { InputRequests, Outcome } from '../model/outcome.ts';
import type { InboundRequest } from '../model/request.ts';
import type { Result } from '../model/result.ts';
import { err, ok } from '../model/result.ts';
import type { Handled } from '../pipeline/pipeline.ts';
import { questionText, resultOf } from '../protocol/questions.ts';
import type { CallExchange } from './call-exchange.ts';
import type { Unanswered } from './open-questions.ts';
import type { RunCall } from './run-call.ts';

/** Questions in one call, and turns in all: a turn without a question waits for somebody else's word. */
const MAX_QUESTIONS = 8;
const MAX_TURNS = 24;
const PACE_MS = 250;

/** Asks until the outcome is no question any more. */
export async function askClient(
  run: RunCall,
  inbound: InboundRequest,
  exchange: CallExchange,
  first: Handled,
): Promise<Handled> {
  const { pipeline, limits, now, clockMs } = run.arrival.parts;
  const deadlineMs = inbound.startedMs + limits.timeoutMs;
  let handled = first;
  let questions = 0;
  for (let turn = 0; isQuestion(handled.outcome); turn += 1) {
    const { requests, continuation } = handled.outcome;
    questions += Object.keys(requests).length;
    const leftMs = deadlineMs - clockMs();
    if (turn >= MAX_TURNS || questions > MAX_QUESTIONS || leftMs <= 0) return unanswered(run, handled, 'late');
    // The server asks nothing, and is asked again in a moment: so it sheds load (basic/patterns/mrtr).
    if (continuation.kind === 'upstream' && Object.keys(requests).length === 0) await pause(PACE_MS);
    const responses = await askAll(run, requests, exchange, Math.min(limits.answerTimeoutMs, leftMs));
    if (!responses.ok) return unanswered(run, handled, responses.error);
    const startedMs = clockMs();
    exchange.timeoutMs = Math.max(1, deadlineMs - startedMs);
    const answers = { continuation, responses: responses.value };
    handled = await pipeline.handle({ ...inbound, receivedAtMs: now(), startedMs, answers }, exchange);
  }
  return handled;
}

type Why = Unanswered | 'error' | 'no-room';

async function askAll(
  run: RunCall,
  requests: InputRequests,
  exchange: CallExchange,
  forMs: number,
): Promise<Result<JsonObject, Why>> {
  const responses: Record<string, Json> = {};
  const asked = Object.entries(requests).map(async ([key, request]) => {
    const answer = await askOne(run, request, exchange, forMs);
    if (answer.ok) responses[key] = answer.value;
    return answer;
  });
  for (const answer of await Promise.all(asked)) if (!answer.ok) return answer;
  return ok(responses);
}

async function askOne(
  { arrival, speaker, reply }: RunCall,
  request: InputRequests[string],
  exchange: CallExchange,
  forMs: number,
): Promise<Result<JsonObject, Why>> {
  const { openQuestions, questionIds } = arrival.parts;
  const session = speaker.session ?? '';
  const id = questionIds.issue(session, forMs);
  const waiting = openQuestions.wait(session, id);
  if (waiting === undefined) return err('no-room');
  const timer = setTimeout(() => waiting.end('late'), forMs);
  const gone = (): void => waiting.end('gone');
  const stopped = (): void => waiting.end('draining');
  let stopListening = (): void => undefined;
  exchange.signal.addEventListener('abort', stopped, { once: true });
  try {
    if (arrival.parts.isDraining()) stopped();
    if (!(await reply.ask(questionText(id, request, speaker.revision)))) gone();
    stopListening = reply.whenGone(gone);
    const answer = await waiting.reply;
    if (answer.kind !== 'answered') return err(answer.kind);
    const result = resultOf(answer.message);
    return result === undefined ? err('error') : ok(result);
  } finally {
    clearTimeout(timer);
    stopListening();
    exchange.signal.removeEventListener('abort', stopped);
  }
}

const WHY: Readonly<Record<Why, string>> = {
  late: 'The question was not answered in time.',
  gone: 'The client went away before it answered.',
  'session-ended': 'The session ended before the question was answered.',
  draining: 'The gateway is shutting down and can take no answer; another replica will ask again.',
  error: 'The client answered the question with an error.',
  'no-room': 'The gateway has too many open questions to ask another one.',
};

/** The call ends as it would have for a client that cannot be asked, and says why. */
function unanswered({ arrival }: RunCall, handled: Handled, why: Why): Handled {
  const { outcome } = handled;
  if (isQuestion(outcome)) {
    const { continuation } = outcome;
    if (continuation.kind === 'parked') arrival.parts.dropParkedCall(continuation.parkedCallId);
    else if (continuation.kind === 'task') arrival.parts.dropParkedCall(continuation.waitId);
  }
  const otherwise = outcome.kind === 'input-required' ? outcome.otherwise : undefined;
  const of = otherwise ?? failure('missing-capability');
  return { ...handled, outcome: failed({ ...of, message: `${WHY[why]} ${failureMessage(of)}` }) };
}

const failed = (of: Failure): Outcome => ({ kind: 'failed', failure: of });
