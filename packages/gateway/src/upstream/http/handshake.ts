/**
 * Which era does a server over HTTP speak? `server/discover` is asked first; a server that turns it away without an error
 * of the modern revision is told `initialize` (MCP 2026-07-28, basic/transports/streamable-http, era detection). A refused
 * credential, and a server that is only unavailable, say nothing of its era.
 */

import { failureMessage, Refusal, refuse } from '../../model/failure.ts';
import type { Failure } from '../../model/failure.ts';
import { isJsonObject } from '../../model/json.ts';
import type { Json, JsonObject } from '../../model/json.ts';
import { isModernRevision, NEWEST_MODERN } from '../../model/revision.ts';
import type { Era, ModernRevision, Revision } from '../../model/revision.ts';
import type { ClientCodec, LegacyHandshake } from '../../protocol/codec.ts';
import { parseWhole } from '../../protocol/splice.ts';
import { OURSELVES } from '../ourselves.ts';
import { abortFailure, GIVEN_UP } from './exchange-failures.ts';
import { post, wholeExchange } from './http-endpoint.ts';
import type { HttpEndpoint } from './http-endpoint.ts';
import type { Answer, HttpExchange } from './http-exchange.ts';
import { legacySession, modernSession } from './http-session.ts';
import type { HttpSession } from './http-session.ts';

export type Codecs = {
  readonly clientCodecFor: (revision: Revision) => ClientCodec;
  readonly legacyHandshake: LegacyHandshake;
};

export type HandshakeParts = {
  readonly endpoint: HttpEndpoint;
  readonly codecs: Codecs;
  /** How long `server/discover` may go unanswered before `initialize` is tried. */
  readonly probeTimeoutMs: number;
  /** What a legacy server is told that it may ask. */
  readonly capabilities: JsonObject;
  readonly signal: AbortSignal;
};

type Reply =
  | { readonly kind: 'answer'; readonly answer: Answer; readonly exchange: HttpExchange }
  /** `status` is 0 when the server did not answer. */
  | { readonly kind: 'failed'; readonly failure: Failure; readonly status: number };

type Question = {
  readonly era: Era;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
};

const UNSUPPORTED_VERSION = -32022;
const HANDSHAKE_ID = 0;
/** Without a JSON-RPC message in the body. */
const TURNED_AWAY = new Set([400, 404, 405]);

function ask(parts: HandshakeParts, question: Question): Promise<Reply> {
  const { endpoint, signal } = parts;
  return new Promise((resolve) => {
    const settle = (reply: Reply): void => {
      signal.removeEventListener('abort', abort);
      cancel?.();
      resolve(reply);
    };
    const exchange = wholeExchange(endpoint, question.era, {
      answered: (answer) => settle({ kind: 'answer', answer, exchange }),
      failed: (of) => settle({ kind: 'failed', failure: of, status: exchange.status }),
      notified: () => undefined,
      asked: () => undefined,
      restFinished: () => undefined,
    });
    const abort = (): void => {
      settle({ kind: 'failed', failure: abortFailure(signal, exchange.sent), status: 0 });
      exchange.abandon(GIVEN_UP);
    };
    const { timeoutMs } = question;
    const late = (): void => {
      const message = `The server did not answer within ${timeoutMs} ms.`;
      settle({ kind: 'failed', failure: refuse('upstream-timeout', { sent: 'maybe', message }).failure, status: 0 });
      exchange.abandon(GIVEN_UP);
    };
    const cancel = timeoutMs === undefined ? undefined : endpoint.clock.after(timeoutMs, late);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    else post(endpoint, { extra: [], byName: question.headers, body: question.body }, exchange);
  });
}

function askDiscover(parts: HandshakeParts, revision: ModernRevision): Promise<Reply> {
  const { body, headers } = parts.codecs.clientCodecFor(revision).encodeRequest({
    id: HANDSHAKE_ID,
    operation: { kind: 'discover' },
    meta: { vendor: {} },
    client: OURSELVES,
  });
  return ask(parts, { era: 'modern', body, headers, timeoutMs: parts.probeTimeoutMs });
}

const resultOf = (reply: Reply): JsonObject | undefined =>
  reply.kind === 'answer' && reply.answer.kind === 'response' ? parseWhole(reply.answer.message) : undefined;

function newestKnown(versions: Json | undefined): ModernRevision | undefined {
  if (!Array.isArray(versions)) return undefined;
  const known = (versions as readonly Json[]).filter((text) => typeof text === 'string').filter(isModernRevision);
  return known.toSorted().at(-1);
}

/** A modern server that does not speak the revision we asked in names those it speaks. */
function offeredInstead(reply: Reply): ModernRevision | undefined {
  if (reply.kind !== 'answer' || reply.answer.kind !== 'error') return undefined;
  const { code, data } = reply.answer.error;
  return code === UNSUPPORTED_VERSION && isJsonObject(data) ? newestKnown(data['supported']) : undefined;
}

function asModern(reply: Reply, parts: HandshakeParts): HttpSession | undefined {
  const result = resultOf(reply);
  const revision = newestKnown(result?.['supportedVersions']);
  if (result === undefined || revision === undefined) return undefined;
  const codec = parts.codecs.clientCodecFor(revision);
  return modernSession({ codec, endpoint: parts.endpoint, discovery: codec.decodeDiscovery(result) });
}

/** Failures that end the search: they would meet `initialize` too, and are no sign of an era. */
function endsSearch(of: Failure, signal: AbortSignal): boolean {
  if (signal.aborted || of.sent === 'no') return true;
  return of.code === 'upstream-refused' || of.code === 'server-unavailable' || of.code === 'cancelled';
}

/**
 * It takes no JSON-RPC at this URL, modern or legacy: perhaps it speaks HTTP+SSE there (MCP 2025-11-25, basic/transports,
 * backwards compatibility).
 */
export type TurnedAway = { readonly kind: 'turned-away'; readonly failure: Failure };

export const isTurnedAway = (found: HttpSession | TurnedAway): found is TurnedAway => 'kind' in found;

/** Finds the era, and opens a session where it has sessions. @throws Refusal */
export async function findSession(parts: HandshakeParts): Promise<HttpSession | TurnedAway> {
  let reply = await askDiscover(parts, NEWEST_MODERN);
  const other = offeredInstead(reply);
  if (other !== undefined) reply = await askDiscover(parts, other);
  const modern = asModern(reply, parts);
  if (modern !== undefined) return modern;
  if (reply.kind === 'failed' && endsSearch(reply.failure, parts.signal)) throw new Refusal(reply.failure);
  return initialize(parts);
}

/** The handshake of a legacy server, and nothing before it. @throws Refusal */
export async function openLegacySession(parts: HandshakeParts): Promise<HttpSession> {
  const opened = await initialize(parts);
  if (isTurnedAway(opened)) throw new Refusal(opened.failure);
  return opened;
}

/** @throws Refusal */
async function initialize(parts: HandshakeParts): Promise<HttpSession | TurnedAway> {
  const { codecs, endpoint, capabilities } = parts;
  const { legacyHandshake } = codecs;
  const body = legacyHandshake.initialize(HANDSHAKE_ID, capabilities);
  const reply = await ask(parts, { era: 'legacy', body, headers: {} });
  if (reply.kind === 'failed') {
    const of = asConnectFailure(reply.failure);
    if (TURNED_AWAY.has(reply.status)) return { kind: 'turned-away', failure: of };
    throw new Refusal(of);
  }
  const result = resultOf(reply);
  if (result === undefined) throw refuse('upstream-invalid', { sent: 'yes', message: refusedInitialize(reply.answer) });
  const decoded = legacyHandshake.decodeInitialize(result);
  if (!decoded.ok) throw new Refusal(decoded.error);
  const { revision, discovery } = decoded.value;
  const codec = codecs.clientCodecFor(revision);
  const session = legacySession({ codec, endpoint, discovery, capabilities, id: sessionId(reply.exchange) });
  const status = await session.tell(legacyHandshake.initialized);
  if (status !== undefined && status < 300 && !parts.signal.aborted) return session;
  void session.end();
  const what = status === undefined ? 'not at all' : `with status ${status}`;
  const message = `The server answered notifications/initialized ${what}, so the session cannot be used.`;
  throw refuse('upstream-invalid', { sent: 'yes', message });
}

const VISIBLE_ASCII = /^[\x21-\x7e]{1,4096}$/;

/** The id is sent back with every request, so it must be what MCP allows: visible ASCII. */
function sessionId({ headers }: HttpExchange): string | undefined {
  const id = headers['mcp-session-id'];
  if (id === undefined) return undefined;
  if (typeof id === 'string' && VISIBLE_ASCII.test(id)) return id;
  throw refuse('upstream-invalid', { sent: 'yes', message: 'The server gave a session id that is not visible ASCII.' });
}

function asConnectFailure(of: Failure): Failure {
  return of.code === 'upstream-closed' ? { ...of, code: 'server-unavailable', message: failureMessage(of) } : of;
}

function refusedInitialize(answer: Answer): string {
  if (answer.kind === 'response') return 'The server answered initialize with something that is no InitializeResult.';
  const { code, message } = answer.error;
  return `The server knows neither server/discover nor initialize: it answered the latter with error ${code}, ${JSON.stringify(message.slice(0, 300))}.`;
}
