/**
 * The live upstreams of one server. At most one connect per key at a time, whoever asks; at most `maxUpstreams` alive,
 * those that are being closed included, because a process counts until it has ended.
 */

import type { GrantKey } from '../credential/grant.ts';
import { refuse, Refusal } from '../model/failure.ts';
import type { ServerId } from '../model/target.ts';
import type { Clock } from './clock.ts';
import { abortReason, connectFailure, ConnectFailures } from './connect-failures.ts';
import type { BackoffOptions } from './connect-failures.ts';
import type { Upstream } from './connector.ts';
import { SpareRack } from './pool-spares.ts';
import type { SpareLimits } from './pool-spares.ts';

export type PoolLimits = {
  /** Upstreams of one server alive at a time (processes, for stdio). */
  readonly maxUpstreams: number;
  /** An upstream that nobody used for this long is closed. */
  readonly idleTimeoutMs: number;
  /** For one connect, handshake included. */
  readonly connectTimeoutMs: number;
  /** How long a call waits for one of the upstreams to become free, when all are in use. */
  readonly waitTimeoutMs: number;
  /** How many keys may wait; more are refused at once. */
  readonly maxWaiting: number;
  readonly spares: SpareLimits;
};

export const DEFAULT_POOL_LIMITS: PoolLimits = {
  maxUpstreams: 16,
  idleTimeoutMs: 600_000,
  connectTimeoutMs: 60_000,
  waitTimeoutMs: 10_000,
  maxWaiting: 256,
  spares: { min: 0, max: 0 },
};

/** Who an upstream is for. */
export type Place = {
  readonly key: string;
  /** What failures are remembered under. */
  readonly failureKey: string;
  /** Upstreams of one making are alike until somebody has used them. */
  readonly making: string;
  /** For one lease, then it is closed. */
  readonly once: boolean;
  /** Whose consent it was opened with. */
  readonly owner?: GrantKey;
};

/** An upstream on the shelf. Whoever was given it has a lease, to be released once; the rest is the shelf's to count. */
export type Member = {
  readonly place: Place;
  readonly upstream: Upstream;
  readonly connectedAtMs: number;
  leases: number;
  lastUsedMs: number;
  /** It has ended, or is being closed. */
  gone: boolean;
};

type Flight = {
  readonly promise: Promise<Member>;
  /** Callers that still wait for it: each will own a lease. */
  interested: number;
  landed?: Member;
  /** Gives the place in the queue back when nobody is interested any more. */
  leaveQueue?: (reason: Refusal) => void;
};

export type Connect = (signal: AbortSignal) => Promise<Upstream>;

export type ShelfOptions = {
  readonly server: ServerId;
  readonly limits: PoolLimits;
  readonly backoff: BackoffOptions;
  readonly clock: Clock;
  /** Nobody is given it any more. */
  readonly onEnded?: (member: Member) => void;
};

export type ShelfCounts = {
  readonly live: number;
  readonly idle: number;
  readonly connecting: number;
  readonly closing: number;
  readonly waiting: number;
  readonly spare: number;
};

export class PoolShelf {
  readonly failures: ConnectFailures;
  readonly #server: ServerId;
  readonly #clock: Clock;
  #limits: PoolLimits;
  /** In the order of their last use: the first idle one is the least recently used. */
  readonly #members = new Map<string, Member>();
  readonly #flights = new Map<string, Flight>();
  readonly #waiting: (() => void)[] = [];
  /** Still in use by some, and given to nobody else. */
  readonly #retired = new Set<Member>();
  readonly #closing = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #onEnded: ShelfOptions['onEnded'];
  readonly #spares: SpareRack;
  /** Flights that hold a place: they connect, and do not wait any more. */
  #connecting = 0;

  constructor(options: ShelfOptions) {
    this.#server = options.server;
    this.#limits = options.limits;
    this.#clock = options.clock;
    this.#onEnded = options.onEnded;
    this.failures = new ConnectFailures(options.backoff);
    this.#spares = new SpareRack({
      clock: options.clock,
      hasRoom: () => this.#aliveCount() < this.#limits.maxUpstreams && this.#waiting.length === 0,
      close: (upstream) => this.#track(upstream),
      onSettled: () => this.#wakeNext(),
    });
  }

  /** A live upstream at once, or undefined. */
  take(key: string): Member | undefined {
    const member = this.#members.get(key);
    if (member !== undefined) member.leases += 1;
    return member;
  }

  /** A spare at once, or the connect that is under way for the key, or a new one. @throws Refusal */
  open(place: Place, connect: Connect, signal: AbortSignal): Member | Promise<Member> {
    const underWay = this.#flights.get(place.key);
    if (underWay !== undefined) return this.#join(underWay, signal);
    const spare = this.#spare(place, connect);
    if (spare !== undefined) {
      const member = this.#adopt(place, spare, 1);
      this.#spares.fill();
      return member;
    }
    const tooEarly = this.failures.tooEarly(place.failureKey, this.#clock.nowMs());
    if (tooEarly !== undefined) throw new Refusal(tooEarly);
    const hasRoom = this.#aliveCount() < this.#limits.maxUpstreams && this.#waiting.length === 0;
    if (!hasRoom && this.#waiting.length >= this.#limits.maxWaiting) throw this.#overloaded();
    const flight = this.#launch(place, connect, hasRoom);
    // After the caller's own: nobody waits for a spare yet.
    this.#spares.fill();
    return this.#join(flight, signal);
  }

  /** One that is ready for callers of this making. */
  #spare({ making }: Place, connect: Connect): Upstream | undefined {
    const { spares } = this.#limits;
    if (spares.max === 0) return undefined;
    this.#spares.configure(spares, { key: making, connect: () => this.#connectInTime(connect) });
    return this.#spares.take(making);
  }

  release(member: Member): void {
    member.leases -= 1;
    if (!member.gone && member.upstream.isDoubtful?.() === true) this.#retire(member);
    if (member.leases > 0) return;
    if (this.#retired.delete(member)) this.#track(member.upstream);
    if (member.gone) return;
    if (member.place.once) {
      this.#close(member);
      return;
    }
    member.lastUsedMs = this.#clock.nowMs();
    // Kept in the order of last use, by moving it to the end; a shelf with one member needs no order.
    if (this.#members.size > 1) {
      this.#members.delete(member.place.key);
      this.#members.set(member.place.key, member);
    }
    if (this.#waiting.length > 0) this.#closeLeastRecentlyUsed();
  }

  /** The upstream turned out to have ended, before `ended` said so. */
  discard(member: Member): void {
    this.#forget(member);
  }

  /** Nobody gets these any more; those in use are closed when their calls are over. */
  retireWhere(isMeant: (place: Place) => boolean): void {
    for (const member of this.#members.values()) {
      if (!isMeant(member.place)) continue;
      if (member.leases === 0) this.#close(member);
      else this.#retire(member);
    }
  }

  /** Closes what was idle for too long. */
  sweep(): void {
    const before = this.#clock.nowMs() - this.#limits.idleTimeoutMs;
    for (const member of this.#members.values()) {
      if (member.leases === 0 && member.lastUsedMs <= before) this.#close(member);
    }
    this.#spares.sweep();
  }

  /** New limits count from the next decision on. */
  limit(limits: PoolLimits): void {
    this.#limits = limits;
  }

  counts(): ShelfCounts {
    let idle = 0;
    for (const member of this.#members.values()) if (member.leases === 0) idle += 1;
    return {
      live: this.#members.size + this.#retired.size,
      idle,
      connecting: this.#connecting,
      closing: this.#closing.size,
      waiting: this.#waiting.length,
      spare: this.#spares.ready,
    };
  }

  /** Stops connects that are under way and closes everything; settles when all have ended. */
  async close(): Promise<void> {
    this.#stop.abort(refuse('draining'));
    this.#spares.close();
    const flights = [...this.#flights.values()].map((flight) => {
      flight.leaveQueue?.(refuse('draining'));
      return flight.promise.then(undefined, () => undefined);
    });
    await Promise.all(flights);
    for (const member of this.#members.values()) this.#close(member);
    for (const member of this.#retired) this.#track(member.upstream);
    this.#retired.clear();
    await Promise.all(this.#closing);
  }

  #aliveCount(): number {
    return this.#members.size + this.#retired.size + this.#connecting + this.#closing.size + this.#spares.alive;
  }

  #launch(place: Place, connect: Connect, hasRoom: boolean): Flight {
    const { key } = place;
    const { promise, resolve, reject } = Promise.withResolvers<Member>();
    const flight: Flight = { promise, interested: 0 };
    this.#flights.set(key, flight);
    // Whoever joined hears of a failure; that nobody did must not end the gateway.
    promise.catch(() => undefined);
    if (hasRoom) this.#connecting += 1;
    const fly = async (): Promise<void> => {
      try {
        const member = await this.#fly(flight, place, { connect, hasRoom });
        resolve(member);
        if (member.leases === 0 && this.#waiting.length > 0) this.#closeLeastRecentlyUsed();
      } catch (error) {
        reject(error);
      } finally {
        this.#flights.delete(key);
      }
    };
    void fly();
    return flight;
  }

  async #fly(
    flight: Flight,
    place: Place,
    { connect, hasRoom }: { connect: Connect; hasRoom: boolean },
  ): Promise<Member> {
    if (!hasRoom) await this.#waitForRoom(flight);
    try {
      const upstream = await this.#connectInTime(connect);
      const member = this.#adopt(place, upstream, flight.interested);
      flight.landed = member;
      return member;
    } catch (error) {
      const of = connectFailure(error);
      if (!this.#stop.signal.aborted) this.failures.connectFailed(place.failureKey, of, this.#clock.nowMs());
      throw new Refusal(of);
    } finally {
      this.#connecting -= 1;
      this.#wakeNext();
    }
  }

  async #connectInTime(connect: Connect): Promise<Upstream> {
    const controller = new AbortController();
    const stop = (): void => controller.abort(this.#stop.signal.reason);
    this.#stop.signal.addEventListener('abort', stop, { once: true });
    if (this.#stop.signal.aborted) stop();
    const timeoutMs = this.#limits.connectTimeoutMs;
    const message = `The server ${this.#server} was not ready within ${timeoutMs} ms.`;
    const cancel = this.#clock.after(timeoutMs, () => controller.abort(refuse('upstream-timeout', { message })));
    try {
      return await connect(controller.signal);
    } catch (error) {
      throw controller.signal.aborted ? controller.signal.reason : error;
    } finally {
      cancel();
      this.#stop.signal.removeEventListener('abort', stop);
    }
  }

  #adopt(place: Place, upstream: Upstream, leases: number): Member {
    const nowMs = this.#clock.nowMs();
    const member: Member = { place, upstream, connectedAtMs: nowMs, leases, lastUsedMs: nowMs, gone: false };
    this.#members.set(place.key, member);
    void upstream.ended.then(() => this.#forget(member));
    return member;
  }

  #forget(member: Member): void {
    if (member.gone) return;
    member.gone = true;
    this.#members.delete(member.place.key);
    this.failures.ended(member.place.failureKey, { sinceMs: member.connectedAtMs, nowMs: this.#clock.nowMs() });
    this.#onEnded?.(member);
    // What ended by itself may still have to be cleared away (a process group): it keeps its place until then.
    this.#track(member.upstream);
  }

  /** Nobody else gets it; those who have it may finish. */
  #retire(member: Member): void {
    member.gone = true;
    this.#members.delete(member.place.key);
    this.#retired.add(member);
  }

  #close(member: Member): void {
    member.gone = true;
    this.#members.delete(member.place.key);
    this.#onEnded?.(member);
    this.#track(member.upstream);
  }

  #track(upstream: Upstream): void {
    const closed = upstream
      .close()
      .catch(() => undefined)
      .finally(() => {
        this.#closing.delete(closed);
        this.#wakeNext();
      });
    this.#closing.add(closed);
  }

  /** A spare first: nobody has used it. */
  #closeLeastRecentlyUsed(): void {
    if (this.#spares.drop()) return;
    for (const member of this.#members.values()) {
      if (member.leases === 0) {
        this.#close(member);
        return;
      }
    }
  }

  #waitForRoom(flight: Flight): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (reason: Refusal): void => {
        const index = this.#waiting.indexOf(enter);
        if (index === -1) return;
        this.#waiting.splice(index, 1);
        cancel();
        reject(reason);
      };
      const enter = (): void => {
        cancel();
        delete flight.leaveQueue;
        this.#connecting += 1;
        resolve();
      };
      const cancel = this.#clock.after(this.#limits.waitTimeoutMs, () => leave(this.#overloaded()));
      flight.leaveQueue = leave;
      this.#waiting.push(enter);
      if (this.#closing.size < this.#waiting.length) this.#closeLeastRecentlyUsed();
    });
  }

  #wakeNext(): void {
    while (this.#waiting.length > 0 && this.#aliveCount() < this.#limits.maxUpstreams) this.#waiting.shift()?.();
  }

  #join(flight: Flight, signal: AbortSignal): Promise<Member> {
    if (signal.aborted) return Promise.reject(abortReason(signal));
    flight.interested += 1;
    return new Promise((resolve, reject) => {
      const abandon = (): void => {
        if (flight.landed === undefined) flight.interested -= 1;
        else this.release(flight.landed);
        if (flight.interested === 0) flight.leaveQueue?.(refuse('cancelled'));
        reject(abortReason(signal));
      };
      signal.addEventListener('abort', abandon, { once: true });
      // After an abort this settles a promise that is settled already, and the lease was given back.
      void flight.promise.finally(() => signal.removeEventListener('abort', abandon)).then(resolve, reject);
    });
  }

  #overloaded(): Refusal {
    const message = `All ${this.#limits.maxUpstreams} upstreams of the server ${this.#server} are in use. Try again shortly.`;
    return refuse('overloaded', { message, retryAfterMs: 1000 });
  }
}
