/** How a server is spoken to once its era is known: what requests carry, and what tells that it is not so any more. */

import { notificationText } from '../../protocol/json-rpc.ts';
import type { ClientCodec, JsonRpcId, UpstreamError } from '../../protocol/codec.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Discovery } from '../../model/outcome.ts';
import type { LogVerbosity } from '../log-verbosity.ts';
import { request } from './http-endpoint.ts';
import type { HttpEndpoint } from './http-endpoint.ts';
import type { ServerRequest } from './http-exchange.ts';
import { httpVerbosity } from './set-level.ts';
import type { AskForRest } from './stream-resumption.ts';
import { createSideMessages } from './side-messages.ts';

/** The error behind a status, where the body held one. */
export type StatusError = { readonly id: JsonRpcId | null; readonly error: UpstreamError } | undefined;

export interface HttpSession {
  readonly codec: ClientCodec;
  readonly endpoint: HttpEndpoint;
  /** What the handshake told. A legacy server says it once; a modern one is asked again. */
  readonly discovery: Discovery;
  /** What a legacy server was told that it may ask, in the words of 2026-07-28. A modern one is told with each request. */
  readonly capabilities: JsonObject;
  /** Carried by every request beside what the codec writes. */
  readonly headers: readonly string[];
  /**
   * True for an answer by which the server says that it never looked at the request, because the session or the revision
   * is not one of its own: it may be sent again, to a server that was found anew.
   */
  isLost(status: number, error: StatusError): boolean;
  /** The caller left. `wasSent` is false when the request never started. Settles when the server was told. */
  cancelled(id: JsonRpcId, wasSent: boolean): Promise<void>;
  /** The server asks something back. False when this revision forbids it to. */
  answerRequest(request: ServerRequest): boolean;
  /** An answer that a person gave. False when the server did not take it. */
  respond(text: string): Promise<boolean>;
  /** Of a legacy server that logs. A modern one hears the level with each request. */
  readonly verbosity?: LogVerbosity | undefined;
  /** Of a legacy server: asks for the rest of a stream that was lost. A modern one has no such thing: its request is lost. */
  readonly askForRest?: AskForRest;
  /** Ends what the server keeps for us. Settles when it has answered, or not in time. */
  end(): Promise<void>;
}

export type ModernSessionParts = Pick<HttpSession, 'codec' | 'endpoint' | 'discovery'>;

const UNSUPPORTED_VERSION = -32022;
const METHOD_NOT_FOUND = -32601;
const INVALID_REQUEST = -32600;

/** Statuses by which a server without this endpoint, or without this era, turns a POST away. */
const TURNED_AWAY = new Set([400, 404, 405]);

/** -32000 to -32019: errors that legacy servers made up (MCP 2026-07-28, basic, error codes). */
const isMadeUp = (code: number): boolean => code <= -32000 && code >= -32019;

/** A stateless server: every request stands for itself, and leaving is closing the connection. */
export function modernSession(parts: ModernSessionParts): HttpSession {
  return {
    ...parts,
    capabilities: {},
    headers: [],
    isLost(status, answer) {
      if (answer === undefined) return TURNED_AWAY.has(status);
      const { code } = answer.error;
      return code === UNSUPPORTED_VERSION || (answer.id === null && TURNED_AWAY.has(status) && isMadeUp(code));
    },
    cancelled: () => Promise.resolve(),
    answerRequest: () => false,
    respond: () => Promise.resolve(false),
    end: () => Promise.resolve(),
  };
}

export type LegacySessionParts = ModernSessionParts & {
  /** `Mcp-Session-Id`, when the server gave one. */
  readonly id: string | undefined;
  readonly capabilities: JsonObject;
};

export type LegacySession = HttpSession & {
  /** Sends a message that waits for no answer; resolves with the status, or undefined when none came in time. */
  tell(text: string): Promise<number | undefined>;
};

/** A server that remembers us, usually by a session id. */
export function legacySession(parts: LegacySessionParts): LegacySession {
  const { codec, endpoint, discovery, capabilities, id } = parts;
  const headers = id === undefined ? [] : ['mcp-session-id', id];
  // Requests get theirs from the codec. The header came with 2025-06-18.
  const revision = codec.revision === '2025-03-26' ? [] : ['mcp-protocol-version', codec.revision];
  const side = createSideMessages(endpoint, [...headers, ...revision]);
  // Apart, so that what a server provokes cannot stand in the way of what people said.
  const answers = createSideMessages(endpoint, [...headers, ...revision]);
  const logs = discovery.capabilities['logging'] !== undefined;
  return {
    codec,
    endpoint,
    discovery,
    capabilities,
    headers,
    verbosity: logs ? httpVerbosity(endpoint, [...headers, ...revision]) : undefined,
    isLost(status, answer) {
      if (id === undefined) return false;
      // 404 is what MCP asks for; servers on the official SDK say 400, about no request in particular, after a restart.
      return status === 404 || (status === 400 && (answer === undefined || answer.id === null));
    },
    async cancelled(requestId, wasSent) {
      if (!wasSent) return;
      const reason = 'The caller no longer waits.';
      await side.post(notificationText('notifications/cancelled', { requestId, reason }));
    },
    answerRequest({ id: asked, method }) {
      void side.post(JSON.stringify({ jsonrpc: '2.0', id: asked, ...answerTo(method) }));
      return true;
    },
    async respond(text) {
      const status = await answers.post(text);
      return status !== undefined && status < 300;
    },
    end: async () => {
      if (id !== undefined) await side.delete();
    },
    tell: (text) => side.post(text),
    askForRest(lastEventId, handler) {
      const own = [...headers, ...revision, 'last-event-id', lastEventId];
      request(endpoint, { method: 'GET', headers: endpoint.headers.concat(own) }, handler);
    },
  };
}

/**
 * A server may ask whether we are alive. Everything else needs a person or a client, and is asked in the middle of a call,
 * on its stream, or not at all: nothing else tells whose it is.
 */
function answerTo(method: string): object {
  if (method === 'ping') return { result: {} };
  const isName = /^[\w./-]{1,100}$/.test(method);
  const message = isName ? `The method ${method} is not offered to this server.` : 'The method has no valid name.';
  return { error: { code: isName ? METHOD_NOT_FOUND : INVALID_REQUEST, message } };
}
