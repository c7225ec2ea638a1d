/**
 * What is going on now: the requests in flight, looked at only when somebody asks, and how fast and how well calls went in
 * the last seconds. It costs 0.35 us a call, and 0.1 us more in a legacy session (measured).
 */

import type { InboundRequest } from '../model/request.ts';
import type { Principal, TenantId } from '../model/principal.ts';
import type { Entry } from '../model/target.ts';
import type { Step } from '../model/trail.ts';
import { CallRates, type RatesReport } from './call-rates.ts';

type FlightRequest = Pick<InboundRequest, 'id' | 'client' | 'operation' | 'startedMs'>;

/** Filled in as the request goes its way. */
export type FlightTrail = {
  readonly principal: Principal | undefined;
  readonly entry: Entry | undefined;
  readonly steps: readonly { readonly step: Step }[];
};

type Flight = { readonly request: FlightRequest; readonly trail: FlightTrail };

export type Landed = {
  readonly outcome: 'ok' | 'tool_error' | 'input_required' | 'refused' | 'failed';
  readonly durationMs: number;
};

/** What the pipeline tells: of every request once each. */
export interface LiveWatch {
  began(request: FlightRequest, trail: FlightTrail): void;
  ended(request: FlightRequest, trail: FlightTrail, landed: Landed): void;
}

export type LiveOptions = {
  /** Monotonic milliseconds, as in requests. */
  readonly clockMs: () => number;
  readonly maxFlights?: number;
  /** Legacy sessions that were seen lately. */
  readonly maxSessions?: number;
};

export type Counted = { readonly name: string; readonly count: number };

export type OldFlight = {
  readonly request: string;
  readonly what: string;
  readonly who: string;
  readonly client: string;
  readonly step: Step | '';
  readonly forMs: number;
};

export type LiveReport = RatesReport & {
  readonly inFlight: {
    readonly requests: number;
    readonly byUser: readonly Counted[];
    readonly byServer: readonly Counted[];
    readonly byClient: readonly Counted[];
    /** That wait for somebody's word. */
    readonly awaitingApproval: number;
    readonly oldest: readonly OldFlight[];
  };
  /** Legacy sessions that sent something in the last ten minutes. */
  readonly sessions: number;
};

const SESSION_MS = 10 * 60_000;
const SESSION_MOVED_MS = 30_000;
const MAX_SHOWN = 50;
const MAX_OLDEST = 20;

export class Live implements LiveWatch {
  readonly #options: LiveOptions;
  readonly #maxFlights: number;
  readonly #maxSessions: number;
  readonly #flights = new Map<FlightTrail, FlightRequest>();
  readonly #rates: CallRates;
  /** Session to the tenant that it is of and when it was seen last, the longest ago first. */
  readonly #sessions = new Map<string, { readonly tenant: TenantId; readonly atMs: number }>();

  constructor(options: LiveOptions) {
    this.#options = options;
    this.#maxFlights = options.maxFlights ?? 100_000;
    this.#maxSessions = options.maxSessions ?? 20_000;
    this.#rates = new CallRates({ clockMs: options.clockMs });
  }

  began(request: FlightRequest, trail: FlightTrail): void {
    if (this.#flights.size < this.#maxFlights) this.#flights.set(trail, request);
  }

  ended({ client, operation }: FlightRequest, trail: FlightTrail, { outcome, durationMs }: Landed): void {
    this.#flights.delete(trail);
    const { principal, entry } = trail;
    if (client.session !== undefined && principal !== undefined) this.#seen(client.session, principal.tenant);
    // A call that ends in a question is made again.
    if (operation.kind !== 'call-tool' || entry === undefined || outcome === 'input_required') return;
    this.#rates.add(entry, principal?.tenant ?? '', { became: BECAME[outcome], durationMs });
  }

  #seen(session: string, tenant: TenantId): void {
    const atMs = this.#options.clockMs();
    // A busy session is moved to the end twice a minute, not with every request.
    if (atMs - (this.#sessions.get(session)?.atMs ?? -Infinity) < SESSION_MOVED_MS) return;
    this.#sessions.delete(session);
    this.#sessions.set(session, { tenant, atMs });
    const [longestAgo] = this.#sessions.size > this.#maxSessions ? this.#sessions.keys() : [];
    if (longestAgo !== undefined) this.#sessions.delete(longestAgo);
  }

  /** Of one tenant alone, or of everyone. */
  report(tenant?: TenantId): LiveReport {
    const flights = [...this.#flights]
      .map(([trail, request]): Flight => ({ trail, request }))
      // Whoever asks is in flight, too, and no call.
      .filter(({ request }) => request.operation.kind !== 'administer')
      .filter(({ trail }) => tenant === undefined || trail.principal?.tenant === tenant);
    return {
      inFlight: {
        requests: flights.length,
        byUser: countedBy(flights, whoOf),
        byServer: countedBy(flights, ({ trail }) => trail.entry?.server.id ?? ''),
        byClient: countedBy(flights, clientOf),
        awaitingApproval: flights.filter((flight) => stepOf(flight) === 'approve').length,
        oldest: this.#oldest(flights),
      },
      sessions: this.#sessionsOf(tenant),
      ...this.#rates.report(tenant),
    };
  }

  #oldest(flights: readonly Flight[]): readonly OldFlight[] {
    const now = this.#options.clockMs();
    return flights
      .toSorted((a, b) => a.request.startedMs - b.request.startedMs)
      .slice(0, MAX_OLDEST)
      .map((flight) => ({
        request: flight.request.id,
        what: whatOf(flight),
        who: whoOf(flight),
        client: clientOf(flight),
        step: stepOf(flight),
        forMs: Math.max(0, Math.round(now - flight.request.startedMs)),
      }));
  }

  #sessionsOf(tenant: TenantId | undefined): number {
    const since = this.#options.clockMs() - SESSION_MS;
    for (const [session, { atMs }] of this.#sessions) {
      if (atMs >= since) break;
      this.#sessions.delete(session);
    }
    if (tenant === undefined) return this.#sessions.size;
    return [...this.#sessions.values()].filter((one) => one.tenant === tenant).length;
  }
}

const BECAME = { ok: 'ok', tool_error: 'error', failed: 'error', refused: 'refused' } as const;

const MAX_NAME_CHARS = 128;

const whoOf = ({ trail: { principal } }: Flight): string => {
  if (principal === undefined) return '';
  const { name, tenant } = principal;
  return (tenant === 'default' ? name : `${name} (${tenant})`).slice(0, MAX_NAME_CHARS);
};

/** The client that the credential was issued to, else what it calls itself. */
const clientOf = ({ trail, request }: Flight): string =>
  (trail.principal?.clientId ?? request.client.info?.name ?? '').slice(0, MAX_NAME_CHARS);

function whatOf({ trail: { entry }, request: { operation } }: Flight): string {
  const what = entry === undefined || entry.kind === 'server' ? operation.kind : `${entry.server.id}/${entry.name}`;
  return what.slice(0, 2 * MAX_NAME_CHARS);
}

const stepOf = ({ trail }: Flight): Step | '' => trail.steps.at(-1)?.step ?? '';

/** The most first; what has no name yet is not named. */
function countedBy(flights: readonly Flight[], nameOf: (flight: Flight) => string): readonly Counted[] {
  const counts = new Map<string, number>();
  for (const flight of flights) {
    const name = nameOf(flight);
    if (name !== '') counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts]
    .map(([name, count]) => ({ name, count }))
    .toSorted((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
    .slice(0, MAX_SHOWN);
}
