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
import type { ModernRevision, Revision } from '../../model/revision.ts';
import type { ClientCodec, LegacyHandshake } from '../../protocol/codec.ts';
import type { Clock } from '../clock.ts';
import type { Answer } from './multiplexer.ts';
import { ask } from './stdio-session.ts';
import type { Reply, StdioSession } from './stdio-session.ts';

export type HandshakeParts = {
  readonly clock: Clock;
  readonly codecFor: (revision: Revision) => ClientCodec;
  readonly legacy: LegacyHandshake;
  /** Who we say we are. */
  readonly client: ClientFacts;
};

export type Shaken = { readonly revision: Revision; readonly discovery: Discovery };

/** `doubtful`: the process is of no more use, but a new one that is not asked `server/discover` may be. */
export type Probed =
  | { readonly kind: 'known'; readonly shaken: Shaken }
  | { readonly kind: 'doubtful'; readonly why: string };

export type ProbeLimits = {
  /** After this long without an answer to `server/discover`, `initialize` is sent too. Either answer then decides. */
  readonly probeTimeoutMs: number;
  /** When neither was answered: the process is given up. */
  readonly giveUpMs: number;
};

const UNSUPPORTED_VERSION = -32022;
const METHOD_NOT_FOUND = -32601;

/** Finds the era of a process that was just started. @throws Refusal `upstream-invalid`, `server-unavailable` */
export async function probe(session: StdioSession, parts: HandshakeParts, limits: ProbeLimits): Promise<Probed> {
  const giveUp = timer(parts.clock, limits.giveUpMs);
  const patience = timer(parts.clock, limits.probeTimeoutMs);
  try {
    let discovering = discover(session, parts, NEWEST_MODERN);
    let early = await Promise.race([discovering, patience.over]);
    const other = early === undefined ? undefined : otherModernRevision(early);
    if (other !== undefined) {
      discovering = discover(session, parts, other);
      early = await Promise.race([discovering, giveUp.over]);
    }
    if (early !== undefined) {
      const modern = asModern(early, parts);
      if (modern !== undefined) return { kind: 'known', shaken: modern };
      if (early.kind === 'failed') return verdict(early, limits);
    }
    const initializing = initialize(session, parts);
    if (early !== undefined) return verdict(await Promise.race([initializing, giveUp.over]), limits);
    // A server that is merely slow to start answers both: the first useful answer decides.
    const late = discovering.then((reply) => asModern(reply, parts));
    const first = await Promise.race([late.then((modern) => modern ?? initializing), initializing, giveUp.over]);
    if (first === undefined || 'revision' in first) return verdict(first, limits);
    // initialize was refused: by a modern server, perhaps, whose other answer is about to come.
    const grace = timer(parts.clock, limits.probeTimeoutMs);
    const modern = await Promise.race([late, grace.over]);
    grace.cancel();
    return verdict(modern ?? first, limits);
  } finally {
    giveUp.cancel();
    patience.cancel();
  }
}

function verdict(first: Shaken | Reply | undefined, limits: ProbeLimits): Probed {
  if (first === undefined) return { kind: 'doubtful', why: `It answered nothing within ${limits.giveUpMs} ms.` };
  return 'revision' in first ? { kind: 'known', shaken: first } : { kind: 'doubtful', why: asRefusal(first).message };
}

/** The handshake of a legacy server, and nothing before it. @throws Refusal */
export async function openLegacy(session: StdioSession, parts: HandshakeParts, giveUpMs: number): Promise<Shaken> {
  const giveUp = timer(parts.clock, giveUpMs);
  try {
    const reply = await Promise.race([initialize(session, parts), giveUp.over]);
    if (reply === undefined) {
      const message = `The server did not answer initialize within ${giveUpMs} ms.${session.lastWords()}`;
      throw refuse('upstream-timeout', { sent: 'maybe', message });
    }
    if ('revision' in reply) return reply;
    throw asRefusal(reply);
  } finally {
    giveUp.cancel();
  }
}

function discover(session: StdioSession, parts: HandshakeParts, revision: ModernRevision): Promise<Reply> {
  const id = session.multiplexer.nextId();
  const request = { id, operation: { kind: 'discover' }, meta: { vendor: {} }, client: parts.client } as const;
  return ask(session, id, parts.codecFor(revision).encodeRequest(request).body);
}

async function initialize(session: StdioSession, parts: HandshakeParts): Promise<Shaken | Reply> {
  const { multiplexer } = session;
  const id = multiplexer.nextId();
  const reply = await ask(session, id, parts.legacy.initialize(id));
  const result = resultOf(reply);
  if (result === undefined) return reply;
  const decoded = parts.legacy.decodeInitialize(result);
  if (!decoded.ok) return { kind: 'failed', failure: decoded.error };
  multiplexer.notifyText(parts.legacy.initialized);
  return decoded.value;
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
  if (answer.kind === 'response') return 'The server answered initialize with something that is no InitializeResult.';
  const { code, message } = answer.error;
  const hint = code === METHOD_NOT_FOUND ? ' It may speak a revision of MCP that the gateway does not.' : '';
  return `The server refused initialize with error ${code}: ${JSON.stringify(message.slice(0, 300))}.${hint}`;
}

function timer(clock: Clock, ms: number): { readonly over: Promise<undefined>; cancel(): void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const cancel = clock.after(ms, () => resolve(undefined));
  return { over: promise, cancel };
}
