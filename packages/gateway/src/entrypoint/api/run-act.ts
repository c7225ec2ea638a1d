/** Takes an administrative act through the pipeline, as the one who presented the credential. */

import type { AdministrativeAct } from '../../model/administration.ts';
import type { PrincipalKey } from '../../model/principal.ts';
import type { PresentedCredentials } from '../../model/request.ts';
import { NEWEST_MODERN } from '../../model/revision.ts';
import type { Endpoint } from '../../model/target.ts';
import type { Exchange, Handled } from '../../pipeline/pipeline.ts';
import { addressOf, type OwnArrival } from '../arrival.ts';

/** The gateway itself: no server's endpoint. */
const WHOLE: Endpoint = { kind: 'aggregate' };

const CHANNEL: Exchange['channel'] = { wantsProgress: false, notify: () => undefined };

/** @param sealedFor For whom the cursor was made that came with it. */
export function runAct(
  arrival: OwnArrival,
  act: AdministrativeAct,
  presented: PresentedCredentials,
  sealedFor: readonly PrincipalKey[] = [],
): Promise<Handled> {
  const { parts, id, receivedAtMs, startedMs, response } = arrival;
  const { timeoutMs } = parts.limits;
  // Ends long answers when nobody waits for them any more. A decision is made whole, whoever waits.
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return parts.pipeline.handle(
    {
      id,
      receivedAtMs,
      startedMs,
      endpoint: WHOLE,
      presented,
      client: {
        era: 'modern',
        revision: NEWEST_MODERN,
        capabilities: {},
        address: addressOf(arrival),
        // Names the browser's session in the record, as it was named when it was opened.
        ...(presented.browser === undefined ? {} : { session: presented.browser.id }),
      },
      operation: { kind: 'administer', act },
      meta: { vendor: {} },
      sealedFor,
    },
    { channel: CHANNEL, signal: gone.signal, timeoutMs },
  );
}
