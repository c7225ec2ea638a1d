/**
 * As whom a server is called that asks for each person's own consent. The token is renewed before its end while it is still used,
 * once however many calls need it; a renewal that fails for the moment costs nothing while the old token is good.
 */

import { hash } from 'node:crypto';

import { refuse } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import type { Credential, CredentialRenewal } from './broker.ts';
import type { GrantFilter, GrantKey, KeptGrant } from './grant.ts';
import type { GrantUse } from './grant-rows.ts';
import { renewGrant, type RenewalEnd, type RenewalParts } from './grant-renewal.ts';
import { HeldGrants, nameOfGrant, type HeldGrantsOptions } from './held-grants.ts';
import { WrappingKeyError } from './key-wrapper.ts';
import { RenewalBackoff } from './renewal-backoff.ts';
import { untilAborted } from './until-aborted.ts';

/** Nothing can be sent until the person has been to the issuer's page (again). */
export type NeedsLogin = {
  readonly kind: 'needs-login';
  readonly key: GrantKey;
  /** `none`: never, or revoked; `refused`: its issuer renews it no more; `expired`: it ended, and cannot be renewed. */
  readonly why: 'none' | 'refused' | 'expired';
};

export interface GrantBroker extends CredentialRenewal {
  /** @throws Refusal `server-unavailable` when the vault cannot be read, or an ended token cannot be renewed now. */
  obtain(key: GrantKey, signal: AbortSignal): Obtained | Promise<Obtained>;
  /** What was revoked is not used from now on. */
  forget(filter: GrantFilter): void;
  /** Forgets what is idle, and writes down what was used. Never throws; to be called every few seconds. */
  upkeep(): Promise<void>;
  /** Ends renewals that are under way. */
  close(): void;
}

export type Obtained = { readonly kind: 'credential'; readonly credential: Credential } | NeedsLogin;

export type GrantBrokerOptions = RenewalParts & {
  readonly held?: Partial<Omit<HeldGrantsOptions, 'vault' | 'clockMs'>>;
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
  /** Of a token that lives less than four times as long, it is the last quarter of its life. */
  readonly renewBeforeMs: number;
  readonly noteUses: (uses: readonly GrantUse[]) => Promise<void>;
  /** Grants whose last use is written down together. Default 2,000. */
  readonly maxNoted?: number;
};

/** It has to arrive before its end, too. */
const ON_THE_WAY_MS = 2_000;
/** A server that refuses a token that is younger than this refuses more than the token. */
const YOUNG_MS = 30_000;

type Ready = { readonly kept: KeptGrant; readonly obtained: Obtained; readonly dueAtMs: number };

export function createGrantBroker(options: GrantBrokerOptions): GrantBroker {
  const { vault, clockMs, now, random, renewBeforeMs, logger, maxNoted = 2_000 } = options;
  const held = new HeldGrants({ vault, clockMs, ...options.held });
  const backoff = new RenewalBackoff({ clockMs, random });
  const renewing = new Map<string, Promise<RenewalEnd>>();
  /** Made once for each version: pools and records know a credential by its version. */
  const ready = new WeakMap<KeptGrant, Ready>();
  const used = new Map<string, GrantUse>();
  const closing = new AbortController();

  const readyOf = (kept: KeptGrant): Ready => {
    let made = ready.get(kept);
    if (made === undefined) {
      const credential = credentialOf(kept);
      made = { kept, obtained: { kind: 'credential', credential }, dueAtMs: dueAt(kept, renewBeforeMs, random()) };
      ready.set(kept, made);
    }
    return made;
  };

  const renew = (kept: KeptGrant): Promise<RenewalEnd> => {
    const name = nameOfGrant(kept.key);
    const underWay = renewing.get(name);
    if (underWay !== undefined) return underWay;
    const renewal = renewGrant(kept, options, closing.signal)
      .then((end) => {
        settle(kept, end);
        return end;
      })
      .finally(() => renewing.delete(name));
    renewing.set(name, renewal);
    return renewal;
  };

  const settle = ({ key }: KeptGrant, end: RenewalEnd): void => {
    const name = nameOfGrant(key);
    if (end.kind === 'current') {
      held.hold(end.kept);
      backoff.succeeded(name);
    } else if (end.kind === 'gone') {
      held.forget(key);
    } else {
      backoff.failed(name);
      logger.warn({ server: key.server, reason: end.why }, 'a token of a person could not be renewed; tried again');
      const failure = { atMs: now(), why: end.why };
      void options.noteUses([{ key, failure }]).catch(() => undefined);
    }
  };

  const noteUse = (key: GrantKey): void => {
    const name = nameOfGrant(key);
    if (used.has(name) || used.size < maxNoted) used.set(name, { key, usedAtMs: now() });
  };

  /** At once, or a promise where somebody has to be asked first. */
  const present = (kept: KeptGrant): Obtained | Promise<Obtained> => {
    const { key, grant } = kept;
    if (grant.refusedAtMs !== undefined) return { kind: 'needs-login', key, why: 'refused' };
    noteUse(key);
    const { obtained, dueAtMs } = readyOf(kept);
    const nowMs = now();
    if (nowMs < dueAtMs) return obtained;
    const isOver = nowMs >= endOf(kept);
    if (grant.refreshToken === undefined) return isOver ? { kind: 'needs-login', key, why: 'expired' } : obtained;
    const pauseMs = backoff.pauseMs(nameOfGrant(key));
    if (!isOver) {
      if (pauseMs === 0) void renew(kept);
      return obtained;
    }
    if (pauseMs > 0) throw notRenewed(key, pauseMs);
    return renewed(kept);
  };

  const renewed = async (kept: KeptGrant): Promise<Obtained> => {
    const { key } = kept;
    const end = await renew(kept);
    if (end.kind === 'gone') return { kind: 'needs-login', key, why: 'none' };
    if (end.kind === 'unavailable') throw notRenewed(key, backoff.pauseMs(nameOfGrant(key)));
    if (end.kept.grant.refusedAtMs !== undefined) return { kind: 'needs-login', key, why: 'refused' };
    return readyOf(end.kept).obtained;
  };

  const lookUp = async (key: GrantKey): Promise<Obtained> => {
    const kept = await readOrRefuse(held, key);
    return kept === undefined ? { kind: 'needs-login', key, why: 'none' } : present(kept);
  };

  return {
    obtain(key, signal) {
      const kept = held.fresh(key);
      const obtained = kept === undefined ? lookUp(key) : present(kept);
      return obtained instanceof Promise ? untilAborted(obtained, signal) : obtained;
    },
    async rejected(credential, signal) {
      const key = credential.owner;
      if (key === undefined) return false;
      const kept = held.fresh(key) ?? (await untilAborted(readOrRefuse(held, key), signal));
      // Renewed, refused or revoked by then: what is obtained next says so.
      if (kept === undefined || credentialName(kept) !== credential.version) return true;
      if (kept.grant.refreshToken === undefined) return refuseGrant(kept);
      const name = nameOfGrant(key);
      if (backoff.pauseMs(name) > 0) return false;
      // What was given out a moment ago was refused for another reason than its age.
      if (backoff.renewedWithin(name, YOUNG_MS)) return false;
      const end = await untilAborted(renew(kept), signal);
      return end.kind !== 'unavailable';
    },
    forget: (filter) => held.forget(filter),
    async upkeep() {
      held.sweep();
      const uses = [...used.values()];
      used.clear();
      if (uses.length === 0) return;
      await options.noteUses(uses).catch((error: unknown) => {
        logger.debug({ reason: String(error) }, 'the last uses of grants could not be written down');
      });
    },
    close: () => closing.abort(),
  };

  /** A token that its server takes no more, and that cannot be renewed. */
  async function refuseGrant(kept: KeptGrant): Promise<boolean> {
    const { key, version, grant } = kept;
    try {
      const refused = { ...grant, refusedAtMs: now() };
      if (await vault.write(key, refused, version)) held.hold({ key, version: version + 1, grant: refused });
      else held.forget(key);
      return true;
    } catch {
      return false;
    }
  }
}

async function readOrRefuse(held: HeldGrants, key: GrantKey): Promise<KeptGrant | undefined> {
  try {
    return await held.read(key);
  } catch (error) {
    const lost = error instanceof WrappingKeyError ? error : undefined;
    throw refuse('server-unavailable', {
      message:
        lost === undefined
          ? `Your log-in for the server ${key.server} cannot be read at the moment. Try again shortly.`
          : `Your log-in for the server ${key.server} is encrypted under the key "${lost.keyId}", which cannot be used. Tell the operator.`,
      reason: error instanceof Error ? error.message : String(error),
      cause: error,
    });
  }
}

const notRenewed = ({ server }: GrantKey, pauseMs: number): Error =>
  refuse('server-unavailable', {
    message: `Your log-in for the server ${server} has ended, and cannot be renewed at the moment. Nothing is lost: try again shortly.`,
    retryAfterMs: Math.max(pauseMs, 100),
  });

/** Says nothing of the token, and is another one after each renewal and each log-in. */
const credentialName = ({ key, version, grant }: KeptGrant): string =>
  `${key.server}/${hash('sha256', nameOfGrant(key), 'base64url')}/${grant.obtainedAtMs}/${version}`;

function credentialOf(kept: KeptGrant): Credential {
  return {
    kind: 'grant',
    version: credentialName(kept),
    headers: Object.freeze({ Authorization: new Secret(`Bearer ${kept.grant.accessToken.expose()}`) }),
    env: Object.freeze({}),
    owner: kept.key,
  };
}

const lifeOf = ({ grant: { obtainedAtMs, expiresAtMs } }: KeptGrant): number =>
  Math.max(0, (expiresAtMs ?? Infinity) - obtainedAtMs);

/** When it is not sent any more. Of a token that lives for seconds, a tenth of its life. */
const endOf = (kept: KeptGrant): number =>
  (kept.grant.expiresAtMs ?? Infinity) - Math.min(ON_THE_WAY_MS, lifeOf(kept) / 10);

/** Up to a quarter earlier or later, so that replicas and people who logged in together do not come together. */
function dueAt(kept: KeptGrant, renewBeforeMs: number, chance: number): number {
  const { expiresAtMs } = kept.grant;
  if (expiresAtMs === undefined) return Infinity;
  return expiresAtMs - Math.min(renewBeforeMs, lifeOf(kept) / 4) * (0.75 + chance / 2);
}
