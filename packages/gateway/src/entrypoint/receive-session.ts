/** The two requests of a legacy session that have no body: GET opens its stream, DELETE ends it. */

import { failure } from '../model/failure.ts';
import type { Principal } from '../model/principal.ts';
import type { Listening } from '../pipeline/listening.ts';
import type { Classified } from '../protocol/classify.ts';
import { changeText } from '../protocol/changes.ts';
import type { ServerCodec } from '../protocol/codec.ts';
import { serverCodecFor } from '../protocol/codecs.ts';
import type { EndpointArrival } from './arrival.ts';
import { refuse, respondEmpty, sourceOf } from './arrival.ts';
import { acceptsStream } from './inbound-headers.ts';
import { openSession, speakerOf } from './receive-in-session.ts';
import { openResumable, resumeStream } from './receive-resumption.ts';
import { answerFailure, runSilently } from './run-call.ts';
import { EVERY_LIST, lifetimeMs, SessionStream } from './session-stream.ts';
import type { Session } from './session-ids.ts';
import { isOfSessionStream } from './stream-logs.ts';
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

/**
 * GET: the stream of the session. It tells of changes; every list, and the resources that the session subscribed to. With
 * `Last-Event-ID` it goes on with what was lost: the stream of a call, or of the session.
 */
export async function receiveSessionStream(arrival: EndpointArrival, classified: SessionStreamRequest): Promise<void> {
  if (!acceptsStream(arrival.headers.accept)) return refuse(arrival, failure('not-acceptable', STREAM_ONLY));
  const session = await openSession(arrival, classified);
  if (session === undefined) return;
  const { sessions, now } = arrival.parts;
  const codec = serverCodecFor(session.revision);
  const resumes = goesOn(arrival, session);
  const resources = resumes ? [] : await sessions.subscriptions(session.nonce);
  const filter = resumes ? {} : { ...EVERY_LIST, resourceSubscriptions: resources };
  const handled = await runSilently({ arrival, codec, speaker: speakerOf(session) }, { kind: 'listen', filter });
  if (await answerFailure(arrival, codec, handled)) return;
  const { principal, listening } = handled;
  if (principal === undefined || arrival.response.destroyed) return listening?.close();
  if (!resumes) return tellSession({ arrival, session, codec }, { principal, listening });
  listening?.close();
  const forMs = lifetimeMs(now(), principal, session.expiresAtMs);
  return resumeStream(arrival, { principal: principal.key, session: session.nonce }, forMs);
}

/** A session's own stream that is not kept any more is none to be refused: a new one takes its place. */
function goesOn({ headers, parts }: EndpointArrival, { principal, nonce }: Session): boolean {
  const { lastEventId } = headers;
  if (lastEventId === undefined) return false;
  return !isOfSessionStream(lastEventId) || parts.streamLogs.find(lastEventId, { principal, session: nonce }).ok;
}

type Told = { readonly principal: Principal; readonly listening: Listening | undefined };
type InSession = { readonly arrival: EndpointArrival; readonly session: Session; readonly codec: ServerCodec };

async function tellSession(within: InSession, { principal, listening }: Told): Promise<void> {
  const { arrival, session } = within;
  const { streamSlots, sessionListenings, instruments, now } = arrival.parts;
  sessionListenings.givenUp(session.nonce);
  let stream: SessionStream | undefined;
  const giveBack = streamSlots.take(principal.key, () => stream);
  if (giveBack === undefined) {
    listening?.close();
    return refuse(arrival, failure('too-many-streams'));
  }
  let closed = (): void => undefined;
  stream = new SessionStream(arrival, {
    forMs: lifetimeMs(now(), principal, session.expiresAtMs),
    // Nothing to come back to where nothing is told.
    resumable: listening === undefined ? undefined : openResumable(within, null, 'session'),
    onClose() {
      closed();
      giveBack();
    },
  });
  if (listening === undefined) return;
  closed = sessionListenings.add(session.nonce, listening, stream);
  if (arrival.headers.lastEventId !== undefined) listening.missed();
  tellChanges({ listening, stream, text: (change) => changeText(change), instruments });
}

const STREAM_ONLY = { message: 'Accept must list text/event-stream.' };
