/**
 * Revocation: gone from the vault first, which is felt everywhere within seconds, and then ended at the issuers, which may be
 * slow or away. What an issuer could not be told is said, so that somebody can end it there.
 */

import type { NoteEvent } from '../model/event.ts';
import { grantChanged } from './grant-events.ts';
import type { Grant, GrantFilter, GrantIssuer, GrantKey } from './grant.ts';
import type { RemovedGrant, SealedGrantVault } from './sealed-grant-vault.ts';

export type RevokeParts = {
  readonly vault: Pick<SealedGrantVault, 'take'>;
  readonly issuerOf: (key: GrantKey, grant: Grant) => GrantIssuer | undefined;
  readonly note: NoteEvent;
  /** `api:alice`, `cli:ops` */
  readonly by: string;
  /** For one issuer to answer. Default 5,000. */
  readonly timeoutMs?: number;
  /** Issuers asked at once. Default 8. */
  readonly atOnce?: number;
};

export type RevokedGrant = {
  readonly key: GrantKey;
  readonly issuer?: string;
  /** `unreadable`: its key is gone, so that nobody can say which tokens these were. */
  readonly atIssuer: 'revoked' | 'not-revoked' | 'unreadable';
};

/** @throws when the vault is away: nothing, or a part, was removed, and it can be tried again. */
export async function revokeGrants(filter: GrantFilter, parts: RevokeParts): Promise<readonly RevokedGrant[]> {
  const { vault, atOnce = 8 } = parts;
  const removed = await vault.take(filter);
  const revoked: RevokedGrant[] = [];
  for (let from = 0; from < removed.length; from += atOnce) {
    revoked.push(...(await Promise.all(removed.slice(from, from + atOnce).map((one) => endAtIssuer(one, parts)))));
  }
  return revoked;
}

async function endAtIssuer({ key, grant }: RemovedGrant, parts: RevokeParts): Promise<RevokedGrant> {
  const { note, by } = parts;
  const atIssuer = grant === undefined ? 'unreadable' : await revokedAt(key, grant, parts);
  note(
    grantChanged('revoke', key, { by, ...(grant === undefined ? {} : { grant }), why: `at its issuer: ${atIssuer}` }),
  );
  return { key, ...(grant === undefined ? {} : { issuer: grant.issuer }), atIssuer };
}

async function revokedAt(
  key: GrantKey,
  grant: Grant,
  { issuerOf, timeoutMs = 5_000 }: RevokeParts,
): Promise<RevokedGrant['atIssuer']> {
  const issuer = issuerOf(key, grant);
  if (issuer === undefined) return 'not-revoked';
  const signal = AbortSignal.timeout(timeoutMs);
  const late = new Promise<false>((resolve) => {
    signal.addEventListener('abort', () => resolve(false), { once: true });
  });
  // An adapter that throws could not ask; one that does not keep to the signal is not waited for.
  const done = await Promise.race([issuer.revoke(grant, signal).catch(() => false), late]);
  return done ? 'revoked' : 'not-revoked';
}
