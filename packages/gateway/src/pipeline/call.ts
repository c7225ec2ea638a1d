/** Step 9: the upstream. It demands the intent, and the intent demands the permit. */

import type { Send } from '../model/call.ts';
import type { Outcome } from '../model/outcome.ts';
import type { ReadyRequest } from '../model/request.ts';
import type { Exchange } from './pipeline.ts';

export function call(request: ReadyRequest, send: Send, exchange: Exchange): Promise<Outcome> {
  const { intent, client, meta, id, answers } = request;
  const made = { requestId: id, intent, entry: intent.permit.target.entries[0], client, meta };
  if (answers === undefined) return send(made, exchange);
  const { channel, signal, timeoutMs } = exchange;
  return send(made, { channel, signal, timeoutMs, answers });
}
