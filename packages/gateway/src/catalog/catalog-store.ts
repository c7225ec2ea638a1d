/**
 * Keeps the catalog current: asks every server what it offers, all at once, each within its own deadline; asks again when
 * one fails (later and later) and from time to time. A refresh that fails keeps the last good listing: tools do not vanish
 * because a server hiccups. No I/O of its own: listings, time and chance come in.
 */

import { failureMessage, Refusal } from '../model/failure.ts';
import type { Listing } from '../model/outcome.ts';
import type { Server, ServerId } from '../model/target.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Gateway } from './aggregate.ts';
import type { Catalog, ServerStatus } from './catalog.ts';
import { DEFAULT_DEFINITION_LIMITS, type DefinitionLimits } from './definition.ts';
import { createOffering, type CatalogServer, type Offering, type RegisteredServer } from './offering.ts';
import { createCatalog, type CatalogOptions } from './snapshot.ts';

/** Runs `task` after a delay; the answer cancels it. Must not keep the process alive. */
export type Schedule = (delayMs: number, task: () => void) => () => void;

export type CatalogTimings = {
  /** For one attempt to fetch one server's listing. */
  readonly fetchDeadlineMs: number;
  /** After which `started` settles, whoever is still silent. */
  readonly startDeadlineMs: number;
  /** Between refreshes of a server that gives its lists no time to live. */
  readonly refreshMs: number;
  /** However short a server's time to live is, it is not asked more often; however long, not less often than `maxRefreshMs`. */
  readonly minRefreshMs: number;
  readonly maxRefreshMs: number;
  /** After the first failure; doubled with each further one up to `maxRetryMs`, then scattered over its second half. */
  readonly retryMs: number;
  readonly maxRetryMs: number;
};

export const DEFAULT_CATALOG_TIMINGS: CatalogTimings = {
  fetchDeadlineMs: 90_000,
  startDeadlineMs: 10_000,
  refreshMs: 300_000,
  minRefreshMs: 30_000,
  maxRefreshMs: 3_600_000,
  retryMs: 1_000,
  maxRetryMs: 60_000,
};

export type CatalogStoreOptions = {
  readonly servers: readonly CatalogServer[];
  readonly disabled: CatalogOptions['disabled'];
  readonly gateway: Gateway;
  readonly aggregateReadOnly?: boolean;
  /** Everything one server offers, all pages. May throw whatever it likes; the message becomes the server's reason. */
  readonly fetchListing: (server: Server, signal: AbortSignal) => Promise<Listing>;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly schedule: Schedule;
  readonly logger: Logger;
  readonly timings?: Partial<CatalogTimings>;
  readonly definitionLimits?: Partial<DefinitionLimits>;
};

/** Told after each swap, also when only a server's state changed: compare `version` for content. */
export type SwapListener = (current: Catalog, previous: Catalog) => void;

type Slot = {
  readonly registered: CatalogServer;
  status: RegisteredServer['status'];
  offering?: Offering;
  failures: number;
  running?: Promise<void>;
  /** A refresh was asked for while one was running: what that one saw may be old. */
  again: boolean;
  cancelNext: () => void;
};

const MAX_REASON_LENGTH = 300;

/** Owns its timers and the fetches under way; `close` ends both. */
export class CatalogStore {
  readonly #options: CatalogStoreOptions;
  readonly #timings: CatalogTimings;
  readonly #definitionLimits: DefinitionLimits;
  readonly #slots: ReadonlyMap<ServerId, Slot>;
  readonly #listeners = new Set<SwapListener>();
  readonly #closing = new AbortController();
  readonly #started: Promise<void>;
  #current: Catalog;

  /** Starts to fetch at once. */
  constructor(options: CatalogStoreOptions) {
    this.#options = options;
    this.#timings = { ...DEFAULT_CATALOG_TIMINGS, ...options.timings };
    this.#definitionLimits = { ...DEFAULT_DEFINITION_LIMITS, ...options.definitionLimits };
    const sinceMs = options.clock();
    this.#slots = new Map(
      options.servers.map((registered): [ServerId, Slot] => [
        registered.server.id,
        { registered, status: { state: 'starting', sinceMs }, failures: 0, again: false, cancelNext: doNothing },
      ]),
    );
    if (this.#slots.size !== options.servers.length) throw new RangeError('Two servers have the same id.');
    this.#current = this.#build();
    this.#started = this.#start();
  }

  /** The catalog now. Take it once per request: it is replaced, never changed. */
  get current(): Catalog {
    return this.#current;
  }

  /** Settles when every server was tried once, or the start deadline has passed. Never rejects. */
  get started(): Promise<void> {
    return this.#started;
  }

  /** Asks a server again now; resolves when that attempt is over, whatever came of it. Unknown ids are ignored. */
  async refresh(server: ServerId): Promise<void> {
    const slot = this.#slots.get(server);
    if (slot === undefined || this.#closing.signal.aborted) return;
    slot.again = slot.running !== undefined;
    await (slot.running ?? this.#run(slot));
  }

  /** @returns How to stop listening. */
  onSwap(listener: SwapListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Cancels what is under way and asks nobody any more. The last catalog stays readable. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('The catalog is closed.'));
    this.#listeners.clear();
    const running: Promise<void>[] = [];
    for (const slot of this.#slots.values()) {
      slot.cancelNext();
      if (slot.running !== undefined) running.push(slot.running);
    }
    await Promise.all(running);
  }

  #start(): Promise<void> {
    const tried = Promise.all([...this.#slots.values()].map((slot) => this.#run(slot)));
    return new Promise((resolve) => {
      const cancel = this.#options.schedule(this.#timings.startDeadlineMs, resolve);
      void tried.finally(() => {
        cancel();
        resolve();
      });
    });
  }

  /** One attempt, and another for as long as one was asked for meanwhile. Never rejects. */
  #run(slot: Slot): Promise<void> {
    slot.cancelNext();
    slot.running = this.#attempt(slot).finally(() => {
      delete slot.running;
      if (!this.#closing.signal.aborted)
        slot.cancelNext = this.#options.schedule(this.#nextMs(slot), () => void this.#run(slot));
    });
    return slot.running;
  }

  async #attempt(slot: Slot): Promise<void> {
    do {
      slot.again = false;
      try {
        this.#succeed(slot, await this.#fetch(slot.registered.server));
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        this.#fail(slot, error);
      }
    } while (slot.again && !this.#closing.signal.aborted);
  }

  /** Ends by the deadline even when the fetch ignores its signal. */
  async #fetch(server: Server): Promise<Listing> {
    const attempt = new AbortController();
    const seconds = this.#timings.fetchDeadlineMs / 1_000;
    const end = (reason: unknown): void => attempt.abort(reason);
    const onClose = (): void => end(this.#closing.signal.reason);
    const cancelDeadline = this.#options.schedule(this.#timings.fetchDeadlineMs, () =>
      end(new Error(`It did not tell what it offers within ${seconds} s.`)),
    );
    this.#closing.signal.addEventListener('abort', onClose, { once: true });
    try {
      return await Promise.race([this.#options.fetchListing(server, attempt.signal), rejectsOn(attempt.signal)]);
    } finally {
      cancelDeadline();
      this.#closing.signal.removeEventListener('abort', onClose);
    }
  }

  #succeed(slot: Slot, listing: Listing): void {
    if (this.#closing.signal.aborted) return;
    const offering = createOffering(slot.registered, listing, this.#definitionLimits);
    const { id } = slot.registered.server;
    // The old entries are kept when nothing differs, and with them all that others remember about them.
    if (slot.offering?.digest !== offering.digest) {
      slot.offering = offering;
      const { tools, prompts, resources, templates } = offering.lists;
      const counts = {
        tools: tools.length,
        prompts: prompts.length,
        resources: resources.length,
        templates: templates.length,
      };
      this.#options.logger.info({ server: id, era: listing.era, ...counts }, 'The server told what it offers.');
      for (const refused of offering.refused) this.#options.logger.warn({ server: id }, `Refused: ${refused}.`);
    }
    slot.failures = 0;
    this.#swap(slot, { state: 'healthy', era: listing.era });
  }

  #fail(slot: Slot, error: unknown): void {
    slot.failures += 1;
    const reason = reasonOf(error);
    const { id } = slot.registered.server;
    if (slot.status.state !== 'unhealthy' || slot.status.reason !== reason) {
      this.#options.logger.warn(
        { server: id, reason, kept: slot.offering !== undefined },
        'The server cannot be listed.',
      );
    }
    const { era } = slot.status;
    this.#swap(slot, {
      state: 'unhealthy',
      reason,
      ...(era === undefined ? {} : { era }),
      ...(error instanceof Refusal ? { code: error.failure.code } : {}),
    });
  }

  #swap(slot: Slot, status: Omit<ServerStatus, 'server' | 'counts' | 'sinceMs'>): void {
    const sinceMs = slot.status.state === status.state ? slot.status.sinceMs : this.#options.clock();
    slot.status = { ...status, sinceMs };
    const previous = this.#current;
    this.#current = this.#build();
    for (const listener of this.#listeners) {
      try {
        listener(this.#current, previous);
      } catch (error) {
        this.#options.logger.error({ error }, 'A listener to catalog changes failed.');
      }
    }
  }

  #build(): Catalog {
    const servers = [...this.#slots.values()].map(({ registered, status, offering }): RegisteredServer => ({
      ...registered,
      status,
      ...(offering === undefined ? {} : { offering }),
    }));
    const { disabled, gateway, aggregateReadOnly = false } = this.#options;
    return createCatalog({ servers, disabled, gateway, aggregateReadOnly });
  }

  #nextMs(slot: Slot): number {
    const { refreshMs, minRefreshMs, maxRefreshMs, retryMs, maxRetryMs } = this.#timings;
    const scatter = 0.5 + this.#options.random() / 2;
    if (slot.failures > 0) return Math.min(maxRetryMs, retryMs * 2 ** Math.min(slot.failures - 1, 30)) * scatter;
    const ttlMs = slot.offering?.freshness.ttlMs ?? 0;
    return ttlMs > 0 ? Math.min(maxRefreshMs, Math.max(minRefreshMs, ttlMs)) : refreshMs;
  }
}

const doNothing = (): void => undefined;

function rejectsOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('It was cancelled.'));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

function reasonOf(error: unknown): string {
  const message =
    error instanceof Refusal ? failureMessage(error.failure) : error instanceof Error ? error.message : '';
  const text = message === '' ? 'It failed without saying why.' : message;
  return text.length > MAX_REASON_LENGTH ? `${text.slice(0, MAX_REASON_LENGTH)}…` : text;
}
