/** Step 9: the upstream. It demands the intent, and the intent demands the permit. */

import type { Send } from '../model/call.ts';
import type { Outcome } from '../model/outcome.ts';
import type { ReadyRequest } from '../model/request.ts';
import type { Exchange } from './pipeline.ts';
import type { RequestTrail } from './request-trail.ts';

type Sending = { readonly send: Send; readonly exchange: Exchange; readonly trail: RequestTrail };

export function call(request: ReadyRequest, { send, exchange, trail }: Sending): Promise<Outcome> {
  const { intent, client, meta, id, answers, subject } = request;
  const made = { requestId: id, intent, entry: intent.permit.target.entries[0], client, meta };
  const { channel, signal, timeoutMs } = exchange;
  const watched = { channel, signal, timeoutMs, watch: trail, ...(subject === undefined ? {} : { subject }) };
  return send(made, answers === undefined ? watched : { ...watched, answers });
}
