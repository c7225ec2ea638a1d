/**
 * The live upstreams of all servers. Keyed by server, its version and the credential's, by what clients can
 * answer, and by whom the operator said it may be shared with: what one person's session holds is never another's unless the server is safe to share.
 */

import type { Credential } from '../credential/broker.ts';
import type { GrantKey } from '../credential/grant.ts';
import { refuse } from '../model/failure.ts';
import type { Failure } from '../model/failure.ts';
import type { Principal } from '../model/principal.ts';
import type { Server, ServerId } from '../model/target.ts';
import { NO_PROFILE, type CapabilityProfile } from './capability-profile.ts';
import type { Clock } from './clock.ts';
import type { BackoffOptions } from './connect-failures.ts';
import type { Connector, Upstream } from './connector.ts';
import { PoolShelf } from './pool-shelf.ts';
import type { Member, Place, PoolLimits, ShelfCounts } from './pool-shelf.ts';

export type PoolOptions = {
  readonly clock: Clock;
  readonly backoff: BackoffOptions;
  /** How often idle upstreams are looked for. */
  readonly sweepIntervalMs: number;
  /** An upstream that somebody used is of no further use, after so long. */
  readonly onEnded?: (server: ServerId, upstream: Upstream, lifetimeMs: number) => void;
};

export type PoolRequest = {
  readonly server: Server;
  readonly connector: Connector;
  readonly limits: PoolLimits;
  readonly credential: Credential;
  readonly principal: Pick<Principal, 'key' | 'tenant'>;
  /** Names the client's session, where it has one. */
  readonly session?: string;
  /** Clients that can answer the same share upstreams. Default: nothing can be asked. */
  readonly profile?: CapabilityProfile;
  readonly signal: AbortSignal;
};

export type PoolStatus = ShelfCounts & { readonly lastFailure?: { readonly failure: Failure; readonly atMs: number } };

export class UpstreamPool {
  readonly #options: PoolOptions;
  readonly #shelves = new Map<ServerId, PoolShelf>();
  #cancelSweep: (() => void) | undefined;
  #nextCall = 0;
  #closed: Promise<void> | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /**
   * A live upstream at once when there is one, else a promise of one. It must be released once.
   *
   * @throws Refusal `overloaded`, `draining`, `cancelled`, or what the connector threw, now or while it is backed off.
   */
  acquire(request: PoolRequest): Member | Promise<Member> {
    if (this.#closed !== undefined) throw refuse('draining');
    const shelf = this.#shelf(request);
    const { owner } = request.credential;
    const place = { ...placeOf(request, this.#nextCall), ...(owner === undefined ? {} : { owner }) };
    this.#nextCall += 1;
    const member = shelf.take(place.key);
    if (member !== undefined) return member;
    const { connector, server, credential, profile = NO_PROFILE } = request;
    const connect = (signal: AbortSignal) => connector.connect(server, credential, signal, profile.capabilities);
    return shelf.open(place, connect, request.signal);
  }

  release(server: ServerId, member: Member): void {
    this.#shelves.get(server)?.release(member);
  }

  /** The upstream turned out to have ended: nobody gets it again. It is still to be released. */
  discard(server: ServerId, member: Member): void {
    this.#shelves.get(server)?.discard(member);
  }

  /** Ends what was opened with credentials of these owners: at once where nobody uses it, else when its calls are over. */
  endOf(isOwner: (owner: GrantKey) => boolean): void {
    for (const shelf of this.#shelves.values()) {
      shelf.retireWhere(({ owner }) => owner !== undefined && isOwner(owner));
    }
  }

  status(server: ServerId): PoolStatus | undefined {
    const shelf = this.#shelves.get(server);
    if (shelf === undefined) return undefined;
    const lastFailure = shelf.failures.latest();
    return { ...shelf.counts(), ...(lastFailure === undefined ? {} : { lastFailure }) };
  }

  /** Refuses new leases and closes everything, in use or not. Idempotent. */
  close(): Promise<void> {
    this.#cancelSweep?.();
    this.#closed ??= Promise.all([...this.#shelves.values()].map((shelf) => shelf.close())).then(() => undefined);
    return this.#closed;
  }

  #shelf(request: PoolRequest): PoolShelf {
    const existing = this.#shelves.get(request.server.id);
    if (existing !== undefined) {
      existing.limit(request.limits);
      return existing;
    }
    const { clock, backoff, onEnded } = this.#options;
    const { id } = request.server;
    const shelf = new PoolShelf({
      server: id,
      limits: request.limits,
      backoff,
      clock,
      onEnded: ({ upstream, connectedAtMs }) => onEnded?.(id, upstream, clock.nowMs() - connectedAtMs),
    });
    this.#shelves.set(id, shelf);
    if (this.#cancelSweep === undefined) this.#armSweep();
    return shelf;
  }

  #armSweep(): void {
    this.#cancelSweep = this.#options.clock.after(this.#options.sweepIntervalMs, () => {
      for (const shelf of this.#shelves.values()) shelf.sweep();
      this.#armSweep();
    });
  }
}

/**
 * Whose upstream it is. NUL occurs in no part but possibly the last, so two different keys never look alike. What is shared
 * is shared within a tenant: tenants share nothing.
 */
export function placeOf({ server, credential, principal, session, profile }: PoolRequest, call: number): Place {
  const making = `${server.version}\0${credential.version}\0${profile?.key ?? ''}`;
  const shared = `${making}\0tenant\0${principal.tenant}`;
  const personal = `${making}\0principal\0${principal.key}`;
  switch (server.sharing) {
    case 'shared':
      return { key: shared, failureKey: shared, making, once: false };
    case 'principal':
      return { key: personal, failureKey: personal, making, once: false };
    case 'session': {
      // A modern client has no session: what it does is the principal's.
      const key = session === undefined ? personal : `${making}\0session\0${session}\0${principal.key}`;
      return { key, failureKey: personal, making, once: false };
    }
    case 'call':
      return { key: `${making}\0call\0${call}`, failureKey: personal, making, once: true };
  }
}
