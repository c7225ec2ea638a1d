/**
 * What the gateway depends on beside its servers, and whether it answers: for metrics, status and alerts. Some say of
 * themselves when something changes (`report`), others are asked (`watch`).
 */

import type { ReportedDependency } from '../catalog/status-report.ts';

export type DependencyKind = 'database' | 'issuer' | 'file' | 'sink' | 'telemetry' | 'server' | 'secret-store';

export type DependencyState = { readonly up: boolean; readonly reason?: string };

/** Far above what a configuration names; a fault of ours must not grow without end. */
const MAX_DEPENDENCIES = 500;

export class Dependencies {
  readonly #now: () => number;
  readonly #known = new Map<string, ReportedDependency>();
  readonly #watched = new Map<
    string,
    { readonly kind: DependencyKind; readonly read: () => DependencyState | undefined }
  >();

  /** @param now Milliseconds since the epoch. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Its state from now on. `reason` says why it is not up, and holds no secret. */
  report(name: string, kind: DependencyKind, up: boolean, reason?: string): void {
    const before = this.#known.get(name);
    if (before === undefined && this.#known.size >= MAX_DEPENDENCIES) return;
    this.#known.set(name, {
      name,
      kind,
      up,
      sinceMs: before?.up === up ? before.sinceMs : this.#now(),
      ...(up || reason === undefined ? {} : { reason }),
    });
  }

  /** `read` is asked whenever somebody wants to know; it must not wait. Undefined: nobody can say yet. */
  watch(name: string, kind: DependencyKind, read: () => DependencyState | undefined): void {
    this.#watched.set(name, { kind, read });
  }

  /** In the order in which they were first known. */
  list(): readonly ReportedDependency[] {
    for (const [name, { kind, read }] of this.#watched) {
      const state = read();
      if (state !== undefined) this.report(name, kind, state.up, state.reason);
    }
    return [...this.#known.values()];
  }
}
