/** For the tests of `http/`: a connector with the real egress and the real codecs. */

import { Secret } from '../../model/secret.ts';
import type { Credential } from '../../credential/broker.ts';
import { createEgress } from '../../egress/egress.ts';
import { clientCodecFor, legacyHandshake } from '../../protocol/codecs.ts';
import { systemClock } from '../clock.ts';
import type { Connector, Upstream } from '../connector.ts';
import { createHttpConnector, DEFAULT_HTTP_LIMITS } from '../http/http-connector.ts';
import type { HttpLimits } from '../http/http-connector.ts';
import type { Cleanups } from './http-servers.ts';
import { collectLog, testServer } from './test-kit.ts';

export const KEY: Credential = { version: 'k1', headers: { 'X-Api-Key': new Secret('s3cret') }, env: {} };

export function connectorTo(cleanups: Cleanups, url: URL, limits: Partial<HttpLimits> = {}): Connector {
  const egress = createEgress();
  cleanups.push(() => egress.close());
  return createHttpConnector({
    url,
    egress,
    codecs: { clientCodecFor, legacyHandshake },
    limits: { ...DEFAULT_HTTP_LIMITS, ...limits },
    clock: systemClock,
    logger: collectLog(),
  });
}

/** An upstream that is closed when the test is over. */
export async function connectTo(cleanups: Cleanups, url: URL, limits: Partial<HttpLimits> = {}): Promise<Upstream> {
  const upstream = await connectorTo(cleanups, url, limits).connect(testServer(), KEY, new AbortController().signal);
  cleanups.push(() => upstream.close());
  return upstream;
}

export async function cleanUp(cleanups: Cleanups): Promise<void> {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
}
