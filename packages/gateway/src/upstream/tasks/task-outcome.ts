/** What a finished task is for somebody who waited for its call: what the call would have answered. */

import { failure } from '../../model/failure.ts';
import { isJsonObject, type JsonObject } from '../../model/json.ts';
import type { Outcome } from '../../model/outcome.ts';
import type { Era } from '../../model/revision.ts';
import { withoutRelatedTask } from '../../model/task.ts';
import { scanEnvelope } from '../../protocol/envelope.ts';
import { readUpstreamAnswer } from '../../protocol/upstream-answer.ts';
import { decodeUpstreamError } from '../../protocol/upstream-failure.ts';
import { broken, type ServerTask } from './server-task.ts';

/** A tool that ran and failed stays a result; an error of the protocol becomes one. */
export function outcomeOf({ status, fields, statusMessage }: ServerTask, era: Era): Outcome {
  if (status === 'completed')
    return isJsonObject(fields.result) ? complete(fields.result, era) : failed(broken(NO_RESULT));
  const { error } = fields;
  if (status === 'failed' && isJsonObject(error) && typeof error.code === 'number') {
    const { code, data } = error;
    const message = typeof error.message === 'string' ? error.message : 'The task failed.';
    return failed(decodeUpstreamError({ code, message, ...(data === undefined ? {} : { data }) }));
  }
  const what = status === 'cancelled' ? 'The server cancelled the task that this call had become.' : 'The task failed.';
  const why = statusMessage === undefined ? '' : ` It said: ${JSON.stringify(statusMessage.slice(0, 300))}.`;
  return failed(failure('upstream-error', { sent: 'yes', message: `${what}${why}` }));
}

const NO_RESULT = "The server's task has completed and has no result.";

/** As a message, so that it is projected for older clients, recorded and digested like any other result. */
function complete(result: JsonObject, era: Era): Outcome {
  const own = withoutRelatedTask(result);
  const said = era === 'modern' ? { ...own, resultType: 'complete' } : own;
  const head = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 0, result: said }));
  const scan = scanEnvelope(head, { era, complete: true });
  const answer = scan.kind === 'found' ? readUpstreamAnswer({ era, head, envelope: scan.envelope }) : undefined;
  if (answer?.kind !== 'response') throw new Error('A result that was written here cannot be read.');
  return { kind: 'complete', result: { kind: 'message', message: answer.message } };
}

const failed = (of: ReturnType<typeof failure>): Outcome => ({ kind: 'failed', failure: of });
