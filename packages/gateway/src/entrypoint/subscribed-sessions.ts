/** Which resources legacy sessions are subscribed to: a part of `LegacySessions`, and its keeping in this process. */

export type SubscribeBounds = {
  /** Resources of one session. */
  readonly max: number;
  /** When the session's id has expired at the latest. */
  readonly untilMs: number;
};

export interface Subscribed {
  /** False when there are too many: refuse then. True as well when it was subscribed already. */
  subscribe(nonce: string, uri: string, bounds: SubscribeBounds): boolean | Promise<boolean>;
  unsubscribe(nonce: string, uri: string): void | Promise<void>;
  subscriptions(nonce: string): readonly string[] | Promise<readonly string[]>;
}

type Kept = { readonly uris: Set<string>; readonly untilMs: number };

/** What a set and its entry cost beside the characters. */
const OVERHEAD_CHARACTERS = 64;

const costOf = (uri: string): number => uri.length + OVERHEAD_CHARACTERS;

export function createSubscribed({
  now,
  maxUriCharacters,
}: {
  readonly now: () => number;
  readonly maxUriCharacters: number;
}): Subscribed & { readonly forget: (nonce: string) => void } {
  const sessions = new Map<string, Kept>();
  let characters = 0;

  function forget(nonce: string): void {
    for (const uri of sessions.get(nonce)?.uris ?? []) characters -= costOf(uri);
    sessions.delete(nonce);
  }

  /** Looks for what has expired only at the bound. */
  function hasRoomFor(uri: string): boolean {
    if (characters + costOf(uri) <= maxUriCharacters) return true;
    const nowMs = now();
    for (const [nonce, { untilMs }] of sessions) if (untilMs <= nowMs) forget(nonce);
    return characters + costOf(uri) <= maxUriCharacters;
  }

  return {
    forget,
    subscribe(nonce, uri, { max, untilMs }) {
      const known = sessions.get(nonce);
      if (known?.uris.has(uri) === true) return true;
      if ((known?.uris.size ?? 0) >= max || !hasRoomFor(uri)) return false;
      characters += costOf(uri);
      sessions.set(nonce, { uris: (known?.uris ?? new Set()).add(uri), untilMs });
      return true;
    },
    unsubscribe(nonce, uri) {
      const known = sessions.get(nonce);
      if (known?.uris.delete(uri) === true) characters -= costOf(uri);
      if (known?.uris.size === 0) sessions.delete(nonce);
    },
    subscriptions: (nonce) => [...(sessions.get(nonce)?.uris ?? [])],
  };
}
