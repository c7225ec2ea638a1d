/** Tasks as clients of this revision see them (extension `io.modelcontextprotocol/tasks`). */

import { isJsonObject, type JsonObject } from '../../model/json.ts';
import type { Outcome } from '../../model/outcome.ts';
import { valueAnswer } from '../answers.ts';
import type { EncodeContext, EncodedAnswer } from '../codec.ts';
import { OUR_META } from './results.ts';

type Task = Extract<Outcome, { kind: 'task' }>;

/** Of a task that is only made: these stand in what `tasks/get` answers, and a state is of multi-round-trip requests alone. */
const LATER: readonly string[] = ['result', 'error', 'inputRequests', 'requestState'];

/** Undefined where nobody asked for a task. */
export function encodeTask({ task, ref }: Task, context: EncodeContext): EncodedAnswer | undefined {
  const { operation, id, seals } = context;
  const _meta = { ...OUR_META, ...(isJsonObject(task._meta) ? task._meta : {}) };
  if (operation?.kind === 'task') {
    const { requestState: _none, ...detailed } = task;
    // The id as the client has it: it compares.
    return valueAnswer(id, { ...detailed, taskId: operation.taskId, resultType: 'complete', _meta });
  }
  if (operation?.kind !== 'call-tool' || ref === undefined) return undefined;
  return valueAnswer(id, { ...seed(task), taskId: seals.task.seal(ref), resultType: 'task', _meta });
}

const seed = (task: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(task).filter(([key]) => !LATER.includes(key)));
