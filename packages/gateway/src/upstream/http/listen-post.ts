/** `subscriptions/listen` of a server over HTTP: one POST whose answer is a stream that stays open (2026-07-28). */

import { Refusal } from '../../model/failure.ts';
import type { SubscriptionFilter } from '../../model/operation.ts';
import type { ListenEvents, OpenListen } from '../modern-feed.ts';
import { OURSELVES } from '../ourselves.ts';
import { GIVEN_UP } from './exchange-failures.ts';
import { post, wholeExchange } from './http-endpoint.ts';
import type { HttpSession } from './http-session.ts';

export function openListenPost(
  { codec, endpoint, headers }: HttpSession,
  { id, filter }: { readonly id: string; readonly filter: SubscriptionFilter },
  events: ListenEvents,
): OpenListen {
  const operation = { kind: 'listen', filter } as const;
  const encoded = codec.encodeRequest({ id, operation, meta: { vendor: {} }, client: OURSELVES });
  const exchange = wholeExchange(endpoint, codec.era, {
    // A result ends it in an orderly way; an error says that it is not offered.
    answered: (answer) =>
      answer.kind === 'response'
        ? events.ended()
        : events.refused(new Refusal(codec.decodeError(operation, answer.error))),
    failed: (of) => events.refused(new Refusal(of)),
    notified: ({ method, params }) => {
      events.notified(method, params);
      return undefined;
    },
    asked: () => undefined,
    restFinished: () => undefined,
  });
  post(endpoint, { extra: headers, byName: encoded.headers, body: encoded.body }, exchange);
  return { close: () => exchange.abandon(GIVEN_UP) };
}
