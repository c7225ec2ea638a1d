/** A message of the modern era: it describes itself whole, so nothing is remembered and nothing looked up. */

import type { Classified } from '../protocol/classify.ts';
import type { DecodedRequest } from '../protocol/codec.ts';
import { serverCodecFor } from '../protocol/codecs.ts';
import type { EndpointArrival } from './arrival.ts';
import { commonHeaders, refuse, respondEmpty } from './arrival.ts';
import { forwardTo } from './forward.ts';
import { Reply } from './reply.ts';
import type { ResumableStream } from './resumable-stream.ts';
import type { Speaker } from './run-call.ts';
import { answerFailure, runCall, runSilently, sealsFor, silentOperation } from './run-call.ts';

type Modern = Extract<Classified, { kind: 'modern' }>;

export async function receiveModern(arrival: EndpointArrival, { revision, message }: Modern): Promise<void> {
  const codec = serverCodecFor(revision);
  const seals = sealsFor(arrival);
  const decoded = codec.decode(message, { seals, paramHeaders: arrival.mcp.params });
  switch (decoded.kind) {
    case 'request': {
      const asked = decoded.answers?.continuation;
      if (asked?.kind === 'parked' && (await forwardTo(arrival, asked.owner, message))) return;
      const reply = replyTo(arrival);
      const speaker = speakerOf(revision, decoded.client);
      const { answer, headers } = await runCall({ arrival, codec, decoded, speaker, seals, reply });
      return reply.finish(answer, headers);
    }
    case 'notification': {
      const within = { arrival, codec, speaker: speakerOf(revision, {}) };
      const handled = await runSilently(within, silentOperation(decoded));
      if (!(await answerFailure(arrival, codec, handled))) respondEmpty(arrival, 202);
      return;
    }
    case 'refused':
      return refuse(arrival, decoded.failure, { era: 'modern', id: decoded.id });
    case 'response':
      throw new Error('A modern client cannot post responses; the classifier refuses them.');
  }
}

export type ReplyTo = { readonly mayStream?: boolean; readonly resumable?: () => ResumableStream | undefined };

export function replyTo(arrival: EndpointArrival, { mayStream = true, resumable }: ReplyTo = {}): Reply {
  const { limits, instruments } = arrival.parts;
  return new Reply(arrival.response, {
    mayStream,
    headers: () => commonHeaders(arrival),
    limits,
    onStreamOpened: () => {
      instruments.streamOpened();
      arrival.response.once('close', () => instruments.streamClosed());
    },
    ...(resumable === undefined ? {} : { resumable }),
  });
}

function speakerOf(revision: Modern['revision'], client: DecodedRequest['client']): Speaker {
  const { info, capabilities = {} } = client;
  const speaker: Speaker = { era: 'modern', revision, capabilities, sealedFor: [] };
  return info === undefined ? speaker : { ...speaker, info };
}
