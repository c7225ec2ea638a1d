/**
 * One way to hear what a server tells by itself, shared by everyone who may share its sessions. It holds an upstream of the
 * pool for as long as somebody wants something, and asks the server for the union of what they want.
 */

import { refuse } from '../model/failure.ts';
import type { Change } from '../model/subscription.ts';
import { concerns } from '../model/subscription.ts';
import type { Told, Upstream, UpstreamFeed } from './connector.ts';

/** Somebody's wish. `uri` is undefined for the lists. */
export type Ticket = {
  readonly uri: string | undefined;
  hear(uri: string): void;
};

/** An upstream of the pool, held. */
export type Lease = { readonly upstream: Upstream; readonly release: () => void };

export type FeedParts = {
  /** An upstream of the pool, held until it is let go. @throws Refusal */
  readonly lease: () => Promise<Lease>;
  /** Nobody is left, or it was lost together with `tickets`, which had been granted. */
  readonly over: (tickets: readonly Ticket[]) => void;
};

/** Different URIs that one server is asked for over one feed: each change of a listen request repeats all of them. */
const MAX_URIS = 2000;

type Waiting = { readonly ticket: Ticket; readonly settle: (granted: boolean) => void };

type Live = { readonly lease: Lease; readonly feed: UpstreamFeed };

export class Feed {
  readonly #parts: FeedParts;
  /** By what they want: many clients, few URIs. */
  readonly #granted = new Map<string | undefined, Set<Ticket>>();
  #waiting: Waiting[] = [];
  /** What the server was asked for last. */
  #asked: ReadonlySet<string | undefined> = new Set();
  #live: Live | undefined;
  #isBusy = false;
  #isStale = false;
  #isOver = false;

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** False when the server does not tell of it, or could not be asked. */
  add(ticket: Ticket): Promise<boolean> {
    const same = this.#granted.get(ticket.uri);
    if (same !== undefined) {
      same.add(ticket);
      return Promise.resolve(true);
    }
    if (ticket.uri !== undefined && this.#granted.size >= MAX_URIS) return Promise.resolve(false);
    return new Promise((settle) => {
      this.#waiting.push({ ticket, settle });
      void this.#reconcile();
    });
  }

  remove(ticket: Ticket): void {
    const same = this.#granted.get(ticket.uri);
    same?.delete(ticket);
    if (same?.size === 0) this.#granted.delete(ticket.uri);
    const waited = this.#waiting.find((waiting) => waiting.ticket === ticket);
    waited?.settle(false);
    this.#waiting = this.#waiting.filter((waiting) => waiting !== waited);
    if (same?.size === 0 || waited !== undefined) void this.#reconcile();
  }

  close(): void {
    this.#end();
  }

  /** One at a time; what changed meanwhile is looked at again. Never rejects. */
  async #reconcile(): Promise<void> {
    this.#isStale = true;
    if (this.#isBusy) return;
    this.#isBusy = true;
    while (this.#isStale && !this.#isOver) {
      this.#isStale = false;
      // Everyone who comes in the same turn is asked for together.
      await Promise.resolve();
      if (this.#granted.size === 0 && this.#waiting.length === 0) this.#end();
      else await this.#ask();
    }
    this.#isBusy = false;
  }

  async #ask(): Promise<void> {
    const asking = this.#waiting;
    this.#waiting = [];
    const all = new Set([...this.#granted.keys(), ...asking.map(({ ticket }) => ticket.uri)]);
    // Asked for already, on behalf of somebody else.
    if (all.size === this.#granted.size && this.#isAsked(all)) {
      for (const { ticket, settle } of asking) settle(this.#grant(ticket));
      return;
    }
    const wanted = { lists: all.has(undefined), uris: [...all].filter((uri) => uri !== undefined) };
    this.#asked = all;
    let told: Told;
    try {
      told = await (await this.#open()).want(wanted);
    } catch {
      for (const { settle } of asking) settle(false);
      // What was granted before goes on, unless it was lost as well: then `ended` says so.
      if (this.#granted.size === 0 && this.#waiting.length === 0) this.#end();
      return;
    }
    this.#settle(asking, told);
  }

  #settle(asking: readonly Waiting[], told: Told): void {
    const agreed = new Set<string | undefined>(told.uris);
    if (told.lists) agreed.add(undefined);
    for (const { ticket, settle } of asking) {
      settle(!this.#isOver && agreed.has(ticket.uri) && this.#grant(ticket));
    }
    if (this.#granted.size === 0) this.#isStale = true;
  }

  #isAsked(all: ReadonlySet<string | undefined>): boolean {
    return all.size === this.#asked.size && [...all].every((uri) => this.#asked.has(uri));
  }

  #grant(ticket: Ticket): true {
    this.#granted.set(ticket.uri, (this.#granted.get(ticket.uri) ?? new Set()).add(ticket));
    return true;
  }

  async #open(): Promise<UpstreamFeed> {
    if (this.#live !== undefined) return this.#live.feed;
    const lease = await this.#parts.lease();
    if (this.#isOver) {
      lease.release();
      throw refuse('cancelled');
    }
    const feed = lease.upstream.openFeed({
      hear: (change) => this.#hear(change),
      missed: () => this.#tellAll(),
    });
    this.#live = { lease, feed };
    void feed.ended.then(() => this.#end());
    return feed;
  }

  #hear(change: Change): void {
    if (change.kind === 'list-changed') {
      for (const ticket of this.#granted.get(undefined) ?? []) ticket.hear('');
      return;
    }
    const { uri } = change;
    for (const [subscribed, tickets] of this.#granted) {
      if (subscribed === undefined || !concerns(subscribed, uri)) continue;
      for (const ticket of tickets) ticket.hear(uri);
    }
  }

  #tellAll(): void {
    for (const [uri, tickets] of this.#granted) for (const ticket of tickets) ticket.hear(uri ?? '');
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#live?.feed.close();
    this.#live?.lease.release();
    this.#live = undefined;
    const left = [...this.#granted.values()].flatMap((tickets) => [...tickets]);
    this.#granted.clear();
    for (const { settle } of this.#waiting) settle(false);
    this.#waiting = [];
    this.#parts.over(left);
  }
}
