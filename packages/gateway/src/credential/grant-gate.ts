/** Whether a person's consent is there before a call is made, and the way to wait for it. */

import { setTimeout as pause } from 'node:timers/promises';

import type { Principal } from '../model/principal.ts';
import type { ServerId } from '../model/target.ts';
import type { GrantKey, GrantVault } from './grant.ts';
import type { GrantBroker, NeedsLogin } from './grant-broker.ts';

/** More than that there is one: a newer one than a server refused, or one that is good for more. */
export type WantedGrant = { readonly sinceMs?: number; readonly scopes?: readonly string[] };

export type MissingGrant = { readonly why: NeedsLogin['why'] | 'scopes' | 'rejected' };

export interface GrantGate {
  /** Does this server want each person's consent? */
  guards(server: ServerId): boolean;
  /** Undefined when nothing is missing. @throws Refusal as `GrantBroker.obtain` does */
  missing(
    principal: Principal,
    server: ServerId,
    wanted: WantedGrant,
    signal: AbortSignal,
  ): Promise<MissingGrant | undefined>;
  /** True as soon as nothing is missing; false after `wait.forMs`, or when the signal is aborted. */
  settled(principal: Principal, server: ServerId, wait: GrantWait): Promise<boolean>;
  /** Somebody has consented, here: who waits for it goes on at once. */
  arrived(): void;
}

export type GrantWait = { readonly wanted: WantedGrant; readonly forMs: number; readonly signal: AbortSignal };

export type GrantGateOptions = {
  readonly servers: ReadonlySet<ServerId>;
  readonly tokens: Pick<GrantBroker, 'obtain'>;
  readonly vault: Pick<GrantVault, 'read'>;
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
  /** How often a waiting call looks whether another replica has it. */
  readonly pollMs?: number;
};

export const grantKey = ({ tenant, key }: Principal, server: ServerId): GrantKey => ({
  tenant,
  principal: key,
  server,
});

export function createGrantGate({ servers, tokens, vault, clockMs, pollMs = 1_000 }: GrantGateOptions): GrantGate {
  /** Aborted, and replaced, whenever a consent arrives. */
  let arrival = new AbortController();

  const missing: GrantGate['missing'] = async (principal, server, wanted, signal) => {
    const key = grantKey(principal, server);
    const obtained = await tokens.obtain(key, signal);
    if (obtained.kind === 'needs-login') return { why: obtained.why };
    const { sinceMs, scopes = [] } = wanted;
    if (sinceMs === undefined && scopes.length === 0) return undefined;
    const grant = (await vault.read(key))?.grant;
    if (grant === undefined) return { why: 'none' };
    if (scopes.some((scope) => !grant.scopes.includes(scope))) return { why: 'scopes' };
    return sinceMs !== undefined && grant.obtainedAtMs < sinceMs ? { why: 'rejected' } : undefined;
  };

  return {
    guards: (server) => servers.has(server),
    missing,
    async settled(principal, server, { wanted, forMs, signal }) {
      const untilMs = clockMs() + forMs;
      for (;;) {
        const { signal: news } = arrival;
        if ((await missing(principal, server, wanted, signal)) === undefined) return true;
        const leftMs = untilMs - clockMs();
        if (leftMs <= 0 || signal.aborted) return false;
        const wake = AbortSignal.any([news, signal]);
        await pause(Math.min(pollMs, leftMs), undefined, { signal: wake }).catch(() => undefined);
      }
    },
    arrived() {
      const before = arrival;
      arrival = new AbortController();
      before.abort();
    },
  };
}
