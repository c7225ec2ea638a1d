/** The response to one POST, as the arrival it answers wants it. */

import type { EndpointArrival } from './arrival.ts';
import { commonHeaders } from './arrival.ts';
import { Reply } from './reply.ts';
import type { ResumableStream } from './resumable-stream.ts';

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
