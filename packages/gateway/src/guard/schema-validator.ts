/** Arguments against the tool's input schema, in bounded time, whoever wrote the schema. */

import { refuse } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { ToolEntry } from '../model/target.ts';
import type { ArgumentValidator } from './argument-validator.ts';
import { MAX_PROBLEMS, type Problem } from './explain.ts';
import { preflight } from './preflight.ts';
import { checkPrepared, compilePrepared, type PreparedSchema } from './prepared-schema.ts';
import { INLINE_SCHEMA_LIMITS } from './schema-size.ts';
import { ValidationThread, type ThreadOutcome } from './validation-thread.ts';
import { weigh } from './weight.ts';

export type ArgumentValidatorOptions = {
  /** For one costly check. Default 500. */
  readonly deadlineMs?: number;
  /** For a costly check to be begun. Default 1,000. */
  readonly maxWaitMs?: number;
  /** Costly checks that wait. Default 64, and 8 of one tool. */
  readonly maxQueue?: number;
};

export interface SchemaValidator extends ArgumentValidator {
  /** Compiles ahead of the first call. Resolves to why the schema cannot be used, or to nothing when it can. */
  prepare(tool: ToolEntry): Promise<string | undefined>;
  /** Ends the thread for costly checks. */
  close(): Promise<void>;
}

/** Schemas looked at, times values; measured at about 10 ns each, so 2 ms at most. Beyond it the check is costly. */
const MAX_INLINE_WORK = 200_000;

/** To explain what is wrong costs fifty times as much as to find that something is. */
const MAX_INLINE_EXPLANATION = 5_000;

/** A pattern's instruction looks at one character in about 2 ns, a length limit in less. */
const PATTERN_WORK = 0.25;
const LENGTH_WORK = 0.05;

const MAX_QUEUE_PER_TOOL = 8;

type State =
  | { readonly kind: 'inline'; readonly schema: PreparedSchema }
  | { readonly kind: 'threaded' }
  | { readonly kind: 'unusable'; readonly reason: string };

export function createArgumentValidator(options: ArgumentValidatorOptions = {}): SchemaValidator {
  const maxQueue = options.maxQueue ?? 64;
  const thread = new ValidationThread({
    deadlineMs: options.deadlineMs ?? 500,
    maxWaitMs: options.maxWaitMs ?? 1_000,
    maxQueue,
    maxQueuePerSchema: Math.min(maxQueue, MAX_QUEUE_PER_TOOL),
  });
  // Entries are replaced with their catalog snapshot, and their compiled schemas with them.
  const states = new WeakMap<ToolEntry, State>();
  const texts = new WeakMap<ToolEntry, { readonly key: number; readonly schema: string }>();
  let lastKey = 0;

  const stateOf = (tool: ToolEntry): State => {
    let state = states.get(tool);
    if (state === undefined) {
      state = examine(tool.inputSchema);
      states.set(tool, state);
    }
    return state;
  };

  const inThread = async (tool: ToolEntry, args?: JsonObject): Promise<ThreadOutcome> => {
    let text = texts.get(tool);
    if (text === undefined) {
      text = { key: ++lastKey, schema: JSON.stringify(tool.inputSchema) };
      texts.set(tool, text);
    }
    return thread.run(args === undefined ? text : { ...text, args });
  };

  const checkInThread = async (tool: ToolEntry, args: JsonObject): Promise<void> => {
    const outcome = await inThread(tool, args);
    if (outcome.kind === 'unusable') states.set(tool, outcome);
    throwFor(outcome, options.deadlineMs ?? 500);
  };

  return {
    validate(tool, args) {
      const state = stateOf(tool);
      if (state.kind === 'unusable') throw unusable(state.reason);
      if (state.kind === 'threaded') return checkInThread(tool, args);
      const { schema } = state;
      const { expansion, patternSize } = schema.safe;
      // An upper bound: every schema looks at every value, every pattern at every character.
      const { values, characters } = weigh(args, MAX_INLINE_WORK / expansion);
      const looks = expansion * values;
      if (looks + (patternSize * PATTERN_WORK + LENGTH_WORK) * characters > MAX_INLINE_WORK) {
        return checkInThread(tool, args);
      }
      if (schema.compiled.check(args)) return undefined;
      if (looks > MAX_INLINE_EXPLANATION) return checkInThread(tool, args);
      return throwFor(checkPrepared(schema, args), 0);
    },
    async prepare(tool) {
      const state = stateOf(tool);
      if (state.kind === 'unusable') return state.reason;
      if (state.kind === 'inline') return undefined;
      const outcome = await inThread(tool);
      if (outcome.kind !== 'unusable') return undefined;
      states.set(tool, outcome);
      return outcome.reason;
    },
    close: () => thread.close(),
  };
}

/** What can be said on the event loop. Whatever might take longer is left to the thread, its refusal included. */
function examine(schema: JsonObject): State {
  const safe = preflight(schema, INLINE_SCHEMA_LIMITS);
  if (!safe.ok) return safe.error.size ? THREADED : { kind: 'unusable', reason: safe.error.reason };
  if (safe.value.recursive || !safe.value.linear) return THREADED;
  const prepared = compilePrepared(safe.value);
  return prepared.ok ? { kind: 'inline', schema: prepared.value } : { kind: 'unusable', reason: prepared.error };
}

const THREADED: State = { kind: 'threaded' };

/** @throws Refusal for everything but `valid`. */
function throwFor(outcome: ThreadOutcome, deadlineMs: number): void {
  switch (outcome.kind) {
    case 'valid':
      return;
    case 'invalid':
      throw invalid(outcome.problems);
    case 'unusable':
      throw unusable(outcome.reason);
    case 'overrun':
      throw unusable(`checking these arguments took longer than ${deadlineMs} ms`);
    case 'overloaded':
      throw refuse('overloaded', { message: 'Too many costly checks of arguments are waiting. Try again shortly.' });
  }
}

function invalid(problems: readonly Problem[]): Error {
  const more = problems.length === MAX_PROBLEMS ? ' There may be more.' : '';
  return refuse('invalid-arguments', {
    message: `The arguments do not match the tool's input schema. ${problems.map(({ message }) => message).join('; ')}.${more}`,
    data: { problems: problems.map((problem) => ({ ...problem })) },
  });
}

const unusable = (reason: string): Error =>
  refuse('unusable-schema', {
    message: `The tool's input schema cannot be checked safely, so the tool cannot be called: ${reason}. Tell the server's owner.`,
  });
