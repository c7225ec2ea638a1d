/** One HTTP+SSE session (MCP 2024-11-05, basic/transports): its stream, where its messages go, and how it comes to its end. */

import { failureMessage, Refusal, refuse } from '../../model/failure.ts';
import type { Failure } from '../../model/failure.ts';
import { requestText } from '../../protocol/json-rpc.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { abortFailure } from '../http/exchange-failures.ts';
import { headersToListen, post, request } from '../http/http-endpoint.ts';
import type { HttpEndpoint } from '../http/http-endpoint.ts';
import { Multiplexer } from '../stdio/multiplexer.ts';
import type { Conversation } from '../stdio/stdio-session.ts';
import { SessionStream } from './session-stream.ts';
import { PostBox } from './post-box.ts';

export type SseSessionOptions = {
  readonly endpoint: HttpEndpoint;
  /** For the server to name where messages go. */
  readonly openTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly server: string;
  readonly logger: Logger;
};

export type SseSession = Conversation & {
  /** Which revision every message names from now on, where that revision does. */
  speak(headers: readonly string[]): void;
};

const MAX_OPEN_POSTS = 1024;
const EDGE_BYTES = 4096;
const LAST_WORDS_MS = 1000;
/** A connection can die without a word. A session that nobody uses and that says nothing for so long is asked. */
const SILENT_MS = 60_000;
const PING_MS = 15_000;

/** Opens the stream. @throws Refusal when there is none, or when it leads somewhere else. */
export async function openSseSession(options: SseSessionOptions): Promise<SseSession> {
  const { endpoint, openTimeoutMs, signal } = options;
  const { clock } = endpoint;
  const named = Promise.withResolvers<string>();
  const parts = createParts(options, named);
  const late = (): void =>
    named.reject(
      refuse('upstream-timeout', {
        sent: 'maybe',
        message: `The server named no endpoint on its event stream within ${openTimeoutMs} ms.`,
      }),
    );
  const cancel = clock.after(openTimeoutMs, late);
  const abort = (): void => named.reject(new Refusal(abortFailure(signal, 'no')));
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  else request(endpoint, { method: 'GET', headers: headersToListen(endpoint), isLong: true }, parts.source);
  try {
    parts.postTo(pathWithin(endpoint, await named.promise));
    return parts.session;
  } catch (error) {
    void parts.session.close();
    throw error;
  } finally {
    cancel();
    signal.removeEventListener('abort', abort);
  }
}

type Parts = { readonly session: SseSession; readonly source: SessionStream; readonly postTo: (path: string) => void };

function createParts(options: SseSessionOptions, named: PromiseWithResolvers<string>): Parts {
  const { endpoint, server, logger } = options;
  const { clock, maxBufferedBytes } = endpoint;
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  let target = endpoint;
  let headers: readonly string[] = [];
  let reason: string | undefined;
  let heardMs = clock.nowMs();

  const lose = (why: string): void => {
    if (reason !== undefined) return;
    reason = why;
    stopAsking();
    source.close();
    multiplexer.lose();
    void outlet.close(0);
    end();
  };
  const outlet = new PostBox({
    clock,
    maxOpen: MAX_OPEN_POSTS,
    post: (body, handler) => post(target, { extra: headers, byName: {}, body }, handler),
    turnedAway: (entry, of) => multiplexer.turnedAway(entry, of),
    lost: () => lose('The server does not know the session any more.'),
  });
  const multiplexer = new Multiplexer(outlet, {
    strayLine: (why, _line, bytes) => logger.debug({ server, bytes }, `An event of the server ${why}; it was dropped.`),
  });
  const source = new SessionStream(
    {
      endpoint: (uri) => named.resolve(uri),
      message: (bytes) => multiplexer.acceptLine(bytes),
      oversized: (message) => multiplexer.acceptOversized(message),
      ended: (of) => {
        named.reject(new Refusal(of));
        lose(`The event stream of the session ended. ${failureMessage(of)}`);
      },
      heard: () => {
        heardMs = clock.nowMs();
      },
    },
    { maxMessageBytes: maxBufferedBytes, edgeBytes: Math.min(EDGE_BYTES, maxBufferedBytes) },
  );
  const isSilent = (): boolean => multiplexer.inFlight === 0 && clock.nowMs() - heardMs >= SILENT_MS;
  const stopAsking = askWhenSilent({ clock, multiplexer, isSilent, lose });
  const session: SseSession = {
    multiplexer,
    ended,
    endReason: () => reason,
    lastWords: () => '',
    speak: (revision) => {
      headers = revision;
    },
    async close() {
      await outlet.close(LAST_WORDS_MS);
      lose('The session was closed.');
    },
  };
  // Nobody waits for the name once it is there, or the session given up.
  named.promise.catch(() => undefined);
  return {
    session,
    source,
    postTo: (path) => {
      target = { ...endpoint, path };
    },
  };
}

type Asking = {
  readonly clock: HttpEndpoint['clock'];
  readonly multiplexer: Multiplexer;
  readonly isSilent: () => boolean;
  readonly lose: (why: string) => void;
};

/** Returns what ends it. */
function askWhenSilent({ clock, multiplexer, isSilent, lose }: Asking): () => void {
  let cancel = clock.after(SILENT_MS, look);
  const wait = (): void => {
    cancel();
    cancel = clock.after(SILENT_MS, look);
  };
  function look(): void {
    if (!isSilent()) return wait();
    const id = multiplexer.nextId();
    const gone = (): void => lose('The server said nothing for a while and did not answer a ping.');
    cancel = clock.after(PING_MS, gone);
    const heard = { answered: wait, tooLarge: wait, turnedAway: gone, lost: () => undefined };
    if (!multiplexer.request(id, requestText(id, 'ping', {}), heard)) wait();
  }
  return () => cancel();
}

/**
 * The path that messages go to. Of the same origin as the stream: the name comes from the server, and whatever goes there
 * carries the credential (MCP 2024-11-05 leaves it open, and so every client that takes any URL can be led anywhere).
 *
 * @throws Refusal
 */
function pathWithin({ origin, path }: HttpEndpoint, uri: string): string {
  const url = URL.parse(uri, origin + path);
  const message = (what: string): Failure =>
    refuse('upstream-invalid', { sent: 'yes', message: `The server named an endpoint for messages ${what}.` }).failure;
  if (url === null) throw new Refusal(message('that is no URL'));
  if (url.origin !== origin || url.username !== '' || url.password !== '') {
    throw new Refusal(
      message(`on ${url.host || 'no host'}, which is not the origin of its own URL: it is not followed`),
    );
  }
  return url.pathname + url.search;
}
