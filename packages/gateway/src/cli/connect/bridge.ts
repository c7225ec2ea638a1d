/**
 * A client that speaks over standard input and output, and an MCP endpoint over HTTP: each line out becomes a POST, each
 * message in a line. Both eras pass; what only one of the two transports knows (session ids, mirrored headers, what a
 * closed stream means) is made up for here.
 */

import { EgressError } from '../../egress/egress-error.ts';
import { isJsonObject, type JsonObject } from '../../model/json.ts';
import {
  modernHeaders,
  modernRevision,
  readClientMessage,
  type ClientMessage,
  type RequestId,
} from './client-message.ts';
import type { Reply, Send } from './http.ts';
import { headerOf } from './http.ts';
import { LegacySession } from './legacy-session.ts';
import { readMessages, readText } from './messages.ts';
import { createToolHeaders } from './tool-headers.ts';

/** As whom. A token can end, or lack a scope: then the person may have to log in again. */
export interface Authorization {
  /** Of the `Authorization` header; undefined while there is none. */
  readonly header: string | undefined;
  /** The endpoint answered 401 or 403. @returns whether it is worth asking again */
  refused(used: string | undefined, challenge: string | undefined): Promise<boolean>;
}

export type BridgeOptions = {
  readonly send: Send;
  readonly authorization: Authorization;
  /** Writes one line to the client. @returns a promise when the client reads slowly */
  readonly write: (text: string) => Promise<void> | void;
  /** Says something to whoever reads the client's log. */
  readonly say: (text: string) => void;
};

type Request = Extract<ClientMessage, { kind: 'request' }>;

/** Requests that may be open at a time; a client that wants more waits. */
const MAX_OPEN = 1_000;
const MAX_LOGINS_PER_REQUEST = 2;
const HEADER_MISMATCH = -32_020;
const PARSE_ERROR = -32_700;

export class Bridge {
  readonly #options: BridgeOptions;
  readonly #open = new Map<RequestId, AbortController>();
  readonly #running = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  readonly #toolHeaders = createToolHeaders();
  readonly #session: LegacySession;

  constructor(options: BridgeOptions) {
    this.#options = options;
    this.#session = new LegacySession({
      post: (line, headers, signal) => this.#post(line, headers, signal),
      get: (headers, signal) => this.#exchange({ method: 'GET', headers }, signal),
      end: (headers) => this.#exchange({ method: 'DELETE', headers }, AbortSignal.timeout(END_MS)),
      write: options.write,
      signal: this.#closing.signal,
    });
  }

  /** Takes a line of the client. Resolves when the next one may come: what others depend on is done first. */
  async receive(line: string): Promise<void> {
    const message = readClientMessage(line);
    if (message === undefined) return this.#answerError(null, PARSE_ERROR, 'This line is not a JSON-RPC message.');
    if (message.kind !== 'request') return this.#pass(message, line);
    while (this.#running.size >= MAX_OPEN) await Promise.race(this.#running);
    const running = this.#request(message, line).finally(() => this.#running.delete(running));
    this.#running.add(running);
    // What follows needs the session that this opens.
    if (message.method === 'initialize') await running;
  }

  /** Nobody listens any more: what is open ends, and so does the session. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the client has gone'));
    await Promise.allSettled(this.#running);
    await this.#session.end();
  }

  /** A notification, or an answer to the server's question. There is nobody to tell that it did not arrive. */
  async #pass(message: ClientMessage, line: string): Promise<void> {
    if (message.kind === 'notification') {
      const { method, params } = message;
      const open = method === 'notifications/cancelled' ? this.#openRequest(params['requestId']) : undefined;
      // Over HTTP the modern revision knows one notification of a client, and it is a closed stream.
      if (!this.#session.isLegacy) return open?.abort(new Error('the client cancelled'));
    }
    try {
      const reply = await this.#post(line, this.#session.headers, this.#closing.signal);
      await readMessages(reply, { take: this.#options.write });
      if (reply.status >= 400) this.#options.say(`${whatIs(message)} was refused with HTTP ${reply.status}`);
      else if (message.kind === 'notification') this.#session.noteNotification(message.method, line);
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#options.say(`${whatIs(message)} did not arrive: ${reasonOf(error)}`);
    }
  }

  #openRequest(id: unknown): AbortController | undefined {
    return typeof id === 'string' || typeof id === 'number' ? this.#open.get(id) : undefined;
  }

  async #request(request: Request, line: string): Promise<void> {
    const cancel = new AbortController();
    const signal = AbortSignal.any([cancel.signal, this.#closing.signal]);
    this.#open.set(request.id, cancel);
    try {
      await this.#answer(request, line, signal);
    } catch (error) {
      // Whoever cancelled waits for no answer.
      if (!signal.aborted) await this.#answerError(request.id, UNREACHABLE, whyNoAnswer(error));
    } finally {
      this.#open.delete(request.id);
    }
  }

  async #answer(request: Request, line: string, signal: AbortSignal): Promise<void> {
    const revision = modernRevision(request.params);
    if (revision !== undefined) return this.#modern(request, line, revision, signal);
    const reply = await this.#session.request(request, line, signal);
    await this.#forward(request, reply, (result) => this.#session.noteResult(request, { reply, result }));
  }

  async #modern(request: Request, line: string, revision: string, signal: AbortSignal): Promise<void> {
    const { method, params } = request;
    const standard = modernHeaders(revision, method, params);
    const headers = (): Record<string, string> =>
      method === 'tools/call' ? { ...this.#toolHeaders.headersFor(params), ...standard } : standard;
    let reply = await this.#post(line, headers(), signal);
    if (method === 'tools/call' && reply.status === 400) {
      const text = await readText(reply);
      if (codeIn(text) !== HEADER_MISMATCH) return this.#forwardRefusal(request, reply.status, text);
      // The tool wants arguments mirrored, which only the list of tools says (MCP 2026-07-28, custom headers).
      await this.#learnTools(request, revision, signal);
      reply = await this.#post(line, headers(), signal);
    }
    await this.#forward(request, reply, (result) => {
      if (method === 'tools/list') this.#toolHeaders.learn(result);
    });
  }

  async #learnTools({ params }: Request, revision: string, signal: AbortSignal): Promise<void> {
    let cursor: JsonObject = {};
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const listing = { ...cursor, _meta: params['_meta'] ?? {} };
      const body = JSON.stringify({
        jsonrpc: '2.0',
        id: `sallyport-tools-${page}`,
        method: 'tools/list',
        params: listing,
      });
      const reply = await this.#post(body, modernHeaders(revision, 'tools/list', listing), signal);
      let result: JsonObject = {};
      await readMessages(reply, {
        take: (text) => {
          result = resultIn(text) ?? result;
        },
      });
      this.#toolHeaders.learn(result);
      if (typeof result['nextCursor'] !== 'string') return;
      cursor = { cursor: result['nextCursor'] };
    }
  }

  /** Everything in the answer goes to the client; and an answer there is, even when the endpoint gave none. */
  async #forward(request: Request, reply: Reply, learned: (result: JsonObject) => void): Promise<void> {
    if (reply.status >= 400) return this.#forwardRefusal(request, reply.status, await readText(reply));
    let answered = false;
    await readMessages(reply, {
      take: (text) => {
        const message = readAnswer(text);
        if (message?.['id'] === request.id) {
          answered = true;
          if (isJsonObject(message['result'])) learned(message['result']);
        }
        return this.#options.write(text);
      },
    });
    if (!answered) await this.#answerError(request.id, UNREACHABLE, NO_ANSWER);
  }

  async #forwardRefusal({ id }: Request, status: number, text: string): Promise<void> {
    const message = readAnswer(text);
    if (message?.['id'] === id) return this.#options.write(text.replaceAll(/[\r\n]+/g, ' '));
    const error = message?.['error'];
    const said = isJsonObject(error) && typeof error['message'] === 'string' ? error['message'] : problemIn(text);
    return this.#answerError(id, -31_000 - status, said ?? `The endpoint answered with HTTP ${status}.`);
  }

  async #answerError(id: RequestId | null, code: number, message: string): Promise<void> {
    await this.#options.write(JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } }));
  }

  #post(line: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Reply> {
    const types = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    return this.#exchange({ method: 'POST', body: line, headers: { ...types, ...headers } }, signal);
  }

  async #exchange(sent: Parameters<Send>[0], signal: AbortSignal): Promise<Reply> {
    const { send, authorization } = this.#options;
    for (let logins = 0; ; logins += 1) {
      const { header } = authorization;
      const headers = header === undefined ? sent.headers : { ...sent.headers, authorization: header };
      const reply = await send({ ...sent, headers }, signal);
      if (reply.status !== 401 && reply.status !== 403) return reply;
      if (logins >= MAX_LOGINS_PER_REQUEST) return reply;
      if (!(await authorization.refused(header, headerOf(reply, 'www-authenticate')))) return reply;
      await reply.body.cancel();
    }
  }
}

/** The project's own codes: -31000 less the HTTP status that says the same. */
const UNREACHABLE = -31_502;
const END_MS = 2_000;
const MAX_PAGES = 50;
const NO_ANSWER =
  'The connection ended before the answer came. The call may have been made: look before making it again.';

function whyNoAnswer(error: unknown): string {
  const unsent = error instanceof EgressError && (error.reason === 'unreachable' || error.reason === 'refused');
  return unsent ? `The request was not sent: ${error.message}. Try again later.` : `${NO_ANSWER} (${reasonOf(error)})`;
}

const whatIs = (message: ClientMessage): string =>
  message.kind === 'notification' ? message.method : "the client's answer";

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** An object that answers something; undefined for everything else. */
function readAnswer(text: string): JsonObject | undefined {
  const message = parsed(text);
  return message !== undefined && ('result' in message || 'error' in message) ? message : undefined;
}

function resultIn(text: string): JsonObject | undefined {
  const result = readAnswer(text)?.['result'];
  return isJsonObject(result) ? result : undefined;
}

function codeIn(text: string): unknown {
  const error = readAnswer(text)?.['error'];
  return isJsonObject(error) ? error['code'] : undefined;
}

/** RFC 9457 `detail`, or `error_description` of an OAuth answer. */
function problemIn(text: string): string | undefined {
  const { detail, error_description: described } = parsed(text) ?? {};
  return typeof detail === 'string' ? detail : typeof described === 'string' ? described : undefined;
}

function parsed(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
