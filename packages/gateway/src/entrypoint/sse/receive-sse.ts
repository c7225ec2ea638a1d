/** HTTP+SSE (MCP 2024-11-05, basic/transports) for old clients: GET opens the stream, POST brings a message for it. */

import { failure } from '../../model/failure.ts';
import type { Listening } from '../../pipeline/listening.ts';
import type { Principal } from '../../model/principal.ts';
import type { DecodedRequest } from '../../protocol/codec.ts';
import { serverCodecFor } from '../../protocol/codecs.ts';
import { readMessage } from '../../protocol/json-rpc.ts';
import type { Arrival, EndpointArrival } from '../arrival.ts';
import { commonHeaders, refuse, respond, sourceOf } from '../arrival.ts';
import { EventStream } from '../event-stream.ts';
import { forwardTo } from '../forward.ts';
import { acceptsStream } from '../inbound-headers.ts';
import { noteUse, receiveSilent, withinSession } from '../receive-in-session.ts';
import { bodyFault, readJson } from '../receive-post.ts';
import { EVERY_LIST, lifetimeMs } from '../session-stream.ts';
import { discard } from '../response-body.ts';
import { messagesPathOf, type Route } from '../route.ts';
import type { Within } from '../run-call.ts';
import { answerFailure, runCall, runSilently, sealsFor } from '../run-call.ts';
import { initializeConversation } from './initialize-conversation.ts';
import { answerRefused } from './answer-refused.ts';
import { SseConversation, type SseConversations } from './sse-conversation.ts';
import { SseReply } from './sse-reply.ts';

export type SseArrival = Arrival & { readonly route: Extract<Route, { kind: 'sse' }> };

export const isForSse = (arrival: Arrival): arrival is SseArrival => arrival.route?.kind === 'sse';

export async function receiveSse(arrival: SseArrival): Promise<void> {
  const { parts, request, route } = arrival;
  const conversations = parts.sseConversations;
  // Switched off, it is not there.
  if (conversations === undefined) return refuse(arrival, failure('not-found'));
  const isStream = route.place === 'stream';
  // Clients that look for Streamable HTTP first post here, and go on to GET for this status.
  if (request.method !== (isStream ? 'GET' : 'POST')) return refuse(arrival, failure('method-not-allowed'));
  const at = { ...arrival, route: route.of };
  return isStream ? openStream(at, conversations) : receiveMessage(at, conversations);
}

const LEGACY = { era: 'legacy' } as const;
const STREAM_ONLY = { message: 'Accept must list text/event-stream.' };
/** Until `initialize` says more. */
const STRANGER = { era: 'legacy', revision: '2025-03-26', capabilities: {}, sealedFor: [] } as const;

async function openStream(arrival: EndpointArrival, conversations: SseConversations): Promise<void> {
  const { parts, response } = arrival;
  if (!acceptsStream(arrival.headers.accept)) return refuse(arrival, failure('not-acceptable', STREAM_ONLY));
  const codec = serverCodecFor(STRANGER.revision);
  const handled = await runSilently({ arrival, codec, speaker: STRANGER }, { kind: 'listen', filter: EVERY_LIST });
  if (await answerFailure(arrival, codec, handled)) return;
  const { principal, listening } = handled;
  const giveBack = principal === undefined || response.destroyed ? undefined : parts.streamSlots.take(principal.key);
  if (principal === undefined || giveBack === undefined) {
    listening?.close();
    return response.destroyed ? undefined : refuse(arrival, failure('too-many-streams'));
  }
  keepOpen(arrival, conversations, { principal, giveBack, listening });
}

type Opened = {
  readonly principal: Principal;
  readonly giveBack: () => void;
  readonly listening: Listening | undefined;
};

function keepOpen(arrival: EndpointArrival, conversations: SseConversations, opened: Opened): void {
  const { response, parts, route } = arrival;
  const { principal, giveBack, listening } = opened;
  const { limits, instruments, openStreams } = parts;
  const nowMs = parts.now();
  const forMs = lifetimeMs(nowMs, principal, nowMs + limits.sessionLifetimeMs);
  const stream = new EventStream(response, commonHeaders(arrival), limits, 'message');
  const { key } = principal;
  const conversation = new SseConversation({ id: parts.newId(), principal: key, response, stream, limits, listening });
  const token = conversations.tokenFor(conversation, route.path, forMs);
  response.write(`event: endpoint\ndata: ${messagesPathOf(route)}?session=${token}\n\n`);
  const end = (): void => conversation.end();
  const timer = setTimeout(end, forMs);
  timer.unref();
  conversations.here.set(conversation.id, conversation);
  openStreams.add(end);
  instruments.streamOpened();
  response.once('close', () => {
    clearTimeout(timer);
    conversations.here.delete(conversation.id);
    openStreams.delete(end);
    giveBack();
    listening?.close();
    instruments.streamClosed();
    forget(arrival, conversation);
  });
}

/** The session is over with its stream. */
function forget(arrival: EndpointArrival, { opened }: SseConversation): void {
  if (opened === undefined) return;
  const { parts, route } = arrival;
  const { session, principal } = opened;
  const { nonce, expiresAtMs } = session;
  parts.instruments.sessionEnded(nonce);
  parts.openQuestions.endSession(nonce);
  const closed = { of: 'mcp', session: nonce, principal, expiresAtMs, endpoint: route.endpoint } as const;
  parts.followedSessions.ended({ ...closed, ...sourceOf(arrival) }, 'ended by its client');
}

const NO_STREAM = {
  message: 'There is no event stream here for this session. Open it again with GET: every session has one of its own.',
};

async function receiveMessage(arrival: EndpointArrival, conversations: SseConversations): Promise<void> {
  const { headers, request, route } = arrival;
  const unusable = bodyFault(headers);
  if (unusable !== undefined) return refuse(arrival, unusable, LEGACY);
  const address = conversations.read(tokenIn(request.url ?? ''), route.path);
  if (address === undefined) return refuse(arrival, failure('unknown-session', NO_STREAM), LEGACY);
  const conversation = conversations.here.get(address.id);
  const read = await readJson(arrival, LEGACY);
  if (read === undefined) return;
  const message = readMessage(read.value);
  if (!message.ok) return refuse(arrival, message.error.failure, { ...LEGACY, id: message.error.id });
  if (conversation === undefined) {
    // Another replica may hold the stream.
    if (await forwardTo(arrival, address.owner, message.value)) return;
    return refuse(arrival, failure('unknown-session', NO_STREAM), LEGACY);
  }
  if (message.value.kind === 'request' && message.value.method === 'initialize') {
    return inConversation(arrival, conversation, (reply) =>
      initializeConversation({ arrival, conversation, reply }, message.value),
    );
  }
  const { opened } = conversation;
  if (opened === undefined) return refuse(arrival, failure('invalid-request', NOT_OPENED), LEGACY);
  noteUse(arrival, opened.session);
  const within = await withinSession(arrival, opened.session, opened.codec);
  const decoded = opened.codec.decode(message.value, { seals: sealsFor(arrival) });
  if (decoded.kind === 'refused') return answerRefused(within, conversation, decoded);
  if (decoded.kind !== 'request') return receiveSilent(within, decoded);
  return inConversation(arrival, conversation, (reply) => answer(within, conversation, { decoded, reply }));
}

const NOT_OPENED = { message: 'The session was not opened. Send initialize first.' };

/** Empty where there is none, or more than one. */
function tokenIn(requestTarget: string): string {
  const query = requestTarget.indexOf('?');
  const [token = '', ...more] = query === -1 ? [] : new URLSearchParams(requestTarget.slice(query)).getAll('session');
  return more.length === 0 ? token : '';
}

const TOO_MUCH = {
  message: 'Too many requests of this session are at work, or their answers were not read yet. Read the event stream.',
  retryAfterMs: 1000,
};

async function inConversation(
  arrival: EndpointArrival,
  conversation: SseConversation,
  act: (reply: SseReply) => Promise<void>,
): Promise<void> {
  const finished = conversation.isBehind ? undefined : conversation.begin();
  if (finished === undefined) return refuse(arrival, failure('overloaded', TOO_MUCH), LEGACY);
  const reply = new SseReply(arrival, conversation);
  try {
    await act(reply);
  } finally {
    reply.cancel();
    finished();
  }
}

type Asked = { readonly decoded: DecodedRequest; readonly reply: SseReply };

async function answer(within: Within, conversation: SseConversation, { decoded, reply }: Asked): Promise<void> {
  const { arrival } = within;
  const seals = sealsFor(arrival);
  const answered = await runCall({ ...within, decoded, seals, reply });
  if (answered.withheld) {
    await discard(answered.answer.body);
    return reply.acknowledge();
  }
  // Never on the stream of somebody who did not ask: whoever holds the address alone could answer its owner's requests.
  const isOwner = answered.handled.principal?.key === conversation.principal;
  if (isOwner && answered.answer.status !== 403) {
    reply.acknowledge();
    return conversation.message(answered.answer.body);
  }
  const isTold = reply.isAcknowledged;
  reply.cancel();
  if (!isTold) return respond(arrival, answered.answer, answered.headers);
  return isOwner ? conversation.message(answered.answer.body) : discard(answered.answer.body);
}
