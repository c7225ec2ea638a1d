/** The port of `upstream`: how to reach a server. One connector per transport, one upstream per session or process. */

import type { Credential } from '../credential/broker.ts';
import type { Send, ServerPlace } from '../model/call.ts';
import type { JsonObject } from '../model/json.ts';
import type { Era, Revision } from '../model/revision.ts';
import type { Change } from '../model/subscription.ts';
import type { Server } from '../model/target.ts';
import type { ReachedUpstream, Transport } from '../model/trail.ts';

/** A live way to a server: a stdio process, a legacy HTTP session (Streamable or HTTP+SSE), or a modern HTTP origin. Made and closed by the pool. */
export interface Upstream {
  readonly era: Era;
  readonly revision: Revision;
  readonly transport: Transport;
  /** For the record: one object for as long as the upstream lives, because its text is made once. */
  readonly reached: ReachedUpstream;
  /** Only a process has one. */
  readonly stderr?: ErrorOutput;
  /** A call in the middle of which a legacy server asks something ends as `Asked`, and is still open. */
  readonly send: Send;
  /** Settles when the upstream is of no further use (process ended, session lost): the pool then forgets it. */
  readonly ended: Promise<void>;
  /** Ends it in an orderly way. Idempotent. */
  close(): Promise<void>;
  /** What it tells outside of calls. One at a time; nothing is asked of the server before `want`. */
  openFeed(listener: FeedListener): UpstreamFeed;
  /** Somebody's cancelled call may still be at work in it and ask something: nobody else should be given it. */
  readonly isDoubtful?: () => boolean;
}

/** What is to be told, and what a server agreed to tell. */
export type Told = {
  /** Changes of the lists that the server says it tells of. */
  readonly lists: boolean;
  readonly uris: readonly string[];
};

/** Who hears of it. */
export interface FeedListener {
  hear(change: Change): void;
  /** The server may have told something that did not arrive. */
  missed(): void;
}

/** Everything that one server tells by itself, over one upstream. */
export interface UpstreamFeed {
  /**
   * From now on this and nothing else. Settles with what of it the server will tell: possibly nothing. Not before the last
   * one has settled. @throws Refusal when the server could not be asked: the feed is then of no further use.
   */
  want(wanted: Told): Promise<Told>;
  /** Settles when nothing will be told any more: the server has ended it, or was lost. */
  readonly ended: Promise<void>;
  /** Idempotent. */
  close(): void;
}

/** What a process writes to stderr, in lines that are clean and hold no secret of its environment. */
export interface ErrorOutput {
  /** Everything before this was written earlier. */
  mark(): number;
  /** The newest lines since then, oldest first. */
  since(mark: number): readonly string[];
}

/** How a server was found to speak when it was last reached. */
export type SpokenTo = { readonly era: Era; readonly revision: Revision; readonly transport: Transport };

export interface Connector {
  /** Where the server is, for metrics and spans. */
  readonly place: ServerPlace;
  /**
   * Finds the era, shakes hands where that era wants it. `capabilities` (in the words of 2026-07-28, by default none) is what
   * a legacy server is told that it may ask. @throws Refusal `server-unavailable`, `upstream-timeout`, `upstream-invalid` or `upstream-refused`.
   */
  connect(server: Server, credential: Credential, signal: AbortSignal, capabilities?: JsonObject): Promise<Upstream>;
}
