/**
 * The feed of a server before 2026-07-28: lists are told of unasked, resources after `resources/subscribe`, all on one
 * channel of the session: its GET stream, or the pipe.
 */

import type { JsonObject } from '../model/json.ts';
import type { Operation } from '../model/operation.ts';
import type { Told, UpstreamFeed } from './connector.ts';
import { NOTHING_TOLD, isNothing, within } from './listen-filter.ts';

export type LegacyFeedParts = {
  readonly capabilities: JsonObject;
  /** Opens the channel, once. False: this server has none. @throws Refusal when it could not be asked. */
  readonly open: () => Promise<boolean>;
  /** False when the server refuses. @throws Refusal when it could not be asked. */
  readonly request: (operation: Extract<Operation, { kind: 'subscribe' | 'unsubscribe' }>) => Promise<boolean>;
  readonly ended: Promise<void>;
  readonly close: () => void;
};

/** Requests under way at once: a reconnect asks for every resource again. */
const AT_ONCE = 16;

export function createLegacyFeed(parts: LegacyFeedParts): UpstreamFeed {
  let opened: Promise<boolean> | undefined;
  const subscribed = new Set<string>();

  const subscribe = async (uri: string): Promise<void> => {
    if (await parts.request({ kind: 'subscribe', uri })) subscribed.add(uri);
  };
  const unsubscribe = async (uri: string): Promise<void> => {
    subscribed.delete(uri);
    await parts.request({ kind: 'unsubscribe', uri });
  };

  return {
    ended: parts.ended,
    async want(wanted): Promise<Told> {
      const asked = within(wanted, parts.capabilities);
      if (isNothing(asked) && opened === undefined) return NOTHING_TOLD;
      opened ??= parts.open();
      if (!(await opened)) return NOTHING_TOLD;
      const uris = new Set(asked.uris);
      await eachOf(
        [...subscribed].filter((uri) => !uris.has(uri)),
        unsubscribe,
      );
      await eachOf(
        [...uris].filter((uri) => !subscribed.has(uri)),
        subscribe,
      );
      return { lists: asked.lists, uris: asked.uris.filter((uri) => subscribed.has(uri)) };
    },
    close: parts.close,
  };
}

async function eachOf(uris: readonly string[], act: (uri: string) => Promise<void>): Promise<void> {
  for (let at = 0; at < uris.length; at += AT_ONCE) await Promise.all(uris.slice(at, at + AT_ONCE).map(act));
}
