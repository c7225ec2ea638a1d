/** `initialize` within an HTTP+SSE session: what the client says of itself is kept with its stream. */

import { failure, type Failure } from '../../model/failure.ts';
import type { Principal } from '../../model/principal.ts';
import { NEWEST_LEGACY } from '../../model/revision.ts';
import { changeText } from '../../protocol/changes.ts';
import type { ServerCodec } from '../../protocol/codec.ts';
import { oldestServerCodec, serverCodecFor } from '../../protocol/codecs.ts';
import type { RpcMessage } from '../../protocol/json-rpc.ts';
import type { EndpointArrival } from '../arrival.ts';
import { noteRefusal, respond, sourceOf } from '../arrival.ts';
import { TOO_MUCH_SAID } from '../receive-initialize.ts';
import type { Speaker } from '../run-call.ts';
import type { NewSession } from '../session-ids.ts';
import { runCall, sealsFor } from '../run-call.ts';
import { answerRefused } from './answer-refused.ts';
import { tellChanges } from '../tell-changes.ts';
import type { SseConversation } from './sse-conversation.ts';
import type { SseReply } from './sse-reply.ts';

type Introduction = {
  readonly arrival: EndpointArrival;
  readonly conversation: SseConversation;
  readonly reply: SseReply;
};

const ALREADY = { message: 'The session is open already. A second one needs an event stream of its own.' };

const strangerAt = ({ principal }: SseConversation): Speaker => ({
  era: 'legacy',
  revision: NEWEST_LEGACY,
  capabilities: {},
  sealedFor: [principal],
});

export async function initializeConversation(introduction: Introduction, message: RpcMessage): Promise<void> {
  const { arrival, conversation, reply } = introduction;
  const { parts } = arrival;
  const seals = sealsFor(arrival);
  const decoded = serverCodecFor(NEWEST_LEGACY).decode(message, { seals });
  if (decoded.kind === 'refused') {
    reply.cancel();
    return answerRefused(
      { arrival, codec: serverCodecFor(NEWEST_LEGACY), speaker: strangerAt(conversation) },
      conversation,
      decoded,
    );
  }
  if (decoded.kind !== 'request') throw new Error('initialize was decoded as something other than a request.');
  const isOldest = message.kind === 'request' && message.params['protocolVersion'] === '2024-11-05';
  const revision = isOldest ? '2025-03-26' : (decoded.negotiated ?? NEWEST_LEGACY);
  const codec = isOldest ? oldestServerCodec : serverCodecFor(revision);
  const { info, capabilities = {} } = decoded.client;
  const described: Speaker = { era: 'legacy', revision, capabilities, sealedFor: [conversation.principal] };
  const speaker = info === undefined ? described : { ...described, info };
  const { answer, headers, handled } = await runCall({ arrival, codec, decoded, speaker, seals, reply });
  const { principal } = handled;
  if (principal?.key !== conversation.principal) {
    const isTold = reply.isAcknowledged;
    reply.cancel();
    return isTold ? undefined : respond(arrival, answer, headers);
  }
  const fault =
    handled.outcome.kind === 'failed'
      ? undefined
      : open(introduction, { revision, capabilities, info, codec, principal });
  reply.acknowledge();
  if (fault === undefined) return conversation.message(answer.body);
  parts.instruments.refused(fault.code);
  noteRefusal(arrival, fault.code);
  return conversation.message(codec.encodeFailure(fault, { id: decoded.id, requestId: arrival.id }).body);
}

type Introduced = Pick<NewSession, 'revision' | 'capabilities'> & {
  readonly info: NewSession['info'] | undefined;
  readonly codec: ServerCodec;
  readonly principal: Principal;
};

/** Undefined when the session is open now. */
function open({ arrival, conversation }: Introduction, introduced: Introduced): Failure | undefined {
  const { parts, route } = arrival;
  const { revision, capabilities, info, codec, principal } = introduced;
  if (conversation.opened !== undefined) return failure('invalid-request', ALREADY);
  const session: NewSession = {
    principal: principal.key,
    path: route.path,
    revision,
    capabilities,
    ...(info === undefined ? {} : { info }),
  };
  // As bounded as one that has to fit into a header, and named alike in the record; the id itself nobody needs.
  const issued = parts.sessionIds.issue(session);
  if (!issued.ok) return failure('invalid-params', { message: TOO_MUCH_SAID });
  const { nonce, expiresAtMs } = issued.value;
  conversation.opened = { session: { ...session, nonce, expiresAtMs }, codec, principal };
  const { listening } = conversation;
  if (listening !== undefined) {
    const end = (): void => conversation.end();
    // The session is over with its stream: nobody comes back to it, and it is never another's.
    const stream = { send: (text: string) => conversation.notice(text), end, isAway: false, replaced: end };
    const closed = parts.sessionListenings.add(nonce, listening, stream);
    conversation.whenGone(closed);
    tellChanges({ listening, stream, text: (change) => changeText(change), instruments: parts.instruments });
  }
  const opened = { of: 'mcp', session: nonce, principal, expiresAtMs, endpoint: route.endpoint } as const;
  parts.followedSessions.opened({ ...opened, ...sourceOf(arrival) });
  return undefined;
}
