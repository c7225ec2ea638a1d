/** What a legacy client sends within its session: messages, alone or in batches (2025-03-26 only). */

import { failure } from '../model/failure.ts';
import type { Classified } from '../protocol/classify.ts';
import { checkSessionRequest } from '../protocol/classify.ts';
import { serverCodecFor } from '../protocol/codecs.ts';
import type { Decoded, EncodedAnswer, ServerCodec } from '../protocol/codec.ts';
import type { RpcMessage } from '../protocol/json-rpc.ts';
import type { EndpointArrival } from './arrival.ts';
import { refuse, respondEmpty } from './arrival.ts';
import { tellOthers } from './forward.ts';
import { receiveBatch } from './receive-batch.ts';
import { openResumable } from './receive-resumption.ts';
import { replyTo } from './reply-to.ts';
import type { Reply } from './reply.ts';
import { discard } from './response-body.ts';
import type { Speaker, Within } from './run-call.ts';
import { answerFailure, runCall, runSilently, sealsFor, silentOperation } from './run-call.ts';
import type { Session } from './session-ids.ts';
import { answeredElsewhere, takeSilently } from './take-silently.ts';

export type InSession = Extract<Classified, { kind: 'session-message' | 'session-stream' | 'session-end' }>;

type SessionMessages = Extract<Classified, { kind: 'session-message' }>;

export async function receiveInSession(arrival: EndpointArrival, classified: SessionMessages): Promise<void> {
  const session = await openSession(arrival, classified);
  if (session === undefined) return;
  const codec = serverCodecFor(session.revision);
  const within = await withinSession(arrival, session, codec);
  if (classified.batch) return receiveBatch(within, classified.messages);
  const [message] = classified.messages;
  if (message === undefined) throw new Error('A session message was classified without a message.');
  return receiveMessage(within, message);
}

/** Who speaks, and what its client said of the whole session. */
export async function withinSession(arrival: EndpointArrival, session: Session, codec: ServerCodec): Promise<Within> {
  const known = arrival.parts.sessions.logLevel(session.nonce);
  const logLevel = known instanceof Promise ? await known : known;
  const within = { arrival, codec, session, speaker: speakerOf(session) };
  return logLevel === undefined ? within : { ...within, logLevel };
}

/** The session that the request names. When it has none, the request is answered and undefined returned. */
export async function openSession(arrival: EndpointArrival, classified: InSession): Promise<Session | undefined> {
  const { sessionIds, sessions } = arrival.parts;
  const as = { era: 'legacy', id: requestIdOf(classified) } as const;
  const session = sessionIds.open(classified.sessionId, arrival.route.path);
  const revoked = session === undefined || sessions.isRevoked(session.nonce);
  // The same answer for what was altered, expired, ended, or made for another endpoint.
  if (session === undefined || (revoked !== false && (await revoked))) {
    await refuse(arrival, failure('unknown-session'), as);
    return undefined;
  }
  const fault = checkSessionRequest(classified, session.revision);
  if (fault === undefined) {
    noteUse(arrival, session);
    return session;
  }
  await refuse(arrival, fault, as);
  return undefined;
}

export function noteUse({ parts }: EndpointArrival, { nonce, revision, expiresAtMs }: Session): void {
  const startedAtMs = expiresAtMs - parts.limits.sessionLifetimeMs;
  parts.instruments.sessionUsed({ id: nonce, startedAtMs, revision });
}

function requestIdOf(classified: InSession): string | number | null {
  if (classified.kind !== 'session-message' || classified.batch) return null;
  const [message] = classified.messages;
  return message?.kind === 'request' ? message.id : null;
}

export function speakerOf(session: Session): Speaker {
  const { principal, revision, capabilities, info, nonce } = session;
  const speaker: Speaker = { era: 'legacy', revision, capabilities, session: nonce, sealedFor: [principal] };
  return info === undefined ? speaker : { ...speaker, info };
}

async function receiveMessage(within: Within, message: RpcMessage): Promise<void> {
  const { arrival, codec } = within;
  const seals = sealsFor(arrival);
  const decoded = codec.decode(message, { seals });
  if (decoded.kind === 'refused') return refuse(arrival, decoded.failure, { era: 'legacy', id: decoded.id });
  if (decoded.kind === 'request') {
    const reply = replyTo(arrival, { resumable: () => openResumable(within, decoded.id) });
    const { answer, headers, withheld, handled } = await runCall({ ...within, decoded, seals, reply }).catch(
      (error: unknown) => {
        // What is kept for a client that comes back ends, too.
        reply.finishStream();
        throw error;
      },
    );
    // Before the answer: the next request of the session may come to another replica.
    if (changesSession(message) && handled.outcome.kind !== 'failed') await tellOthers(arrival, message);
    return withheld ? withhold(arrival, reply, answer) : reply.finish(answer, headers);
  }
  return receiveSilent(within, decoded);
}

/** What is answered by a status alone. */
export async function receiveSilent(
  within: Within,
  decoded: Extract<Decoded, { kind: 'notification' | 'response' }>,
): Promise<void> {
  const { arrival, codec } = within;
  if (await answeredElsewhere(within, decoded)) return;
  const handled = await runSilently(within, silentOperation(decoded));
  if (await answerFailure(arrival, codec, handled)) return;
  const fault = takeSilently(within, decoded);
  // "If the server cannot accept the input, it MUST return an HTTP error status code" (basic/transports).
  if (fault !== undefined) return refuse(arrival, fault, { era: 'legacy', id: null, status: 400 });
  respondEmpty(arrival, 202);
}

const CHANGE_SESSION = new Set(['logging/setLevel', 'resources/subscribe', 'resources/unsubscribe']);

/** What a replica keeps of a session in its own memory. */
const changesSession = (message: RpcMessage): boolean =>
  message.kind === 'request' && CHANGE_SESSION.has(message.method);

async function withhold(arrival: EndpointArrival, reply: Reply, answer: EncodedAnswer): Promise<void> {
  await discard(answer.body);
  if (reply.streaming) return reply.finishStream();
  reply.cancel();
  respondEmpty(arrival, 202);
}
