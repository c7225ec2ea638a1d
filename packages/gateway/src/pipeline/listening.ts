/**
 * What one client listens to. Changes wait here until the client has taken the last one, each at most once: a reader that is
 * slow, or that never reads, costs no more than the names of what it listens to.
 */

import type { Catalog } from '../catalog/catalog.ts';
import type { Authorizer, Caller } from '../authz/authorizer.ts';
import { isJsonObject } from '../model/json.ts';
import type { SubscriptionFilter } from '../model/operation.ts';
import type { Principal } from '../model/principal.ts';
import type { Change, Feeds, ListedKind, Stop } from '../model/subscription.ts';
import type { Endpoint, ResourceEntry, ServerId } from '../model/target.ts';

/** Told when there is something to take, and when nothing will be told any more. */
export type Listener = { ready(): void; ended(): void };

export interface Listening {
  /** What will be told: of what was asked, the part that is possible for this caller. */
  readonly honoured: SubscriptionFilter;
  start(listener: Listener): void;
  /** The next change, if there is one. */
  take(): Change | undefined;
  /** One more resource (legacy). False when its changes cannot be told. */
  subscribe(uri: string): Promise<boolean>;
  unsubscribe(uri: string): void;
  /** Something may have been missed: everything that is listened to is told once. */
  missed(): void;
  /** The client has gone. Idempotent. */
  close(): void;
}

/** Both at one moment: a check is made by one set of policies on one catalog. */
export type Moment = { readonly catalog: Catalog; readonly authorizer: Authorizer };

/** Whose the credential is that opened the subscription, asked again. @throws Refusal when it is nobody's any more. */
export type Verify = () => Principal | Promise<Principal>;

export type OneListeningParts = {
  readonly endpoint: Endpoint;
  readonly caller: Caller;
  readonly verify: Verify;
  readonly lists: readonly ListedKind[];
  readonly now: () => Moment;
  readonly feeds: Feeds;
  readonly after: (delayMs: number, task: () => void) => Stop;
  /** False when there are as many as there may be, in all. */
  readonly watch: () => boolean;
  readonly unwatch: () => void;
  readonly closed: (listening: OneListening) => void;
};

type Watched = { readonly server: string; readonly stop: Stop };

export class OneListening implements Listening {
  readonly endpoint: Endpoint;
  /** Whose groups may change while they listen. */
  caller: Caller;
  readonly verify: Verify;
  readonly lists: readonly ListedKind[];
  honoured: SubscriptionFilter = {};
  /** What the caller saw when it was last looked at, for each list. */
  readonly seen = new Map<ListedKind, string>();
  /** Of what that was made. */
  seenAt = '';
  readonly #parts: OneListeningParts;
  /** Undefined while the caller may not have it, or its server does not tell of it. */
  readonly #resources = new Map<string, Watched | undefined>();
  readonly #pending = new Map<string, Change>();
  #listener: Listener | undefined;
  #isOver = false;

  constructor(parts: OneListeningParts) {
    this.#parts = parts;
    this.endpoint = parts.endpoint;
    this.caller = parts.caller;
    this.verify = parts.verify;
    this.lists = parts.lists;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  start(listener: Listener): void {
    this.#listener = listener;
    if (this.#isOver) listener.ended();
    else if (this.#pending.size > 0) listener.ready();
  }

  take(): Change | undefined {
    const [first] = this.#pending;
    if (first === undefined) return undefined;
    const [key, change] = first;
    this.#pending.delete(key);
    return change;
  }

  listChanged(of: ListedKind): void {
    this.#tell(of, { kind: 'list-changed', of });
  }

  async subscribe(uri: string): Promise<boolean> {
    if (this.#isOver) return false;
    if (this.#resources.get(uri) !== undefined) return true;
    if (!this.#resources.has(uri) && !this.#parts.watch()) return false;
    this.#resources.set(uri, undefined);
    const { promise: late, resolve } = Promise.withResolvers<false>();
    const cancel = this.#parts.after(PATIENCE_MS, () => resolve(false));
    const granted = await Promise.race([this.#watch(uri, this.#parts.now()), late]);
    cancel();
    // Granted too late, it is given up again: nobody was promised it.
    if (!granted) this.unsubscribe(uri);
    return granted;
  }

  unsubscribe(uri: string): void {
    if (!this.#resources.has(uri)) return;
    this.#resources.get(uri)?.stop();
    this.#resources.delete(uri);
    this.#pending.delete(` ${uri}`);
    this.#parts.unwatch();
  }

  missed(): void {
    const { capabilities } = this.#parts.now().catalog.discovery(this.endpoint);
    for (const kind of this.lists) if (capabilities[kind] !== undefined) this.listChanged(kind);
    for (const [uri, watched] of this.#resources) if (watched !== undefined) this.#updated(uri, uri);
  }

  /** Who may have what has changed: what the caller lost is not heard of any more, what is theirs again is. */
  resettle(moment: Moment): void {
    for (const [uri, watched] of this.#resources) {
      const server = this.#ownerOf(uri, moment)?.server.id;
      if (server === watched?.server) continue;
      watched?.stop();
      this.#resources.set(uri, undefined);
      if (server !== undefined) void this.#watchAgain(uri, moment);
    }
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const uri of this.#resources.keys()) this.unsubscribe(uri);
    this.#pending.clear();
    this.#parts.closed(this);
  }

  /** It is over on our side: the client is told. */
  end(): void {
    if (this.#isOver) return;
    this.close();
    this.#listener?.ended();
  }

  async #watchAgain(uri: string, moment: Moment): Promise<void> {
    // It may have changed while nobody listened.
    if (await this.#watch(uri, moment)) this.#updated(uri, uri);
  }

  async #watch(uri: string, moment: Moment): Promise<boolean> {
    const { feeds } = this.#parts;
    const { caller } = this;
    const owner = this.#ownerOf(uri, moment);
    if (owner === undefined || !tellsOfResources(owner.server.id, moment.catalog)) return false;
    const { session } = caller.client;
    const wish = { server: owner.server, uri, principal: caller.principal };
    const stop = await feeds.resource(session === undefined ? wish : { ...wish, session }, (changed) =>
      this.#updated(uri, changed),
    );
    if (stop === undefined) return false;
    // Meanwhile it was given up, or granted another time.
    if (this.#isOver || !this.#resources.has(uri) || this.#resources.get(uri) !== undefined) {
      stop();
      return this.#resources.get(uri) !== undefined;
    }
    this.#resources.set(uri, { server: owner.server.id, stop });
    return true;
  }

  /** The server of a resource as this caller sees it now, or undefined when they may not have it. */
  #ownerOf(uri: string, { catalog, authorizer }: Moment): ResourceEntry | undefined {
    const target = catalog.find(this.endpoint, { kind: 'subscribe', uri });
    const owner = target?.entries.find((entry) => authorizer.admit(this.caller, entry).admitted);
    return owner?.kind === 'resource' ? owner : undefined;
  }

  /** Judged anew for each delivery: a right that was lost a moment ago counts. */
  #updated(subscribed: string, changed: string): void {
    if (this.#isOver) return;
    const watched = this.#resources.get(subscribed);
    const owner = this.#ownerOf(changed, this.#parts.now());
    if (owner === undefined || owner.server.id !== watched?.server) return;
    // Below a resource there may be any number of others: beyond a few, the one that was subscribed to stands for them.
    const uri = this.#pending.size > this.#resources.size + MAX_BELOW ? subscribed : changed;
    this.#tell(` ${uri}`, { kind: 'resource-updated', uri });
  }

  #tell(key: string, change: Change): void {
    if (this.#isOver || this.#pending.has(key)) return;
    this.#pending.set(key, change);
    this.#listener?.ready();
  }
}

/** For the server of a resource to agree, its start included: the client waits for the acknowledgement meanwhile. */
const PATIENCE_MS = 15_000;
const MAX_BELOW = 32;

/** As the server declared it. */
export function tellsOfResources(server: ServerId, catalog: Catalog): boolean {
  const { resources } = catalog.discovery({ kind: 'server', server }).capabilities;
  return isJsonObject(resources) && resources['subscribe'] === true;
}
