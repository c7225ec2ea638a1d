/**
 * The record as it grows, as server-sent events. The stream ends with a word that says why: the gateway stops, the credential
 * or the time for one stream is over, or the reader did not keep up. What was missed is found by searching since then.
 */

import { failure } from '../../model/failure.ts';
import type { Principal } from '../../model/principal.ts';
import type { Follow } from '../../pipeline/oversee.ts';
import { commonHeaders, refuse, type OwnArrival } from '../arrival.ts';
import { EventStream } from '../event-stream.ts';

/** After this a client asks anew, and policy is asked again. */
const MAX_STREAM_MS = 15 * 60_000;

type End = 'draining' | 'expired' | 'too-slow';

export function followRecord(
  arrival: OwnArrival,
  follow: Follow,
  principal: Principal | undefined,
): void | Promise<void> {
  const { parts, response, request } = arrival;
  if (principal === undefined || response.destroyed) return undefined;
  if (request.method === 'HEAD') return void response.writeHead(200, ['Content-Type', 'text/event-stream']).end();
  const giveBack = parts.streamSlots.take(principal.key);
  if (giveBack === undefined) return refuse(arrival, failure('too-many-streams'));
  const { limits, openStreams, instruments, logger } = parts;
  let stream: EventStream | undefined;
  let ended = false;
  const end = (why: End): void => {
    if (ended) return;
    ended = true;
    stop?.();
    if (stream === undefined) return;
    response.write(`event: end\ndata: {"reason":"${why}"}\n\n`);
    stream.end();
    // Who does not read does not read this either.
    const cut = setTimeout(() => response.destroy(), limits.writeTimeoutMs);
    response.once('close', () => clearTimeout(cut));
  };
  const stop = follow(({ record, line }) => {
    if (ended || stream === undefined) return;
    if (response.writableLength > limits.maxPendingNoticeBytes) {
      logger.info({ requestId: arrival.id, principal: principal.name }, 'who follows the record did not keep up');
      return end('too-slow');
    }
    response.write(
      `event: record\nid: ${record.sequence}\ndata: {"told":${JSON.stringify(record)},"record":${line}}\n\n`,
    );
  });
  if (stop === undefined) {
    giveBack();
    return refuse(
      arrival,
      failure('too-many-streams', { message: 'As many follow the record as may. Search it instead.' }),
    );
  }
  stream = new EventStream(response, commonHeaders(arrival), limits);
  const drain = (): void => end('draining');
  const timer = setTimeout(() => end('expired'), lifetimeMs(parts.now(), principal));
  timer.unref();
  openStreams.add(drain);
  instruments.streamOpened();
  response.once('close', () => {
    ended = true;
    clearTimeout(timer);
    stop();
    openStreams.delete(drain);
    giveBack();
    instruments.streamClosed();
  });
  return undefined;
}

/** A stream outlives none of the credentials that opened it. */
function lifetimeMs(nowMs: number, { credential, workload }: Principal): number {
  const untilMs = Math.min(credential.expiresAtMs ?? Infinity, workload?.expiresAtMs ?? Infinity);
  return Math.max(1, Math.min(untilMs - nowMs, MAX_STREAM_MS));
}
