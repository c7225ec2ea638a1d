/** For the tests of `http/`: a connector with the real egress and the real codecs. */

import { Secret } from '../../model/secret.ts';
import type { Credential } from '../../credential/broker.ts';
import type { Outcome, UpstreamMessage } from '../../model/outcome.ts';
import { createEgress } from '../../egress/egress.ts';
import { clientCodecFor, legacyHandshake } from '../../protocol/codecs.ts';
import { systemClock } from '../clock.ts';
import type { Connector, Upstream } from '../connector.ts';
import { createHttpConnector, DEFAULT_HTTP_LIMITS } from '../http/http-connector.ts';
import type { HttpLimits } from '../http/http-connector.ts';
import type { Cleanups, Respond } from './http-servers.ts';
import { collectLog, testServer } from './test-kit.ts';

export const KEY: Credential = {
  kind: 'headers',
  version: 'k1',
  headers: { 'X-Api-Key': new Secret('s3cret') },
  env: {},
};

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
    instruments: { logDropped: () => undefined },
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

export const RESULT = { resultType: 'complete', content: [{ type: 'text', text: 'hello' }] };

export const JSON_TYPE = { 'content-type': 'application/json' };

/** Answers everything in the same words. */
export const raw =
  (status: number, headers: Record<string, string>, body: string | Buffer): Respond =>
  (_asked, response) =>
    response.writeHead(status, headers).end(body);

export function failureOf(outcome: Outcome): { code: string; sent: string; message?: string } {
  if (outcome.kind !== 'failed') throw new Error(`expected a failure, got ${outcome.kind}`);
  const { code, sent, message } = outcome.failure;
  return { code, sent, ...(message === undefined ? {} : { message }) };
}

export function messageOf(outcome: Outcome): UpstreamMessage {
  if (outcome.kind !== 'complete' || outcome.result.kind !== 'message') throw new Error(JSON.stringify(outcome));
  return outcome.result.message;
}
