/**
 * Everyone who listens. When the catalog or the policies change, each listener's lists are looked at again with that caller's
 * eyes, one caller after the other, and only who sees something else than before is told. Who lost the endpoint altogether is
 * told nothing more: their subscription ends.
 */

import type { Catalog } from '../catalog/catalog.ts';
import { failure, Refusal, type FailureCode } from '../model/failure.ts';
import { isJsonObject } from '../model/json.ts';
import type { ListKind, SubscriptionFilter } from '../model/operation.ts';
import type { ResolvedRequest } from '../model/request.ts';
import { LISTED_KINDS, type Feeds, type ListedKind, type Stop } from '../model/subscription.ts';
import type { Endpoint, Entry, ServerId } from '../model/target.ts';
import { OneListening, type Listening, type Moment, type Verify } from './listening.ts';
import { visibleEntries } from './only-visible.ts';
import { seesServer } from './visibility.ts';

export type ListenersOptions = {
  readonly now: () => Moment;
  readonly feeds: Feeds;
  /** Runs `task` after a delay; must not keep the process alive. */
  readonly after: (delayMs: number, task: () => void) => Stop;
  readonly yieldNow: () => Promise<void>;
  /** Short, and different for different texts. */
  readonly digest: (text: string) => string;
  /** Resources of one subscription. */
  readonly maxResources: number;
  /** Resources of all subscriptions together. */
  readonly maxWatched: number;
};

export interface Listeners {
  /** @throws Refusal `invalid-params` for too many resources. */
  open(request: ResolvedRequest, filter: SubscriptionFilter, verify: Verify): Promise<Listening>;
  /** The catalog or the policies are others now. */
  changed(): void;
  /** By era. */
  counts(): Readonly<Record<'legacy' | 'modern', number>>;
  close(): void;
}

const FLAGS = {
  tools: 'toolsListChanged',
  prompts: 'promptsListChanged',
  resources: 'resourcesListChanged',
} as const satisfies Record<ListedKind, keyof SubscriptionFilter>;

/** What a client lists, and is told of under one name. */
const LISTS: Readonly<Record<ListedKind, readonly ListKind[]>> = {
  tools: ['tools'],
  prompts: ['prompts'],
  resources: ['resources', 'templates'],
};

/** Changes come in bursts: servers that start, files that are written one after the other. */
const CHECK_AFTER_MS = 50;

export function createListeners(options: ListenersOptions): Listeners {
  const { now, feeds, maxResources, maxWatched } = options;
  const open = new Set<OneListening>();
  const listFeeds = createListFeeds(options);
  let watched = 0;
  let cancelCheck: Stop | undefined;
  let cancelVerify: Stop | undefined;
  let checking = false;
  let again = false;

  const look = async (listening: OneListening, moment: Moment): Promise<void> => {
    const at = `${moment.catalog.version} ${moment.authorizer.version}`;
    if (listening.seenAt === at) return;
    if (!(await seesEndpoint(listening, moment))) return listening.end();
    listening.resettle(moment);
    for (const kind of listening.lists) {
      const saw = listening.seen.get(kind);
      const sees = options.digest(await visibleText(listening, kind, moment));
      if (listening.isOver) return;
      listening.seen.set(kind, sees);
      if (saw !== undefined && saw !== sees) listening.listChanged(kind);
    }
    listening.seenAt = at;
  };

  const check = async (): Promise<void> => {
    cancelCheck = undefined;
    if (checking) {
      again = true;
      return;
    }
    checking = true;
    do {
      again = false;
      const moment = now();
      listFeeds.settle(moment.catalog);
      for (const listening of open) {
        await look(listening, moment);
        await options.yieldNow();
      }
    } while (again);
    checking = false;
  };

  /** Nobody listens on a credential that was revoked, or in a group that they have left. */
  const verifyAll = async (): Promise<void> => {
    for (const listening of open) {
      if (await isStillTheirs(listening)) await look(listening, now());
      else listening.end();
      await options.yieldNow();
    }
    cancelVerify = open.size === 0 ? undefined : options.after(VERIFY_EVERY_MS, () => void verifyAll());
  };

  return {
    async open({ principal, client, endpoint }, filter, verify) {
      const uris = filter.resourceSubscriptions ?? [];
      if (uris.length > maxResources) throw new Refusal(failure('invalid-params', { message: tooMany(maxResources) }));
      const moment = now();
      const listening = new OneListening({
        endpoint,
        caller: { principal, client },
        verify,
        lists: listsOf(filter, moment.catalog, { endpoint, anyway: client.era === 'legacy' }),
        now,
        feeds,
        after: options.after,
        watch: () => watched < maxWatched && (watched += 1) > 0,
        unwatch: () => void (watched -= 1),
        closed(one) {
          open.delete(one);
          listFeeds.remove(endpoint);
        },
      });
      open.add(listening);
      cancelVerify ??= options.after(VERIFY_EVERY_MS, () => void verifyAll());
      listFeeds.add(endpoint, moment.catalog);
      await look(listening, moment);
      const granted = await Promise.all(uris.map((uri) => listening.subscribe(uri)));
      listening.honoured = honouredOf(
        listening.lists,
        uris.filter((_, index) => granted[index]),
      );
      return listening;
    },
    changed() {
      if (open.size > 0) cancelCheck ??= options.after(CHECK_AFTER_MS, () => void check());
    },
    counts() {
      const counts = { legacy: 0, modern: 0 };
      for (const { caller } of open) counts[caller.client.era] += 1;
      return counts;
    },
    close() {
      cancelCheck?.();
      cancelVerify?.();
      for (const listening of open) listening.end();
    },
  };
}

/** As seldom as a stream may outlive its credential. */
const VERIFY_EVERY_MS = 60_000;

/** These say nothing of the credential: it could not be looked at. */
const UNDECIDED: ReadonlySet<FailureCode> = new Set(['identity-unavailable', 'quota-exceeded', 'overloaded']);

async function isStillTheirs(listening: OneListening): Promise<boolean> {
  const { caller } = listening;
  try {
    const principal = await listening.verify();
    if (principal.key !== caller.principal.key) return false;
    if (principal !== caller.principal) {
      listening.caller = { ...caller, principal };
      listening.seenAt = '';
    }
    return true;
  } catch (error) {
    return error instanceof Refusal && UNDECIDED.has(error.failure.code);
  }
}

const tooMany = (max: number): string =>
  `One subscription may name at most ${max} resources. Open several, or ask the operator (subscriptions.maxResources).`;

type Where = { readonly endpoint: Endpoint; readonly anyway: boolean };

/** Lists that the endpoint has; a legacy client names none and hears of all. */
function listsOf(filter: SubscriptionFilter, catalog: Catalog, { endpoint, anyway }: Where): readonly ListedKind[] {
  const { capabilities } = catalog.discovery(endpoint);
  return LISTED_KINDS.filter((kind) => filter[FLAGS[kind]] === true && (anyway || capabilities[kind] !== undefined));
}

function honouredOf(lists: readonly ListedKind[], uris: readonly string[]): SubscriptionFilter {
  // `taskIds` has no place here: nothing is told of tasks.
  return {
    ...Object.fromEntries(lists.map((kind) => [FLAGS[kind], true])),
    ...(uris.length === 0 ? {} : { resourceSubscriptions: uris }),
  };
}

const seesEndpoint = ({ endpoint, caller }: OneListening, { catalog, authorizer }: Moment): Promise<boolean> | true =>
  endpoint.kind === 'aggregate' || seesServer(caller, endpoint.server, catalog, authorizer);

/** Everything that the caller would be shown of a list: a name and the digest of its definition for each entry. */
async function visibleText({ endpoint, caller }: OneListening, kind: ListedKind, moment: Moment): Promise<string> {
  const shown: Entry[] = [];
  for (const list of LISTS[kind]) {
    shown.push(...(await visibleEntries(caller, moment.catalog.list(endpoint, list), moment.authorizer)));
  }
  return shown.map(({ server, name, hash }) => `${server.id} ${name} ${hash}`).join('\n');
}

/** Which servers have to tell of their lists: those whose lists somebody sees. */
function createListFeeds({ feeds }: Pick<ListenersOptions, 'feeds'>) {
  const endpoints = new Map<string, { readonly endpoint: Endpoint; count: number }>();
  const stops = new Map<ServerId, Stop>();
  let last: Catalog | undefined;

  const settle = (catalog: Catalog): void => {
    last = catalog;
    const everyone = endpoints.has('');
    for (const { server } of catalog.servers) {
      const wanted = (everyone || endpoints.has(server.id)) && tellsOfLists(server.id, catalog);
      const stop = stops.get(server.id);
      if (wanted && stop === undefined) stops.set(server.id, feeds.lists(server));
      if (!wanted && stop !== undefined) {
        stops.delete(server.id);
        stop();
      }
    }
  };

  return {
    settle,
    add(endpoint: Endpoint, catalog: Catalog): void {
      const known = endpoints.get(keyOf(endpoint));
      if (known !== undefined) known.count += 1;
      else {
        endpoints.set(keyOf(endpoint), { endpoint, count: 1 });
        settle(catalog);
      }
    },
    remove(endpoint: Endpoint): void {
      const known = endpoints.get(keyOf(endpoint));
      if (known === undefined || (known.count -= 1) > 0) return;
      endpoints.delete(keyOf(endpoint));
      if (last !== undefined) settle(last);
    },
  };
}

const keyOf = (endpoint: Endpoint): string => (endpoint.kind === 'aggregate' ? '' : endpoint.server);

function tellsOfLists(server: ServerId, catalog: Catalog): boolean {
  const { capabilities } = catalog.discovery({ kind: 'server', server });
  return LISTED_KINDS.some((kind) => {
    const capability = capabilities[kind];
    return isJsonObject(capability) && capability['listChanged'] === true;
  });
}
