/**
 * Facts that are read when somebody collects the metrics: how long credentials are still good, and whether what the gateway
 * depends on answers. What is gone has no series any more, so that nobody is woken for a key that was revoked.
 */

import type { Meter } from '@opentelemetry/api';

export type CredentialFact = {
  /** Names it for a person; never made from its value. */
  readonly credential: string;
  readonly kind: string;
  readonly expiresAtMs: number;
};

export type DependencyFact = { readonly dependency: string; readonly kind: string; readonly up: boolean };

export type ObservedFacts = {
  readonly credentials: () => readonly CredentialFact[];
  readonly dependencies: () => readonly DependencyFact[];
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

/** Whoever passes the facts bounds how many there are. */
export function observeFacts(meter: Meter, { credentials, dependencies, now }: ObservedFacts): void {
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
}
