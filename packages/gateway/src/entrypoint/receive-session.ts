/** The two requests of a legacy session that have no body: GET opens its stream, DELETE ends it. */

import { failure } from '../model/failure.ts';
import type { Classified } from '../protocol/classify.ts';
import { serverCodecFor } from '../protocol/codecs.ts';
import type { Principal } from '../model/principal.ts';
import type { EndpointArrival } from './arrival.ts';
import { commonHeaders, refuse, respondEmpty, sourceOf } from './arrival.ts';
import { EventStream } from './event-stream.ts';
import { acceptsStream } from './inbound-headers.ts';
import { openSession, speakerOf } from './receive-in-session.ts';
import { resumeStream } from './receive-resumption.ts';
import { answerFailure, runSilently } from './run-call.ts';
import type { Session } from './session-ids.ts';

type SessionEnd = Extract<Classified, { kind: 'session-end' }>;
type SessionStream = Extract<Classified, { kind: 'session-stream' }>;

/** DELETE: from now on the session id is unknown, on every replica that shares the `LegacySessions`. */
export async function receiveSessionEnd(arrival: EndpointArrival, classified: SessionEnd): Promise<void> {
  const session = await openSession(arrival, classified);
  if (session === undefined) return;
  const codec = serverCodecFor(session.revision);
  const handled = await runSilently({ arrival, codec, speaker: speakerOf(session) }, { kind: 'end-session' });
  if (await answerFailure(arrival, codec, handled)) return;
  const ended = await arrival.parts.sessions.revoke(session.nonce, session.expiresAtMs);
  if (!ended) return refuse(arrival, failure('overloaded'));
  arrival.parts.instruments.sessionEnded(session.nonce);
  arrival.parts.openQuestions.endSession(session.nonce);
  arrival.parts.streamLogs.endSession(session.nonce);
  const { principal } = handled;
  if (principal !== undefined) {
    const { nonce, expiresAtMs } = session;
    const { endpoint } = arrival.route;
    const closed = { of: 'mcp', session: nonce, principal, expiresAtMs, endpoint, ...sourceOf(arrival) } as const;
    arrival.parts.followedSessions.ended(closed, 'ended by its client');
  }
  respondEmpty(arrival, 200);
}

/** GET: a stream that stays open for what concerns the session and no single request. Until then, only comments. */
export async function receiveSessionStream(arrival: EndpointArrival, classified: SessionStream): Promise<void> {
  if (!acceptsStream(arrival.headers.accept)) return refuse(arrival, failure('not-acceptable', STREAM_ONLY));
  const session = await openSession(arrival, classified);
  if (session === undefined) return;
  const codec = serverCodecFor(session.revision);
  const handled = await runSilently({ arrival, codec, speaker: speakerOf(session) }, { kind: 'listen', filter: {} });
  if (await answerFailure(arrival, codec, handled)) return;
  if (handled.principal === undefined || arrival.response.destroyed) return;
  const forMs = lifetimeMs(arrival.parts.now(), session, handled.principal);
  if (arrival.headers.lastEventId !== undefined) {
    return resumeStream(arrival, { principal: handled.principal.key, session: session.nonce }, forMs);
  }
  const giveBack = arrival.parts.streamSlots.take(handled.principal.key);
  if (giveBack === undefined) return refuse(arrival, failure('too-many-streams'));
  keepOpen(arrival, forMs, giveBack);
}

const STREAM_ONLY = { message: 'Accept must list text/event-stream.' };
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A stream outlives neither its session nor the credentials that opened it. */
export function lifetimeMs(
  nowMs: number,
  session: Pick<Session, 'expiresAtMs'>,
  { credential, workload }: Principal,
): number {
  const forever = Number.POSITIVE_INFINITY;
  const ofCaller = Math.min(credential.expiresAtMs ?? forever, workload?.expiresAtMs ?? forever);
  const untilMs = Math.min(session.expiresAtMs, ofCaller);
  return Math.max(1, Math.min(untilMs - nowMs, MAX_TIMER_MS));
}

function keepOpen(arrival: EndpointArrival, forMs: number, giveBack: () => void): void {
  const { instruments, limits, openStreams } = arrival.parts;
  const stream = new EventStream(arrival.response, commonHeaders(arrival), limits);
  const end = (): void => stream.end();
  const timer = setTimeout(end, forMs);
  timer.unref();
  instruments.streamOpened();
  openStreams.add(end);
  arrival.response.once('close', () => {
    clearTimeout(timer);
    openStreams.delete(end);
    giveBack();
    instruments.streamClosed();
  });
}
