/** Takes an administrative act through the pipeline, as the one who presented the credential. */

import type { AdministrativeAct } from '../../model/administration.ts';
import type { PresentedCredentials } from '../../model/request.ts';
import { NEWEST_MODERN } from '../../model/revision.ts';
import type { Endpoint } from '../../model/target.ts';
import type { Exchange, Handled } from '../../pipeline/pipeline.ts';
import { addressOf, type OwnArrival } from '../arrival.ts';

/** The gateway itself: no server's endpoint. */
const WHOLE: Endpoint = { kind: 'aggregate' };

/** Nothing is streamed, and nobody can end it: each part of it has its own time limit. */
const EXCHANGE: Omit<Exchange, 'timeoutMs'> = {
  channel: { wantsProgress: false, notify: () => undefined },
  signal: new AbortController().signal,
};

export function runAct(arrival: OwnArrival, act: AdministrativeAct, presented: PresentedCredentials): Promise<Handled> {
  const { parts, id, receivedAtMs, startedMs } = arrival;
  const { timeoutMs } = parts.limits;
  return parts.pipeline.handle(
    {
      id,
      receivedAtMs,
      startedMs,
      endpoint: WHOLE,
      presented,
      client: { era: 'modern', revision: NEWEST_MODERN, capabilities: {}, address: addressOf(arrival) },
      operation: { kind: 'administer', act },
      meta: { vendor: {} },
      sealedFor: [],
    },
    { ...EXCHANGE, timeoutMs },
  );
}
