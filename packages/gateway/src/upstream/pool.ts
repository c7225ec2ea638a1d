/**
 * The live upstreams of all servers. Keyed by server, its version and the credential's, and by the principal unless the
 * operator said that the server is safe to share: what one person's session holds is never another's.
 */

import type { Credential } from '../credential/broker.ts';
import { refuse } from '../model/failure.ts';
import type { Failure } from '../model/failure.ts';
import type { PrincipalKey } from '../model/principal.ts';
import type { Server, ServerId } from '../model/target.ts';
import type { Clock } from './clock.ts';
import type { BackoffOptions } from './connect-failures.ts';
import type { Connector } from './connector.ts';
import { PoolShelf } from './pool-shelf.ts';
import type { Member, PoolLimits, ShelfCounts } from './pool-shelf.ts';

export type PoolOptions = {
  readonly clock: Clock;
  readonly backoff: BackoffOptions;
  /** How often idle upstreams are looked for. */
  readonly sweepIntervalMs: number;
};

export type PoolRequest = {
  readonly server: Server;
  readonly connector: Connector;
  readonly limits: PoolLimits;
  readonly credential: Credential;
  readonly principal: PrincipalKey;
  readonly signal: AbortSignal;
};

export type PoolStatus = ShelfCounts & { readonly lastFailure?: { readonly failure: Failure; readonly atMs: number } };

export class UpstreamPool {
  readonly #options: PoolOptions;
  readonly #shelves = new Map<ServerId, PoolShelf>();
  #cancelSweep: (() => void) | undefined;
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
    const key = poolKey(request);
    const member = shelf.take(key);
    if (member !== undefined) return member;
    const { connector, server, credential } = request;
    return shelf.open(key, (signal) => connector.connect(server, credential, signal), request.signal);
  }

  release(server: ServerId, member: Member): void {
    this.#shelves.get(server)?.release(member);
  }

  /** The upstream turned out to have ended: nobody gets it again. It is still to be released. */
  discard(server: ServerId, member: Member): void {
    this.#shelves.get(server)?.discard(member);
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
    const { clock, backoff } = this.#options;
    const shelf = new PoolShelf({ server: request.server.id, limits: request.limits, backoff, clock });
    this.#shelves.set(request.server.id, shelf);
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

/** NUL occurs in none of the parts but possibly the last, so two different keys never look alike. */
function poolKey({ server, credential, principal }: PoolRequest): string {
  const shared = `${server.version}\0${credential.version}`;
  return server.sharing === 'shared' ? shared : `${shared}\0${principal}`;
}
