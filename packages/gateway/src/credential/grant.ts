/**
 * What a person's consent gave the gateway at an upstream's authorization server, and the three ports around it: where it
 * is kept, who renews and revokes it, and nothing else. Obtaining it the first time is the connect page's work.
 */

import type { PrincipalKey, TenantId } from '../model/principal.ts';
import type { Secret } from '../model/secret.ts';
import type { ServerId } from '../model/target.ts';

/** Whose it is and what for. A grant is never shared: the person is part of its name. */
export type GrantKey = { readonly tenant: TenantId; readonly principal: PrincipalKey; readonly server: ServerId };

export type Grant = {
  /** The authorization server, as its metadata names itself (RFC 8414 section 3.3). */
  readonly issuer: string;
  readonly tokenEndpoint: string;
  /** RFC 7009, where the server has one. */
  readonly revocationEndpoint?: string;
  readonly clientId: string;
  /** The upstream that the tokens are for (RFC 8707). */
  readonly resource: string;
  readonly scopes: readonly string[];
  readonly accessToken: Secret;
  readonly refreshToken?: Secret;
  /** Milliseconds since the epoch. */
  readonly obtainedAtMs: number;
  /** Absent when the issuer did not say (`expires_in`, RFC 6749 section 5.1). */
  readonly expiresAtMs?: number;
  /** Since then its issuer renews it no more: the person has to log in again. Whoever writes a new grant leaves it out. */
  readonly refusedAtMs?: number;
};

/** A grant as it is kept. `version` counts its renewals, and is part of what its encryption is bound to. */
export type KeptGrant = { readonly key: GrantKey; readonly version: number; readonly grant: Grant };

/** Which grants: a person's, a server's, a tenant's, or with nothing named all of them. */
export type GrantFilter = Partial<GrantKey>;

/** Where grants are kept, encrypted one by one. Every replica that shares it sees the same. */
export interface GrantVault {
  /** `known` is what the caller read before: given back unopened while it is the newest. */
  read(key: GrantKey, known?: KeptGrant): Promise<KeptGrant | undefined>;
  /** `after` is the version that the caller read, 0 for none. False when somebody else wrote meanwhile: read again. */
  write(key: GrantKey, grant: Grant, after: number): Promise<boolean>;
  /** What was removed, so that it can be revoked at its issuer. */
  remove(filter: GrantFilter): Promise<readonly KeptGrant[]>;
  list(filter: GrantFilter): Promise<readonly KeptGrant[]>;
  /**
   * Only who holds the lease renews a grant: a refresh token that is used twice is revoked by its issuer (RFC 9700 section
   * 4.14.2). True when `holder` has it until `untilMs`; a lease that has run out is anybody's.
   * @throws when what is renewed could not be kept afterwards
   */
  lease(key: GrantKey, holder: string, untilMs: number): Promise<boolean>;
  release(key: GrantKey, holder: string): Promise<void>;
}

export type Renewal =
  | { readonly kind: 'renewed'; readonly grant: Grant }
  /** The issuer said no (`invalid_grant`): the person has to log in again. */
  | { readonly kind: 'refused'; readonly why: string }
  /** It could not be asked, or answered nonsense: the grant stays and is tried again. */
  | { readonly kind: 'unavailable'; readonly why: string };

/** The client of one authorization server, as far as a grant that exists needs it. */
export interface GrantIssuer {
  renew(grant: Grant, signal: AbortSignal): Promise<Renewal>;
  /** False when the issuer offers no revocation or could not be asked. */
  revoke(grant: Grant, signal: AbortSignal): Promise<boolean>;
}
