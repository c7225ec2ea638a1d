/**
 * Which stream of a legacy session is told what happens. A message goes to one of a session's streams and never to two
 * (MCP 2025-11-25, basic/transports, Multiple Connections): to the newest, because a client that reconnects has often left
 * the older one without our knowing.
 */

import type { Listening } from '../pipeline/listening.ts';
import type { SessionStream } from './session-stream.ts';

type Told = { readonly listening: Listening; readonly stream: Pick<SessionStream, 'end' | 'isAway' | 'replaced'> };

export class SessionListenings {
  /** By the nonce of the session. Bounded as streams are. */
  readonly #told = new Map<string, Told>();

  /** The older one stays open, and is told nothing more. The returned function is for when the stream has closed. */
  add(session: string, listening: Listening, stream: Told['stream']): () => void {
    const older = this.#told.get(session);
    older?.listening.close();
    older?.stream.replaced();
    const told = { listening, stream };
    this.#told.set(session, told);
    return () => {
      listening.close();
      if (this.#told.get(session) === told) this.#told.delete(session);
    };
  }

  of(session: string): Listening | undefined {
    return this.#told.get(session)?.listening;
  }

  /** The session is over. */
  end(session: string): void {
    this.#told.get(session)?.stream.end();
  }

  /** Its client opens another stream instead of coming back to the one that it has lost. */
  givenUp(session: string): void {
    const told = this.#told.get(session);
    if (told?.stream.isAway === true) told.stream.end();
  }
}
