/** Pieces of answers that are written alike in every revision. */

import { failure, failureMessage, type Failure } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Entry } from '../model/target.ts';
import type { EncodedAnswer, EncodedMessage, JsonRpcId } from './codec.ts';
import { idText } from './splice.ts';

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

export const answer = (body: EncodedMessage): EncodedAnswer => ({ status: 200, headers: NO_HEADERS, body });

/** An answer whose result is already JSON text. */
export const textAnswer = (id: JsonRpcId | null, resultText: string): EncodedAnswer =>
  answer({ chunks: [`{"jsonrpc":"2.0","id":${idText(id)},"result":${resultText}}`] });

export const valueAnswer = (id: JsonRpcId | null, result: JsonObject): EncodedAnswer =>
  textAnswer(id, JSON.stringify(result));

/**
 * Arguments that break the schema, as the tool's own result: the model reads results, and can mend its call (MCP 2025-11-25
 * and later, server/tools, Error Handling).
 */
export const toolErrorResult = (of: Failure): JsonObject => ({
  content: [{ type: 'text', text: failureMessage(of) }],
  isError: true,
});

/**
 * What a person has to do, or did: the model must read it to tell them, or to stop trying. Clients show results to models
 * in every revision, and errors in few.
 */
export const isForPerson = ({ code }: Failure): boolean =>
  code === 'approval-required' || code === 'approval-refused' || code === 'needs-login';

/** An upstream that asks for what it was not offered has broken the protocol; the client hears what happened. */
export function notCarried(outcome: Extract<Outcome, { kind: 'input-required' | 'task' }>): Failure {
  const message =
    outcome.kind === 'task'
      ? 'The server answered with a task, which the gateway did not offer to carry.'
      : 'The server asked for input from the person, which the gateway did not offer to carry.';
  return failure('upstream-invalid', { sent: 'yes', message });
}

/**
 * The definition under the name that clients of this endpoint use. Tools and prompts are named; resources and templates
 * are addressed by their URI, which is the same everywhere.
 */
export function nameOn(entry: Entry, aggregate: boolean): string | undefined {
  if (!aggregate || (entry.kind !== 'tool' && entry.kind !== 'prompt')) return undefined;
  return entry.aggregateName === entry.definition.name ? undefined : entry.aggregateName;
}
