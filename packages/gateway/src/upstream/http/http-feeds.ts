/** What a server over HTTP tells by itself, in either era, as an `UpstreamFeed`. */

import { refuse, Refusal } from '../../model/failure.ts';
import type { Failure } from '../../model/failure.ts';
import type { Operation } from '../../model/operation.ts';
import type { FeedListener, UpstreamFeed } from '../connector.ts';
import { FEED_TIMEOUT_MS } from '../feed-times.ts';
import { createLegacyFeed } from '../legacy-feed.ts';
import { createModernFeed } from '../modern-feed.ts';
import { OURSELVES } from '../ourselves.ts';
import { GIVEN_UP } from './exchange-failures.ts';
import { post, wholeExchange } from './http-endpoint.ts';
import type { Answer } from './http-exchange.ts';
import type { HttpSession } from './http-session.ts';
import { openListenPost } from './listen-post.ts';
import { SessionStream } from './session-stream.ts';

export function openListenFeed(session: HttpSession, listener: FeedListener, ended: Promise<void>): UpstreamFeed {
  const { clock } = session.endpoint;
  let listens = 0;
  const feed = createModernFeed({
    capabilities: session.discovery.capabilities,
    listener,
    listen: (filter, events) => {
      listens += 1;
      return openListenPost(session, { id: `listen-${listens}`, filter }, events);
    },
    deadline: (late) => clock.after(FEED_TIMEOUT_MS, late),
  });
  return { ...feed, ended: Promise.race([feed.ended, ended]) };
}

type SessionFeedParts = {
  readonly listener: FeedListener;
  readonly lose: () => void;
  /** Of the session. */
  readonly ended: Promise<void>;
};

export function openSessionFeed(session: HttpSession, { listener, lose, ended }: SessionFeedParts): UpstreamFeed {
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const stream = new SessionStream({
    session,
    listener,
    over(wasLost) {
      if (wasLost) lose();
      end();
    },
  });
  let requests = 0;
  return createLegacyFeed({
    capabilities: session.discovery.capabilities,
    open: () => stream.open(),
    request: (operation) => {
      requests += 1;
      return ask(session, operation, { id: `feed-${requests}`, lose });
    },
    ended: Promise.race([over, ended]),
    close: () => {
      stream.close();
      end();
    },
  });
}

type Asking = { readonly id: string; readonly lose: () => void };

/** One request that nobody but the feed waits for. False when the server answers with an error. */
function ask(session: HttpSession, operation: Operation, { id, lose }: Asking): Promise<boolean> {
  const { codec, endpoint } = session;
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const fail = (of: Failure): void => reject(new Refusal(of));
  const exchange = wholeExchange(endpoint, codec.era, {
    answered(answer: Answer) {
      if (answer.kind === 'error' && session.isLost(exchange.status, answer)) {
        lose();
        fail(refuse('upstream-closed').failure);
      } else resolve(answer.kind === 'response');
    },
    failed: fail,
    notified: () => undefined,
    asked: (asked) => void session.answerRequest(asked),
    restFinished: () => undefined,
  });
  const cancel = endpoint.clock.after(FEED_TIMEOUT_MS, () => {
    fail(refuse('upstream-timeout', { sent: 'maybe' }).failure);
    exchange.abandon(GIVEN_UP);
  });
  const encoded = codec.encodeRequest({ id, operation, meta: { vendor: {} }, client: OURSELVES });
  post(endpoint, { extra: session.headers, byName: encoded.headers, body: encoded.body }, exchange);
  return promise.finally(cancel);
}
