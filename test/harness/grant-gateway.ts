/** What of a gateway keeps and uses people's tokens, over one database: a replica, without its front door. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { composeGrants, type Grants } from '../../packages/gateway/src/composition/grants.ts';
import type { GrantStore } from '../../packages/gateway/src/credential/grant-rows.ts';
import type { GrantKey } from '../../packages/gateway/src/credential/grant.ts';
import { createEgress } from '../../packages/gateway/src/egress/egress.ts';
import type { GatewayEvent } from '../../packages/gateway/src/model/event.ts';
import { refuse } from '../../packages/gateway/src/model/failure.ts';
import type { Outcome } from '../../packages/gateway/src/model/outcome.ts';
import { somebody } from '../../packages/gateway/src/model/principal.fixture.ts';
import { clientCodecFor, legacyHandshake } from '../../packages/gateway/src/protocol/codecs.ts';
import { collectedLog } from '../../packages/gateway/src/storage/sql/fixtures/collected-log.ts';
import { systemClock } from '../../packages/gateway/src/upstream/clock.ts';
import { createHttpConnector, DEFAULT_HTTP_LIMITS } from '../../packages/gateway/src/upstream/http/http-connector.ts';
import { DEFAULT_POOL_LIMITS } from '../../packages/gateway/src/upstream/pool-shelf.ts';
import type { Cleanups } from '../../packages/gateway/src/upstream/testing/http-servers.ts';
import {
  callTool,
  FEEDS,
  PARKING,
  sendOptions,
  testServer,
} from '../../packages/gateway/src/upstream/testing/test-kit.ts';
import { createUpstreams, type Upstreams } from '../../packages/gateway/src/upstream/upstreams.ts';
import type { GrantWorld } from './grant-world.ts';

export type GrantGateway = {
  readonly grants: Grants;
  readonly upstreams: Upstreams;
  readonly store: GrantStore;
  readonly events: readonly GatewayEvent[];
  readonly log: readonly string[];
  /** A call of a tool by somebody, on their own consent. */
  call(name: string): Promise<Outcome>;
};

const SERVER = testServer({ id: 'tickets', sharing: 'principal' });

/** As the pipeline names people who came with an API key. */
export const keyOf = (name: string): GrantKey => {
  const { tenant, key } = somebody(name);
  return { tenant, principal: key, server: SERVER.id };
};

export function newKeyRingFile(cleanups: Cleanups): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-grants-'));
  cleanups.push(async () => rmSync(folder, { recursive: true }));
  return path.join(folder, `${randomBytes(4).toString('hex')}.keys.json`);
}

export type GrantGatewayOptions = {
  readonly world: GrantWorld;
  readonly store: GrantStore;
  readonly keyRingFile: string;
  readonly cleanups: Cleanups;
};

export function startGrantGateway({ world, store, keyRingFile, cleanups }: GrantGatewayOptions): GrantGateway {
  const { logger, lines } = collectedLog();
  const events: GatewayEvent[] = [];
  const grants = composeGrants({
    config: { wrapping: { kind: 'ring', file: keyRingFile }, renewBeforeMs: 300_000 },
    store,
    secrets: { vault: undefined },
    logger,
    note: (event) => void events.push(event),
    issuerOf: () => world.issuer,
  });
  cleanups.push(async () => grants.close());
  const ignore = (): void => undefined;
  const egress = createEgress();
  cleanups.push(() => egress.close());
  const route = {
    connector: createHttpConnector({
      url: world.url,
      egress,
      codecs: { clientCodecFor, legacyHandshake },
      limits: DEFAULT_HTTP_LIMITS,
      clock: systemClock,
      logger,
      instruments: { logDropped: ignore },
    }),
    limits: DEFAULT_POOL_LIMITS,
    timeouts: { totalMs: 60_000, maxMs: 60_000 },
    maxInFlight: 1_000,
    retries: 0,
    breaker: undefined,
  };
  const upstreams = createUpstreams({
    routeTo: () => route,
    broker: {
      async obtain({ tenant, key }, server, signal) {
        const obtained = await grants.broker.obtain({ tenant, principal: key, server }, signal);
        if (obtained.kind === 'credential') return obtained.credential;
        throw refuse('upstream-refused', { message: `needs login: ${obtained.why}` });
      },
      replace: () => Promise.resolve(false),
    },
    renewal: grants.broker,
    instruments: { clientOperation: ignore, clientSessionEnded: ignore, breakerState: ignore, retried: ignore },
    logger,
    clock: systemClock,
    random: Math.random,
    parking: PARKING,
    feeds: FEEDS,
  });
  cleanups.push(() => upstreams.close());
  grants.watch(upstreams);
  return {
    grants,
    upstreams,
    store,
    events,
    log: lines,
    call: (name) => upstreams.send(callTool('read', {}, { server: SERVER, principal: somebody(name) }), sendOptions()),
  };
}
