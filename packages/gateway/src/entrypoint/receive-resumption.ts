/** A legacy client loses its stream and comes back: what its call's stream is opened with, and the GET that goes on with it. */

import { failure, type Failure } from '../model/failure.ts';
import { isLegacyRevision } from '../model/revision.ts';
import type { JsonRpcId } from '../protocol/json-rpc.ts';
import type { EndpointArrival } from './arrival.ts';
import { commonHeaders, refuse } from './arrival.ts';
import { EventStream } from './event-stream.ts';
import { ResumableStream } from './resumable-stream.ts';
import type { Within } from './run-call.ts';
import type { StreamKind, StreamOwner } from './stream-logs.ts';

type Opening = Pick<Within, 'arrival' | 'session' | 'codec'>;

/** The stream of one request, or of a session itself; undefined when nothing can be kept of it. */
export function openResumable(
  { arrival, session, codec }: Opening,
  id: JsonRpcId | null,
  kind: StreamKind = 'call',
): ResumableStream | undefined {
  if (session === undefined || !isLegacyRevision(codec.revision)) return undefined;
  const { streamLogs: logs } = arrival.parts;
  const log = logs.open({ principal: session.principal, session: session.nonce }, kind);
  if (log === undefined) return undefined;
  const failed = (of: Failure): string =>
    codec
      .encodeFailure(of, { id, requestId: arrival.id })
      .body.chunks.map((chunk) => (typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8')))
      .join('');
  return new ResumableStream({ logs, log, revision: codec.revision, failed });
}

/** The same answer for an id that was altered, is somebody else's, or is too old: which it was is in the log and the record. */
const NOT_KEPT =
  'Last-Event-ID names nothing that can be resumed: the stream is over and forgotten, or it was never yours. Call again.';

/** GET with `Last-Event-ID`: what was missed of that stream, and then the rest. `forMs` is how long its credentials last. */
export async function resumeStream(arrival: EndpointArrival, owner: StreamOwner, forMs: number): Promise<void> {
  const { streamLogs, streamSlots, limits, instruments } = arrival.parts;
  const found = streamLogs.find(arrival.headers.lastEventId ?? '', owner);
  if (!found.ok) {
    const unknown = failure('invalid-state', { message: NOT_KEPT, reason: found.error });
    return refuse(arrival, unknown, { era: 'legacy', status: 400 });
  }
  const giveBack = found.value.stream.hasPlace ? () => undefined : streamSlots.take(owner.principal);
  if (giveBack === undefined) return refuse(arrival, failure('too-many-streams'));
  const { response } = arrival;
  const stream = new EventStream(response, commonHeaders(arrival), limits);
  // Its end does not end the call: the client may come back with another credential.
  const timer = setTimeout(() => stream.end(), forMs).unref();
  instruments.streamOpened();
  response.once('close', () => {
    clearTimeout(timer);
    giveBack();
    instruments.streamClosed();
  });
  found.value.stream.attach(stream, response, found.value.after);
}
