/** The two requests of a legacy session that have no body: GET opens its stream, DELETE ends it. */

import { failure } from '../model/failure.ts';
import type { Classified } from '../protocol/classify.ts';
import { changeText } from '../protocol/changes.ts';
import { serverCodecFor } from '../protocol/codecs.ts';
import type { EndpointArrival } from './arrival.ts';
import { refuse, respondEmpty, sourceOf } from './arrival.ts';
import { acceptsStream } from './inbound-headers.ts';
import { openSession, speakerOf } from './receive-in-session.ts';
import { resumeStream } from './receive-resumption.ts';
import { answerFailure, runSilently } from './run-call.ts';
import { EVERY_LIST, lifetimeMs, SessionStream } from './session-stream.ts';
import { tellChanges } from './tell-changes.ts';

type SessionEnd = Extract<Classified, { kind: 'session-end' }>;
type SessionStreamRequest = Extract<Classified, { kind: 'session-stream' }>;

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
  arrival.parts.sessionListenings.end(session.nonce);
  const { principal } = handled;
  if (principal !== undefined) {
    const { nonce, expiresAtMs } = session;
    const { endpoint } = arrival.route;
    const closed = { of: 'mcp', session: nonce, principal, expiresAtMs, endpoint, ...sourceOf(arrival) } as const;
    arrival.parts.followedSessions.ended(closed, 'ended by its client');
  }
  respondEmpty(arrival, 200);
}

/** GET: the stream of the session. It tells of changes; every list, and the resources that the session subscribed to. */
export async function receiveSessionStream(arrival: EndpointArrival, classified: SessionStreamRequest): Promise<void> {
  if (!acceptsStream(arrival.headers.accept)) return refuse(arrival, failure('not-acceptable', STREAM_ONLY));
  const session = await openSession(arrival, classified);
  if (session === undefined) return;
  const { sessions, streamSlots, sessionListenings, instruments, now } = arrival.parts;
  const codec = serverCodecFor(session.revision);
  const { lastEventId } = arrival.headers;
  const resources = await sessions.subscriptions(session.nonce);
  const filter = lastEventId === undefined ? { ...EVERY_LIST, resourceSubscriptions: resources } : {};
  const handled = await runSilently({ arrival, codec, speaker: speakerOf(session) }, { kind: 'listen', filter });
  if (await answerFailure(arrival, codec, handled)) return;
  const { principal, listening } = handled;
  if (principal !== undefined && lastEventId !== undefined) {
    listening?.close();
    if (arrival.response.destroyed) return;
    const forMs = lifetimeMs(now(), principal, session.expiresAtMs);
    return resumeStream(arrival, { principal: principal.key, session: session.nonce }, forMs);
  }
  const giveBack = principal === undefined || arrival.response.destroyed ? undefined : streamSlots.take(principal.key);
  if (principal === undefined || giveBack === undefined) {
    listening?.close();
    if (!arrival.response.destroyed) await refuse(arrival, failure('too-many-streams'));
    return;
  }
  let closed = (): void => undefined;
  const stream = new SessionStream(arrival, {
    forMs: lifetimeMs(now(), principal, session.expiresAtMs),
    onClose() {
      closed();
      giveBack();
    },
  });
  if (listening === undefined) return;
  closed = sessionListenings.add(session.nonce, listening, () => stream.end());
  tellChanges({ listening, stream, text: (change) => changeText(change), instruments });
}

const STREAM_ONLY = { message: 'Accept must list text/event-stream.' };
