/**
 * `subscriptions/listen` of a modern client: one stream for one subscription. First the acknowledgement, then changes, at the
 * end the result; the client ends it by closing the stream (MCP 2026-07-28, basic/utilities/subscriptions).
 */

import { failure } from '../model/failure.ts';
import { acknowledgedText, changeText, listenResultText } from '../protocol/changes.ts';
import type { EndpointArrival } from './arrival.ts';
import { refuse } from './arrival.ts';
import { replyTo } from './reply-to.ts';
import type { RunCall } from './run-call.ts';
import { runCall } from './run-call.ts';
import { lifetimeMs, SessionStream } from './session-stream.ts';
import { tellChanges } from './tell-changes.ts';

export async function receiveListen(run: Omit<RunCall, 'reply'>): Promise<void> {
  const { arrival, decoded } = run;
  // An event stream when it begins, and not before: a refusal is an ordinary answer.
  const reply = replyTo(arrival, { mayStream: false });
  const { answer, headers, handled } = await runCall({ ...run, reply });
  const { listening, principal } = handled;
  if (listening === undefined || principal === undefined) return reply.finish(answer, headers);
  const giveBack = arrival.response.destroyed ? undefined : arrival.parts.streamSlots.take(principal.key);
  if (giveBack === undefined) {
    listening.close();
    if (!arrival.response.destroyed) await refuse(arrival, failure('too-many-streams'), asModern(run));
    return;
  }
  const { id } = decoded;
  const { now, instruments } = arrival.parts;
  const stream = new SessionStream(arrival, {
    forMs: lifetimeMs(now(), principal),
    lastWords: listenResultText(id),
    onClose() {
      listening.close();
      giveBack();
    },
  });
  await stream.send(acknowledgedText(id, listening.honoured));
  tellChanges({ listening, stream, text: (change) => changeText(change, id), instruments });
}

const asModern = ({ decoded }: { readonly arrival: EndpointArrival; readonly decoded: RunCall['decoded'] }) =>
  ({ era: 'modern', id: decoded.id }) as const;
