/**
 * Facts that are read when somebody collects the metrics: how long credentials are still good, whether what the gateway
 * depends on answers, since when servers are in their state, and the bounds that alerts measure against. What is gone has no
 * series any more, so that nobody is woken for a key that was revoked.
 */

import type { Meter, ObservableResult } from '@opentelemetry/api';

import { METRICS, type MetricDefinition } from './metric-names.ts';

export type CredentialFact = {
  /** Names it for a person; never made from its value. */
  readonly credential: string;
  readonly kind: string;
  readonly expiresAtMs: number;
};

/** Of all people's tokens for one server how many there are, and which ends first: people are never told apart here. */
export type GrantFact = {
  readonly server: string;
  readonly status: 'good' | 'needs-login';
  readonly count: number;
  readonly expiresAtMs?: number;
};

export type DependencyFact = { readonly dependency: string; readonly kind: string; readonly up: boolean };

/** How much there may be at once. */
export type Capacity = { readonly requests: number; readonly streams: number };

export type ServerFact = {
  readonly server: string;
  /** Calls that it may have at a time. */
  readonly capacity: number | undefined;
  /** Since when it is in its present state. */
  readonly sinceMs: number;
};

export type ObservedFacts = {
  readonly credentials: () => readonly CredentialFact[];
  readonly grants: () => readonly GrantFact[];
  readonly dependencies: () => readonly DependencyFact[];
  readonly servers: () => readonly ServerFact[];
  readonly capacity: Capacity;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

/** Whoever passes the facts bounds how many there are. */
export function observeFacts(meter: Meter, facts: ObservedFacts): void {
  const gauge = (of: MetricDefinition, read: (result: ObservableResult) => void): void => {
    const options = { description: of.meaning, ...(of.unit === undefined ? {} : { unit: of.unit }) };
    meter.createObservableGauge(of.name, options).addCallback(read);
  };
  gauge(METRICS.credentialExpiry, (result) => {
    for (const { credential, kind, expiresAtMs } of facts.credentials()) {
      result.observe(Math.round((expiresAtMs - facts.now()) / 1000), { credential, kind });
    }
  });
  gauge(METRICS.grantExpiry, (result) => {
    for (const { server, status, expiresAtMs } of facts.grants()) {
      if (expiresAtMs === undefined) continue;
      result.observe(Math.round((expiresAtMs - facts.now()) / 1000), { server, status });
    }
  });
  gauge(METRICS.grants, (result) => {
    for (const { server, status, count } of facts.grants()) result.observe(count, { server, status });
  });
  gauge(METRICS.dependencyUp, (result) => {
    for (const { dependency, kind, up } of facts.dependencies()) result.observe(up ? 1 : 0, { dependency, kind });
  });
  gauge(METRICS.capacity, (result) => {
    for (const [resource, most] of Object.entries(facts.capacity)) result.observe(most, { resource });
  });
  gauge(METRICS.upstreamCapacity, (result) => {
    for (const { server, capacity } of facts.servers())
      if (capacity !== undefined) result.observe(capacity, { server });
  });
  gauge(METRICS.upstreamStateSince, (result) => {
    for (const { server, sinceMs } of facts.servers()) result.observe(Math.round(sinceMs / 1000), { server });
  });
}
