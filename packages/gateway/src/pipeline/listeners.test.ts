import { setImmediate as nextTurn } from 'node:timers/promises';

import { beforeEach, describe, expect, it } from 'vitest';

import { catalogOf, item, registered, toolItem } from '../catalog/catalog-fixture.ts';
import type { Authorizer } from '../authz/authorizer.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { refuse } from '../model/failure.ts';
import type { SubscriptionFilter } from '../model/operation.ts';
import { somebody } from '../model/principal.fixture.ts';
import type { Principal } from '../model/principal.ts';
import type { ResolvedRequest } from '../model/request.ts';
import type { Endpoint } from '../model/target.ts';
import { createListeners } from './listeners.ts';
import type { Listening, Verify } from './listening.ts';

const NOTES: Endpoint = { kind: 'server', server: 'notes' };
const TOLD = { tools: { listChanged: true }, resources: { subscribe: true } };
const ALL: SubscriptionFilter = {
  toolsListChanged: true,
  promptsListChanged: true,
  resourceSubscriptions: ['note://one'],
};

const notes = (tools: readonly string[], capabilities = TOLD): Catalog =>
  catalogOf(
    registered('notes', {
      tools: tools.map((name) => toolItem(name)),
      resources: ['note://one', 'note://one/below'].map((uri) => item({ name: uri, uri })),
      capabilities,
    }),
  );

/** Everything but what `hidden` names, which is entries' names for one caller. */
class World {
  catalog = notes(['look']);
  hidden = new Set<string>();
  policyVersion = 1;
  /** URI to those who hear of it. */
  readonly feeds = new Map<string, Set<(uri: string) => void>>();
  readonly lists = new Set<string>();
  readonly #tasks = new Map<() => void, number>();
  readonly listeners = createListeners({
    now: () => ({ catalog: this.catalog, authorizer: this.#authorizer() }),
    feeds: {
      lists: ({ id }) => {
        this.lists.add(id);
        return () => void this.lists.delete(id);
      },
      resource: ({ uri }, hear) => {
        const hearers = this.feeds.get(uri) ?? new Set();
        this.feeds.set(uri, hearers.add(hear));
        return Promise.resolve(() => void hearers.delete(hear));
      },
    },
    after: (delayMs, task) => {
      this.#tasks.set(task, delayMs);
      return () => void this.#tasks.delete(task);
    },
    yieldNow: () => nextTurn(),
    digest: (text) => text,
    maxResources: 2,
    maxWatched: 3,
  });

  #authorizer(): Authorizer {
    const admitted = (who: Principal, name: string): boolean => !this.hidden.has(`${who.name} ${name}`);
    return {
      version: String(this.policyVersion),
      admit: ({ principal }, entry) => ({
        admitted: entry.kind !== 'server' && admitted(principal, entry.name),
        grounds: { policies: [], policyVersion: '', errors: [] },
      }),
      admitAll: ({ principal }, entries) => entries.map(({ name }) => admitted(principal, name)),
      authorize: () => {
        throw new Error('Nothing is called.');
      },
    };
  }

  listen(
    name: string,
    filter = ALL,
    { endpoint = NOTES, verify = () => somebody(name) }: Listen = {},
  ): Promise<Listening> {
    const client = { era: 'modern', revision: '2026-07-28', capabilities: {}, address: '' } as const;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a listener reads of a request
    const request = { principal: somebody(name), client, endpoint } as unknown as ResolvedRequest;
    return this.listeners.open(request, filter, verify);
  }

  hear(subscribed: string, uri = subscribed): void {
    for (const hear of this.feeds.get(subscribed) ?? []) hear(uri);
  }

  hide(...what: readonly string[]): void {
    this.hidden = new Set(what);
    this.policyVersion += 1;
    this.listeners.changed();
  }

  /** Runs what was to be done within so many milliseconds, and lets it end. */
  async pass(ms: number): Promise<void> {
    for (const [task, delayMs] of this.#tasks) {
      if (delayMs > ms) continue;
      this.#tasks.delete(task);
      task();
    }
    for (let turn = 0; turn < 20; turn++) await nextTurn();
  }
}

type Listen = { readonly endpoint?: Endpoint; readonly verify?: Verify };

const CHECKED_MS = 100;
const VERIFIED_MS = 60_000;

const taken = (listening: Listening): readonly string[] => {
  const all: string[] = [];
  for (let change = listening.take(); change !== undefined; change = listening.take()) {
    all.push(change.kind === 'list-changed' ? change.of : change.uri);
  }
  return all;
};

function follow(listening: Listening): { ended: boolean } {
  const state = { ended: false };
  listening.start({ ready: () => undefined, ended: () => (state.ended = true) });
  return state;
}

let world: World;
beforeEach(() => {
  world = new World();
});

describe('what is honoured', () => {
  it('is what the endpoint has and its server tells of, for this caller', async () => {
    const alice = await world.listen('alice');
    expect(alice.honoured).toEqual({ toolsListChanged: true, resourceSubscriptions: ['note://one'] });
    world.hide('bob note://one');
    expect((await world.listen('bob')).honoured).toEqual({ toolsListChanged: true });
    world.catalog = notes(['look'], { tools: { listChanged: true }, resources: { subscribe: false } });
    expect((await world.listen('alice')).honoured).toEqual({ toolsListChanged: true });
  });

  it('is refused beyond the resources of one subscription, and left out beyond those of all', async () => {
    const three = { resourceSubscriptions: ['a:1', 'a:2', 'a:3'] };
    await expect(world.listen('alice', three)).rejects.toThrow('at most 2 resources');
    const two = { resourceSubscriptions: ['note://one', 'note://one/below'] };
    const first = await world.listen('alice', two);
    expect((await world.listen('bob', two)).honoured).toEqual({ resourceSubscriptions: ['note://one'] });
    first.close();
    expect((await world.listen('carol', two)).honoured).toEqual(two);
  });
});

describe('a change of a list', () => {
  it('is told to those who see it, once', async () => {
    const [alice, bob] = [await world.listen('alice'), await world.listen('bob')];
    world.hidden.add('bob hidden');
    world.catalog = notes(['look', 'hidden']);
    world.listeners.changed();
    world.listeners.changed();
    await world.pass(CHECKED_MS);
    expect([taken(alice), taken(bob)]).toEqual([['tools'], []]);
  });

  it('by policy is told as well', async () => {
    const [alice, bob] = [await world.listen('alice'), await world.listen('bob')];
    world.hide('bob look');
    await world.pass(CHECKED_MS);
    expect([taken(alice), taken(bob)]).toEqual([[], ['tools']]);
  });

  it('is asked of a server only while somebody listens to it', async () => {
    const first = await world.listen('alice');
    const second = await world.listen('bob', {}, { endpoint: { kind: 'aggregate' } });
    expect([...world.lists]).toEqual(['notes']);
    first.close();
    expect([...world.lists]).toEqual(['notes']);
    second.close();
    expect([...world.lists]).toEqual([]);
  });
});

describe('a change of a resource', () => {
  it('waits once for a client that does not read', async () => {
    const alice = await world.listen('alice');
    for (let times = 0; times < 1000; times++) world.hear('note://one');
    expect(taken(alice)).toEqual(['note://one']);
  });

  it('below the one that was subscribed to is told under its own name, a thousand of them under one', async () => {
    const alice = await world.listen('alice');
    world.hear('note://one', 'note://one/below');
    expect(taken(alice)).toEqual(['note://one/below']);
    for (let other = 0; other < 1000; other++) world.hear('note://one', `note://one/${other}`);
    expect(taken(alice).length).toBeLessThan(50);
  });

  it('is judged when it is told, not when the policies were looked through', async () => {
    const alice = await world.listen('alice');
    world.hidden.add('alice note://one');
    world.hear('note://one');
    world.hidden.clear();
    world.hidden.add('alice note://one/below');
    world.hear('note://one', 'note://one/below');
    expect(taken(alice)).toEqual([]);
  });

  it('is not heard of any more by whoever lost it, and told once to whoever has it back', async () => {
    const alice = await world.listen('alice');
    world.hide('alice note://one');
    await world.pass(CHECKED_MS);
    expect(world.feeds.get('note://one')?.size).toBe(0);
    world.hide();
    await world.pass(CHECKED_MS);
    expect(taken(alice)).toEqual(['note://one']);
    expect(world.feeds.get('note://one')?.size).toBe(1);
  });
});

describe('a subscription ends', () => {
  it('when nothing of the endpoint can be seen any more', async () => {
    const bob = follow(await world.listen('bob'));
    world.hide('bob look', 'bob note://one', 'bob note://one/below');
    await world.pass(CHECKED_MS);
    expect(bob.ended).toBe(true);
    expect(world.listeners.counts()).toEqual({ legacy: 0, modern: 0 });
  });

  it('when its credential was revoked, and not when that cannot be looked up', async () => {
    let code: 'identity-unavailable' | 'invalid-credential' = 'identity-unavailable';
    const verify = (): never => {
      throw refuse(code);
    };
    const bob = follow(await world.listen('bob', ALL, { verify }));
    await world.pass(VERIFIED_MS);
    expect(bob.ended).toBe(false);
    code = 'invalid-credential';
    await world.pass(VERIFIED_MS);
    expect(bob.ended).toBe(true);
  });

  it('when the client leaves, and gives back all that it held', async () => {
    const alice = await world.listen('alice');
    alice.close();
    alice.close();
    world.hear('note://one');
    expect(taken(alice)).toEqual([]);
    expect(world.feeds.get('note://one')?.size).toBe(0);
  });
});
