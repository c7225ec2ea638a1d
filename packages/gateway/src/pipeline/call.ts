/** Step 9: the upstream. It demands the intent, and the intent demands the permit. */

import type { Send } from '../model/call.ts';
import type { Outcome } from '../model/outcome.ts';
import type { ReadyRequest } from '../model/request.ts';
import type { Exchange } from './pipeline.ts';

export function call(request: ReadyRequest, send: Send, exchange: Exchange): Promise<Outcome> {
  const { intent, client, meta, id } = request;
  const entry = intent.permit.target.entries[0];
  return send(
    { requestId: id, intent, entry, client, meta },
    {
      channel: exchange.channel,
      signal: exchange.signal,
      timeoutMs: exchange.timeoutMs,
      ...(request.answers === undefined ? {} : { answers: request.answers }),
    },
  );
}
