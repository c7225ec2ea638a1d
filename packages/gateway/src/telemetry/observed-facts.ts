/**
 * Facts that are read when somebody collects the metrics: how long credentials are still good, whether what the gateway
 * depends on answers, since when servers are in their state, and the bounds that alerts measure against. What is gone has no
 * series any more, so that nobody is woken for a key that was revoked.
 */

import type { Meter } from '@opentelemetry/api';

export type CredentialFact = {
  /** Names it for a person; never made from its value. */
  readonly credential: string;
  readonly kind: string;
  readonly expiresAtMs: number;
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
  readonly dependencies: () => readonly DependencyFact[];
  readonly servers: () => readonly ServerFact[];
  readonly capacity: Capacity;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

/** Whoever passes the facts bounds how many there are. */
export function observeFacts(meter: Meter, facts: ObservedFacts): void {
  const { credentials, dependencies, now } = facts;
  meter
    .createObservableGauge('sallyport.credential.expiry', {
      description: 'Until a credential, certificate or key ends; below zero when it has ended.',
      unit: 's',
    })
    .addCallback((result) => {
      for (const { credential, kind, expiresAtMs } of credentials()) {
        result.observe(Math.round((expiresAtMs - now()) / 1000), { credential, kind });
      }
    });
  meter
    .createObservableGauge('sallyport.dependency.up', {
      description: 'Does what the gateway depends on answer? 1 yes, 0 no.',
    })
    .addCallback((result) => {
      for (const { dependency, kind, up } of dependencies()) result.observe(up ? 1 : 0, { dependency, kind });
    });
  observeBounds(meter, facts);
}

function observeBounds(meter: Meter, { capacity, servers }: ObservedFacts): void {
  meter
    .createObservableGauge('sallyport.capacity', { description: 'How much there may be at once, by what it is of.' })
    .addCallback((result) => {
      for (const [resource, most] of Object.entries(capacity)) result.observe(most, { resource });
    });
  meter
    .createObservableGauge('sallyport.upstream.capacity', { description: 'Calls that a server may have at a time.' })
    .addCallback((result) => {
      for (const { server, capacity: most } of servers()) if (most !== undefined) result.observe(most, { server });
    });
  meter
    .createObservableGauge('sallyport.upstream.state_since', {
      description: 'When a server came into its present state, since the epoch.',
      unit: 's',
    })
    .addCallback((result) => {
      for (const { server, sinceMs } of servers()) result.observe(Math.round(sinceMs / 1000), { server });
    });
}
