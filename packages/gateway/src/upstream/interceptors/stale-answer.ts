/**
 * Around everything else: when the server of a read-only tool does not answer, the caller's own last answer of it, marked as
 * old, where the tool's operator wants that (`onFailure: {cached: …}`). What was answered to a question is never kept, and
 * a tool that is marked `noStale` never gets one.
 */

import { annotated, resultText } from '../../model/annotated.ts';
import type { Call, Interceptor, SendOptions } from '../../model/call.ts';
import { failureMessage, isOutage, type Failure } from '../../model/failure.ts';
import type { Outcome } from '../../model/outcome.ts';
import { errorOf } from '../attempt.ts';
import type { LastAnswers } from '../last-answers.ts';

export const CACHED_KEY = 'io.sallyport/cached';

/** @param now Milliseconds since the epoch, for what people read. */
export function staleAnswer(answers: LastAnswers, now: () => number): Interceptor {
  return (next) => async (call, options) => {
    const maxAgeMs = maxAgeOf(call, options);
    const outcome = await next(call, options);
    if (maxAgeMs === undefined) return outcome;
    if (outcome.kind === 'complete' && errorOf(outcome).errorType === undefined) {
      const text = resultText(outcome.result);
      if (text !== undefined) answers.keep(call, text);
      return outcome;
    }
    if (outcome.kind !== 'failed' || !isOutage(outcome.failure.code) || options.signal.aborted) return outcome;
    return insteadOf(outcome, outcome.failure, { call, answers, maxAgeMs, now });
  };
}

function maxAgeOf({ entry }: Call, { answers }: SendOptions): number | undefined {
  const { onFailure, noStale, readOnly } = entry.traits;
  if (onFailure?.kind !== 'cached' || noStale === true || !readOnly || answers !== undefined) return undefined;
  return onFailure.maxAgeMs;
}

type Instead = {
  readonly call: Call;
  readonly answers: LastAnswers;
  readonly maxAgeMs: number;
  readonly now: () => number;
};

function insteadOf(outcome: Outcome, failure: Failure, { call, answers, maxAgeMs, now }: Instead): Outcome {
  const last = answers.find(call, maxAgeMs);
  if (last === undefined) return outcome;
  const { id } = call.entry.server;
  const ageSeconds = Math.round(last.ageMs / 1000);
  const answeredAt = new Date(now() - last.ageMs).toISOString();
  const text =
    `Note: ${id} cannot be asked at the moment, so this is its answer from ${answeredAt}, ${ageSeconds} s old. ` +
    `It may have changed since. (${failureMessage(failure)})`;
  const value = { server: id, ageSeconds, answeredAt, because: failure.code };
  const result = annotated(last.text, { key: CACHED_KEY, value, text });
  return result === undefined ? outcome : { kind: 'complete', result, cachedMs: last.ageMs };
}
