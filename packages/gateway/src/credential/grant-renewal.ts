/**
 * One renewal of one grant. Only who holds the vault's lease asks the issuer, because a refresh token that is used twice ends the
 * whole grant (RFC 9700 section 4.14.2); the old token stays until the new one is written; and nothing is ever deleted here.
 */

import type { NoteEvent } from '../model/event.ts';
import type { Logger } from '../telemetry/logger.ts';
import { grantChanged } from './grant-events.ts';
import type { Grant, GrantIssuer, GrantKey, GrantVault, KeptGrant, Renewal } from './grant.ts';

export type RenewalParts = {
  readonly vault: GrantVault;
  /** Undefined when the configuration knows no client of this grant's issuer any more. */
  readonly issuerOf: (key: GrantKey, grant: Grant) => GrantIssuer | undefined;
  /** Names this process among the replicas. */
  readonly holder: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  /** In [0, 1). */
  readonly random: () => number;
  readonly note: NoteEvent;
  readonly logger: Logger;
  readonly times?: Partial<RenewalTimes>;
};

export type RenewalTimes = {
  /** For the issuer's answer. */
  readonly askMs: number;
  /** For a database that is away: a new refresh token that is not written is a grant that is lost. */
  readonly writeMs: number;
  /** Longer than both: who died in the middle is waited for, and nobody else is. */
  readonly leaseMs: number;
};

const TIMES: RenewalTimes = { askMs: 10_000, writeMs: 20_000, leaseMs: 40_000 };
/** How often it is looked whether the replica that renews has done so. */
const LOOK_MS = 100;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;

export type RenewalEnd =
  /** The grant that is in force now, renewed here or elsewhere; it may say that it was refused. */
  | { readonly kind: 'current'; readonly kept: KeptGrant }
  | { readonly kind: 'gone' }
  | { readonly kind: 'unavailable'; readonly why: string };

/** Renews the version that is given, and no other. Never throws. */
export async function renewGrant(kept: KeptGrant, parts: RenewalParts, signal: AbortSignal): Promise<RenewalEnd> {
  const { key } = kept;
  const times = { ...TIMES, ...parts.times };
  try {
    const other = await leased(kept, parts, { times, signal });
    if (other !== undefined) return other;
    try {
      return await renewLeased(kept, parts, { times, signal });
    } finally {
      // It runs out by itself when it cannot be given back.
      await parts.vault.release(key, parts.holder).catch(() => undefined);
    }
  } catch (error) {
    return { kind: 'unavailable', why: messageOf(error) };
  }
}

type Waiting = { readonly times: RenewalTimes; readonly signal: AbortSignal };

/** Undefined with the lease in hand; else what somebody else made of the grant. */
async function leased(kept: KeptGrant, parts: RenewalParts, waiting: Waiting): Promise<RenewalEnd | undefined> {
  const { vault, holder, now, pause, random } = parts;
  const { key } = kept;
  const untilMs = now() + waiting.times.leaseMs;
  while (!(await vault.lease(key, holder, now() + waiting.times.leaseMs))) {
    const other = changedSince(kept, await vault.read(key, kept));
    if (other !== undefined) return other;
    if (now() >= untilMs) return { kind: 'unavailable', why: 'another replica has been renewing it for too long' };
    await pause(LOOK_MS * (1 + random()), waiting.signal);
  }
  return undefined;
}

function changedSince(kept: KeptGrant, read: KeptGrant | undefined): RenewalEnd | undefined {
  if (read === undefined) return { kind: 'gone' };
  const isSame = read.version === kept.version && read.grant.obtainedAtMs === kept.grant.obtainedAtMs;
  return isSame ? undefined : { kind: 'current', kept: read };
}

async function renewLeased(kept: KeptGrant, parts: RenewalParts, waiting: Waiting): Promise<RenewalEnd> {
  const { vault, issuerOf, note, now } = parts;
  const { key, version, grant } = kept;
  // Whoever had the lease before may have renewed it.
  const other = changedSince(kept, await vault.read(key, kept));
  if (other !== undefined) return other;
  const issuer = issuerOf(key, grant);
  if (issuer === undefined) return { kind: 'unavailable', why: `no client is configured for ${grant.issuer}` };
  const renewal = checked(await ask(issuer, grant, waiting), grant);
  if (renewal.kind === 'unavailable') return renewal;
  if (renewal.kind === 'refused') {
    const refused = { ...grant, refusedAtMs: now() };
    if (!(await vault.write(key, refused, version))) return after(kept, await vault.read(key));
    note(grantChanged('refuse', key, { by: 'gateway', grant, why: renewal.why }));
    return { kind: 'current', kept: { key, version: version + 1, grant: refused } };
  }
  const end = await writeRenewed(kept, renewal.grant, { parts, waiting });
  if (end.kind === 'current') note(grantChanged('renew', key, { by: 'gateway', grant: end.kept.grant }));
  // Revoked while it was renewed: what was obtained meanwhile is good at its issuer, and nobody's.
  else if (end.kind === 'gone')
    await issuer.revoke(renewal.grant, AbortSignal.timeout(waiting.times.askMs)).catch(() => false);
  return end;
}

const after = (kept: KeptGrant, read: KeptGrant | undefined): RenewalEnd =>
  changedSince(kept, read) ?? { kind: 'unavailable', why: 'it could not be written' };

/** An adapter that throws, or does not keep to the signal, is an issuer that cannot be asked. */
async function ask(issuer: GrantIssuer, grant: Grant, { times, signal }: Waiting): Promise<Renewal> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(times.askMs)]);
  const late = Promise.withResolvers<Renewal>();
  const leave = (): void => late.resolve({ kind: 'unavailable', why: `no answer within ${times.askMs} ms` });
  limit.addEventListener('abort', leave, { once: true });
  if (limit.aborted) leave();
  try {
    return await Promise.race([issuer.renew(grant, limit), late.promise]);
  } catch (error) {
    return { kind: 'unavailable', why: messageOf(error) };
  } finally {
    limit.removeEventListener('abort', leave);
  }
}

/** RFC 6750 section 2.1: what a bearer token may be made of. */
const TOKEN = /^[\w.~+/-]+=*$/;

/**
 * A token that no header can carry is no token. A refresh token that does not come again stays in force (RFC 6749 section 6), and
 * so do the scopes.
 */
function checked(renewal: Renewal, before: Grant): Renewal {
  if (renewal.kind !== 'renewed') return renewal;
  const { refusedAtMs: _refused, ...grant } = renewal.grant;
  if (!TOKEN.test(grant.accessToken.expose())) {
    return { kind: 'unavailable', why: 'the issuer answered with something that is no bearer token' };
  }
  const { refreshToken } = before;
  return {
    kind: 'renewed',
    grant: refreshToken === undefined || grant.refreshToken !== undefined ? grant : { ...grant, refreshToken },
  };
}

type Writing = { readonly parts: RenewalParts; readonly waiting: Waiting };

async function writeRenewed(kept: KeptGrant, grant: Grant, { parts, waiting }: Writing): Promise<RenewalEnd> {
  const { vault, now, pause, logger } = parts;
  const { key, version } = kept;
  const untilMs = now() + waiting.times.writeMs;
  for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(2 * delayMs, MAX_RETRY_MS)) {
    try {
      if (await vault.write(key, grant, version))
        return { kind: 'current', kept: { key, version: version + 1, grant } };
      // Somebody else's, or our own of which the database did not say in time that it was written.
      return after(kept, await vault.read(key));
    } catch (error) {
      if (now() + delayMs < untilMs && !waiting.signal.aborted) {
        await pause(delayMs, waiting.signal).catch(() => undefined);
        continue;
      }
      logger.error(
        { server: key.server, reason: messageOf(error) },
        'a renewed token could not be kept: its person may have to log in again',
      );
      return { kind: 'unavailable', why: messageOf(error) };
    }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
