/** The thread for costly checks: one job at a time, until it is ended from outside. It holds no secret and no state. */

import { parentPort } from 'node:worker_threads';

import { preflight } from './preflight.ts';
import { checkPrepared, compilePrepared, type CheckOutcome, type PreparedSchema } from './prepared-schema.ts';
import { isJsonObject } from '../model/json.ts';
import { err, type Result } from '../model/result.ts';
import { DEFAULT_SCHEMA_LIMITS } from './schema-size.ts';

/** `args` is absent when the schema is only to be prepared. */
export type ThreadJob = {
  readonly id: number;
  /** Of the schema, for as long as this thread lives. */
  readonly key: number;
  readonly schema: string;
  readonly args?: unknown;
};

export type ThreadAnswer = { readonly id: number; readonly outcome: CheckOutcome };

const MAX_PREPARED = 256;

const prepared = new Map<number, Result<PreparedSchema, string>>();

function prepare({ key, schema }: ThreadJob): Result<PreparedSchema, string> {
  const known = prepared.get(key);
  if (known !== undefined) return known;
  const parsed: unknown = JSON.parse(schema);
  const safe = isJsonObject(parsed)
    ? preflight(parsed, DEFAULT_SCHEMA_LIMITS)
    : err({ reason: 'it is not an object', size: false });
  const result = safe.ok ? compilePrepared(safe.value) : err(safe.error.reason);
  const [oldest] = prepared.keys();
  if (prepared.size >= MAX_PREPARED && oldest !== undefined) prepared.delete(oldest);
  prepared.set(key, result);
  return result;
}

function answer(job: ThreadJob): CheckOutcome {
  const schema = prepare(job);
  if (!schema.ok) return { kind: 'unusable', reason: schema.error };
  try {
    return 'args' in job ? checkPrepared(schema.value, job.args) : { kind: 'valid' };
  } catch (error) {
    // A stack that overflows, for one: the schema and these arguments go deeper together than either alone.
    return { kind: 'unusable', reason: `it cannot be evaluated: ${error instanceof Error ? error.message : ''}` };
  }
}

parentPort?.on('message', (job: ThreadJob) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage({ id: job.id, outcome: answer(job) } satisfies ThreadAnswer);
});
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
parentPort?.postMessage('ready');
