/** The gateway's own questions as a legacy client is asked them: a request of ours, with an id that nobody can guess. */

import type { JsonObject } from '../model/json.ts';
import { isJsonObject } from '../model/json.ts';
import type { InputRequests } from '../model/outcome.ts';
import type { Revision } from '../model/revision.ts';
import { requestText } from './json-rpc.ts';

/**
 * The JSON-RPC text, on one line. A link has an id of its own in 2025-11-25 alone; 2025-06-18 knows forms only, and no
 * word for it (client/elicitation).
 */
export function questionText(id: string, { method, params }: InputRequests[string], revision: Revision): string {
  return requestText(id, method, params.mode === 'url' ? { ...params, elicitationId: id } : formOf(params, revision));
}

function formOf(params: JsonObject, revision: Revision): JsonObject {
  if (revision !== '2025-06-18') return params;
  const { mode: _unknown, ...form } = params;
  return form;
}

/** The result of a posted response; undefined when the client answered with an error, or with nothing usable. */
export const resultOf = (message: JsonObject): JsonObject | undefined =>
  message.error === undefined && isJsonObject(message.result) ? message.result : undefined;
