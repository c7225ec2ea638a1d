/** What a server process tells by itself, in either era, as an `UpstreamFeed`. Everything comes through the one pipe. */

import { refuse, Refusal } from '../../model/failure.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Operation } from '../../model/operation.ts';
import { decodeChange, subscriptionOf } from '../../protocol/changes.ts';
import type { ClientCodec } from '../../protocol/codec.ts';
import type { Clock } from '../clock.ts';
import type { FeedListener, UpstreamFeed } from '../connector.ts';
import { FEED_TIMEOUT_MS } from '../feed-times.ts';
import { createLegacyFeed } from '../legacy-feed.ts';
import { createModernFeed } from '../modern-feed.ts';
import { OURSELVES } from '../ourselves.ts';
import type { Answer } from './multiplexer.ts';
import type { StdioSession } from './stdio-session.ts';

export type StdioFeedParts = {
  readonly session: Pick<StdioSession, 'multiplexer' | 'ended'>;
  readonly codec: ClientCodec;
  readonly capabilities: JsonObject;
  readonly clock: Clock;
};

export const openStdioFeed = (parts: StdioFeedParts, listener: FeedListener): UpstreamFeed =>
  parts.codec.era === 'legacy' ? openLegacyFeed(parts, listener) : openListenFeed(parts, listener);

const NOT_WANTED = 'Nobody listens any more.';
const notReading = (): Refusal => refuse('overloaded', { message: 'The server does not read its requests.' });

function openListenFeed({ session, codec, capabilities, clock }: StdioFeedParts, listener: FeedListener): UpstreamFeed {
  const { multiplexer } = session;
  const feed = createModernFeed({
    capabilities,
    listener,
    deadline: (late) => clock.after(FEED_TIMEOUT_MS, late),
    listen(filter, events) {
      const id = multiplexer.nextId();
      const operation = { kind: 'listen', filter } as const;
      const stopHearing = multiplexer.hear((method, params) => {
        if (subscriptionOf(params) === id) events.notified(method, params);
      });
      const taken = multiplexer.request(id, textOf(codec, id, operation), {
        answered(answer: Answer) {
          stopHearing();
          if (answer.kind === 'response') events.ended();
          else events.refused(new Refusal(codec.decodeError(operation, answer.error)));
        },
        tooLarge: () => undefined,
        turnedAway(of) {
          stopHearing();
          events.refused(new Refusal(of));
        },
        lost() {
          stopHearing();
          events.refused(refuse('upstream-closed'));
        },
      });
      if (!taken) {
        stopHearing();
        events.refused(notReading());
      }
      return {
        close() {
          stopHearing();
          multiplexer.forget(id, NOT_WANTED);
        },
      };
    },
  });
  return { ...feed, ended: Promise.race([feed.ended, session.ended]) };
}

function openLegacyFeed({ session, codec, capabilities, clock }: StdioFeedParts, listener: FeedListener): UpstreamFeed {
  const { multiplexer } = session;
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  const stopHearing = multiplexer.hear((method, params) => {
    const change = decodeChange(method, params);
    if (change !== undefined) listener.hear(change);
  });
  return createLegacyFeed({
    capabilities,
    // The pipe is open as long as the process lives.
    open: () => Promise.resolve(true),
    request: (operation) => ask({ session, codec, clock }, operation),
    ended: Promise.race([closed, session.ended]),
    close() {
      stopHearing();
      close();
    },
  });
}

/** One request that nobody but the feed waits for. False when the server answers with an error. */
function ask(
  { session, codec, clock }: Pick<StdioFeedParts, 'session' | 'codec' | 'clock'>,
  operation: Operation,
): Promise<boolean> {
  const { multiplexer } = session;
  const id = multiplexer.nextId();
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const taken = multiplexer.request(id, textOf(codec, id, operation), {
    answered: ({ kind }) => resolve(kind === 'response'),
    tooLarge: () => resolve(false),
    turnedAway: (of) => reject(new Refusal(of)),
    lost: () => reject(refuse('upstream-closed')),
  });
  if (!taken) reject(notReading());
  const cancel = clock.after(FEED_TIMEOUT_MS, () => {
    multiplexer.forget(id, NOT_WANTED);
    reject(refuse('upstream-timeout', { sent: 'maybe' }));
  });
  return promise.finally(cancel);
}

const textOf = (codec: ClientCodec, id: number, operation: Operation): string =>
  codec.encodeRequest({ id, operation, meta: { vendor: {} }, client: OURSELVES }).body;
