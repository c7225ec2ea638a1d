/**
 * Which era does a process speak? `server/discover` is asked first. A legacy server may answer an error, nothing, or die
 * of it; then it is told `initialize`, in a new process where the first one cannot be trusted any more. No single error
 * code decides (MCP 2026-07-28, basic/transports/stdio, era detection).
 */

import { failure, Refusal, refuse } from '../../model/failure.ts';
import { isJsonObject } from '../../model/json.ts';
import type { Json, JsonObject } from '../../model/json.ts';
import type { Discovery } from '../../model/outcome.ts';
import type { ClientFacts } from '../../model/request.ts';
import { isModernRevision, NEWEST_MODERN } from '../../model/revision.ts';
import type { Era, ModernRevision, Revision } from '../../model/revision.ts';
import type { ClientCodec, LegacyHandshake } from '../../protocol/codec.ts';
import type { Clock } from '../clock.ts';
import type { Answer } from './multiplexer.ts';
import { ask } from './stdio-session.ts';
import type { Conversation, Reply, StdioSession } from './stdio-session.ts';

export type HandshakeParts = {
  readonly clock: Clock;
  readonly codecFor: (revision: Revision) => ClientCodec;
  readonly legacy: LegacyHandshake;
  /** Who we say we are. */
  readonly client: ClientFacts;
  /** What a legacy server is told that it may ask. */
  readonly capabilities: JsonObject;
};

export type Shaken = { readonly revision: Revision; readonly discovery: Discovery };

export type Probed =
  | { readonly kind: 'known'; readonly shaken: Shaken }
  /** This process is of no more use, but a new one that is spoken to in `era` from the start may be. */
  | { readonly kind: 'doubtful'; readonly era: Era; readonly why: string };

export type ProbeLimits = {
  /** After this long without an answer to `server/discover`, `initialize` is sent too. Either answer then decides. */
  readonly probeTimeoutMs: number;
  /** When neither was answered: the process is given up. */
  readonly giveUpMs: number;
};

const UNSUPPORTED_VERSION = -32022;
const METHOD_NOT_FOUND = -32601;
/** initialize was answered well: the probe, asked before, was ignored, or its answer comes just behind. */
const OUT_OF_ORDER_MS = 50;
/** One of two questions was answered: the answer to the other cannot be far. */
const OTHER_ANSWER_MS = 1000;

/** Finds the era of a process that was just started. */
export async function probe(session: StdioSession, parts: HandshakeParts, limits: ProbeLimits): Promise<Probed> {
  const timers = createTimers(parts.clock);
  try {
    const giveUp = timers.after(limits.giveUpMs);
    const discovering = discover(session, parts, NEWEST_MODERN);
    const early = await Promise.race([discovering, timers.after(limits.probeTimeoutMs)]);
    if (isShaken(early)) return { kind: 'known', shaken: early };
    if (early?.kind === 'failed') return judge(early, limits);
    const initializing = initialize(session, parts);
    if (early !== undefined) return judge(await Promise.race([initializing, giveUp]), limits);

    // No answer yet: the server ignores the probe, or it is merely slow to start and will answer both.
    const first = await Promise.race([discovering, initializing, giveUp]);
    if (first === undefined) return judge(undefined, limits);
    const modern = await Promise.race([discovering, timers.after(isShaken(first) ? OUT_OF_ORDER_MS : OTHER_ANSWER_MS)]);
    if (!isShaken(modern)) return judge(await Promise.race([initializing, giveUp]), limits);
    const legacy = await Promise.race([initializing, timers.after(OTHER_ANSWER_MS)]);
    if (legacy !== undefined && !isShaken(legacy)) return { kind: 'known', shaken: modern };
    // A server of both eras that took the late initialize for the opening speaks the old one now.
    return { kind: 'doubtful', era: 'modern', why: 'It is a modern server that was told initialize.' };
  } finally {
    timers.cancel();
  }
}

function judge(reply: Shaken | Reply | undefined, limits: ProbeLimits): Probed {
  if (isShaken(reply)) return { kind: 'known', shaken: reply };
  const why = reply === undefined ? `It answered nothing within ${limits.giveUpMs} ms.` : asRefusal(reply).message;
  // A modern server refuses initialize naming what it speaks.
  const isModern = reply !== undefined && otherModernRevision(reply) !== undefined;
  return { kind: 'doubtful', era: isModern ? 'modern' : 'legacy', why };
}

/** The opening of a server whose era is known, and nothing else before it. @throws Refusal */
export async function openAs(
  era: Era,
  session: Conversation,
  parts: HandshakeParts,
  giveUpMs: number,
): Promise<Shaken> {
  const timers = createTimers(parts.clock);
  try {
    const opening = era === 'legacy' ? initialize(session, parts) : discover(session, parts, NEWEST_MODERN);
    const reply = await Promise.race([opening, timers.after(giveUpMs)]);
    if (isShaken(reply)) return reply;
    if (reply !== undefined) throw asRefusal(reply);
    const method = era === 'legacy' ? 'initialize' : 'server/discover';
    const message = `The server did not answer ${method} within ${giveUpMs} ms.${session.lastWords()}`;
    throw refuse('upstream-timeout', { sent: 'maybe', message });
  } finally {
    timers.cancel();
  }
}

const isShaken = (reply: Shaken | Reply | undefined): reply is Shaken => reply !== undefined && 'revision' in reply;

async function discover(
  session: Conversation,
  parts: HandshakeParts,
  revision: ModernRevision,
): Promise<Shaken | Reply> {
  const id = session.multiplexer.nextId();
  const request = { id, operation: { kind: 'discover' }, meta: { vendor: {} }, client: parts.client } as const;
  const reply = await ask(session, id, parts.codecFor(revision).encodeRequest(request).body);
  const other = otherModernRevision(reply);
  if (other !== undefined && other !== revision) return discover(session, parts, other);
  return asModern(reply, parts) ?? reply;
}

async function initialize(session: Conversation, parts: HandshakeParts): Promise<Shaken | Reply> {
  const { multiplexer } = session;
  const id = multiplexer.nextId();
  const reply = await ask(session, id, parts.legacy.initialize(id, parts.capabilities));
  const result = resultOf(reply);
  if (result === undefined) return reply;
  const decoded = parts.legacy.decodeInitialize(result);
  if (!decoded.ok) return { kind: 'failed', failure: decoded.error };
  // Over HTTP+SSE the next request goes another way, and must not overtake it.
  if (await multiplexer.notifyText(parts.legacy.initialized)) return decoded.value;
  const message = 'The server did not take notifications/initialized.';
  return { kind: 'failed', failure: failure('upstream-invalid', { sent: 'yes', message }) };
}

function asModern(reply: Reply, parts: HandshakeParts): Shaken | undefined {
  const result = resultOf(reply);
  if (result === undefined) return undefined;
  const revision = newestKnown(result['supportedVersions']);
  return revision === undefined ? undefined : { revision, discovery: parts.codecFor(revision).decodeDiscovery(result) };
}

/** A modern server that does not speak the revision we asked in names those it speaks (-32022). */
function otherModernRevision(reply: Reply): ModernRevision | undefined {
  if (reply.kind !== 'answer' || reply.answer.kind !== 'error') return undefined;
  const { code, data } = reply.answer.error;
  if (code !== UNSUPPORTED_VERSION || !isJsonObject(data)) return undefined;
  return newestKnown(data['supported']);
}

function newestKnown(versions: Json | undefined): ModernRevision | undefined {
  if (!Array.isArray(versions)) return undefined;
  const known = (versions as readonly Json[]).filter((text) => typeof text === 'string').filter(isModernRevision);
  return known.toSorted().at(-1);
}

function resultOf(reply: Reply): JsonObject | undefined {
  if (reply.kind !== 'answer' || reply.answer.kind !== 'response') return undefined;
  const { head, resultStart, resultEnd } = reply.answer.message;
  const bytes = head.subarray(resultStart, resultEnd);
  try {
    const result: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
    return isJsonObject(result) ? result : undefined;
  } catch {
    return undefined;
  }
}

function asRefusal(reply: Reply): Refusal {
  if (reply.kind === 'failed') {
    const { code, message, cause } = reply.failure;
    if (code !== 'upstream-closed') return new Refusal(reply.failure);
    return refuse('server-unavailable', { ...(message === undefined ? {} : { message }), cause });
  }
  return new Refusal(failure('upstream-invalid', { sent: 'yes', message: refusedHandshake(reply.answer) }));
}

function refusedHandshake(answer: Answer): string {
  if (answer.kind === 'response') return 'The server answered the handshake with something that it does not know.';
  const { code, message } = answer.error;
  const hint = code === METHOD_NOT_FOUND ? ' It may speak a revision of MCP that the gateway does not.' : '';
  return `The server refused the handshake with error ${code}: ${JSON.stringify(message.slice(0, 300))}.${hint}`;
}

type Timers = { after(ms: number): Promise<undefined>; cancel(): void };

function createTimers(clock: Clock): Timers {
  const cancels: (() => void)[] = [];
  return {
    after(ms) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      cancels.push(clock.after(ms, () => resolve(undefined)));
      return promise;
    },
    cancel() {
      for (const cancel of cancels) cancel();
    },
  };
}
