/** What is told between calls: that a list or a resource has changed. Names only, never content. */

import type { Principal } from './principal.ts';
import type { Server } from './target.ts';

/** Lists that MCP tells changes of. Templates belong to `resources`. */
export type ListedKind = 'tools' | 'prompts' | 'resources';

export const LISTED_KINDS: readonly ListedKind[] = ['tools', 'prompts', 'resources'];

export type Change =
  | { readonly kind: 'list-changed'; readonly of: ListedKind }
  | { readonly kind: 'resource-updated'; readonly uri: string };

/** One resource of one server, for one person: what is shared with whom follows the server's `sharing`. */
export type ResourceWish = {
  readonly server: Server;
  readonly uri: string;
  readonly principal: Principal;
  /** Names the client's session, where it has one. */
  readonly session?: string;
};

/** Gives up what was wanted. Idempotent. */
export type Stop = () => void;

/** What servers tell by themselves, whatever their revision. `upstream` implements it. */
export interface Feeds {
  /** Their lists, on the gateway's own account: whoever keeps the catalog hears of it. */
  lists(server: Server): Stop;
  /**
   * `hear` gets the URI that changed, which may lie below the one that was wanted. Undefined when the server does not tell
   * of this resource, or cannot be reached. Once granted it is kept: after a loss it is asked for again, and heard once more.
   */
  resource(wish: ResourceWish, hear: (uri: string) => void): Promise<Stop | undefined>;
}

/** Is `uri` the resource that was subscribed to, or one below it (MCP, ResourceUpdatedNotification)? */
export function concerns(subscribed: string, uri: string): boolean {
  if (uri === subscribed) return true;
  return uri.startsWith(subscribed) && (subscribed.endsWith('/') || uri[subscribed.length] === '/');
}
