/** A message of the modern era: it describes itself whole, so nothing is remembered and nothing looked up. */

import type { Classified } from '../protocol/classify.ts';
import type { DecodedRequest } from '../protocol/codec.ts';
import { serverCodecFor } from '../protocol/codecs.ts';
import type { EndpointArrival } from './arrival.ts';
import { refuse, respondEmpty } from './arrival.ts';
import { forwardTo } from './forward.ts';
import { receiveListen } from './receive-listen.ts';
import { replyTo } from './reply-to.ts';
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
      const speaker = speakerOf(revision, decoded.client);
      if (decoded.operation.kind === 'listen') return receiveListen({ arrival, codec, decoded, speaker, seals });
      const reply = replyTo(arrival);
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

function speakerOf(revision: Modern['revision'], client: DecodedRequest['client']): Speaker {
  const { info, capabilities = {} } = client;
  const speaker: Speaker = { era: 'modern', revision, capabilities, sealedFor: [] };
  return info === undefined ? speaker : { ...speaker, info };
}
