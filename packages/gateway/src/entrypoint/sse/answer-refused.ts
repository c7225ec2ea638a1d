/** A request of an HTTP+SSE session that is refused before it runs. */

import type { Decoded } from '../../protocol/codec.ts';
import { noteRefusal, refuse, respondEmpty } from '../arrival.ts';
import { answerFailure, runSilently, type Within } from '../run-call.ts';
import type { SseConversation } from './sse-conversation.ts';

/** Its client waits for an answer on the stream, and looks at no other. It is one for whose stream it is alone. */
export async function answerRefused(
  within: Within,
  conversation: SseConversation,
  { failure: fault, id }: Extract<Decoded, { kind: 'refused' }>,
): Promise<void> {
  const { arrival, codec } = within;
  const handled = await runSilently(within, { kind: 'ping' });
  if (await answerFailure(arrival, codec, handled)) return;
  if (handled.principal?.key !== conversation.principal) return refuse(arrival, fault, { era: 'legacy', id });
  arrival.parts.instruments.refused(fault.code);
  noteRefusal(arrival, fault.code);
  respondEmpty(arrival, 202);
  return conversation.message(codec.encodeFailure(fault, { id, requestId: arrival.id }).body);
}
