/**
 * The feed of a 2026-07-28 server: one listen request says everything that is wanted, so that a change of it is a new request.
 * The new one is open before the old one is closed: nothing is missed between the two (basic/utilities/subscriptions).
 */

import type { JsonObject } from '../model/json.ts';
import type { SubscriptionFilter } from '../model/operation.ts';
import { ACKNOWLEDGED, decodeChange, readFilter } from '../protocol/changes.ts';
import type { FeedListener, Told, UpstreamFeed } from './connector.ts';
import { filterFor, isNothing, NOTHING_TOLD, toldBy, within } from './listen-filter.ts';

/** One listen request, as the transport has it open. */
export interface OpenListen {
  close(): void;
}

export interface ListenEvents {
  /** A message of this subscription. */
  notified(method: string, params: JsonObject): void;
  /** It is over: with a result, or because it was lost. */
  ended(): void;
  /** The server does not take it, or could not be asked. */
  refused(error: Error): void;
}

export type ModernFeedParts = {
  readonly capabilities: JsonObject;
  readonly listener: FeedListener;
  readonly listen: (filter: SubscriptionFilter, events: ListenEvents) => OpenListen;
  /** Runs `late` unless the returned function is called before. */
  readonly deadline: (late: () => void) => () => void;
};

export function createModernFeed(parts: ModernFeedParts): UpstreamFeed {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  let current: OpenListen | undefined;
  let isClosed = false;

  const open = (wanted: Told): Promise<Told> =>
    new Promise((resolve, reject) => {
      let agreed = false;
      let opened: OpenListen | undefined;
      const fail = (error: Error): void => {
        cancel();
        if (!agreed) reject(error);
        // An older one that was replaced says nothing of the feed, nor does a new one while an older one goes on.
        if (agreed ? opened === current : current === undefined) end();
      };
      const cancel = parts.deadline(() => {
        opened?.close();
        fail(new Error('The server did not acknowledge the subscription in time.'));
      });
      opened = parts.listen(filterFor(wanted, parts.capabilities), {
        notified(method, params) {
          if (agreed) {
            const change = decodeChange(method, params);
            if (change !== undefined && !isClosed) parts.listener.hear(change);
            return;
          }
          // Nothing may come before the acknowledgement.
          if (method !== ACKNOWLEDGED) return;
          const honoured = readFilter(params['notifications']);
          if (!honoured.ok) return;
          agreed = true;
          cancel();
          const before = current;
          current = opened;
          before?.close();
          resolve(toldBy(honoured.value, wanted));
        },
        ended: () => fail(new Error('The server ended the subscription.')),
        refused: fail,
      });
      if (isClosed) opened.close();
    });

  return {
    ended,
    want(wanted) {
      const asked = within(wanted, parts.capabilities);
      if (!isNothing(asked)) return open(asked);
      current?.close();
      current = undefined;
      return Promise.resolve(NOTHING_TOLD);
    },
    close() {
      isClosed = true;
      current?.close();
      current = undefined;
      end();
    },
  };
}
