/**
 * Grants that are in use, opened: few, and for a short time. What is older than `maxAgeMs` is looked up again before it is used,
 * so that a revocation elsewhere counts; what nobody used for `idleMs` is forgotten, tokens and all.
 */

import type { GrantFilter, GrantKey, GrantVault, KeptGrant } from './grant.ts';

export type HeldGrantsOptions = {
  readonly vault: Pick<GrantVault, 'read'>;
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
  /** Default 2,000: with the time that a look takes, a revocation is felt within 5 s. */
  readonly maxAgeMs?: number;
  /** Default 30,000. */
  readonly idleMs?: number;
  /** Default 2,000; what was not used longest is looked up again. */
  readonly maxHeld?: number;
};

type Held = { readonly kept: KeptGrant; readonly readMs: number; usedMs: number };

export const nameOfGrant = ({ tenant, principal, server }: GrantKey): string =>
  JSON.stringify([tenant, principal, server]);

export class HeldGrants {
  readonly #options: Required<HeldGrantsOptions>;
  /** In the order of their last use. */
  readonly #held = new Map<string, Held>();
  readonly #reading = new Map<string, Promise<KeptGrant | undefined>>();

  constructor(options: HeldGrantsOptions) {
    this.#options = { maxAgeMs: 2_000, idleMs: 30_000, maxHeld: 2_000, ...options };
  }

  get size(): number {
    return this.#held.size;
  }

  /** At once while it is fresh; undefined when it has to be looked up. */
  fresh(key: GrantKey): KeptGrant | undefined {
    const name = nameOfGrant(key);
    const held = this.#held.get(name);
    const nowMs = this.#options.clockMs();
    if (held === undefined || nowMs - held.readMs >= this.#options.maxAgeMs) return undefined;
    held.usedMs = nowMs;
    return held.kept;
  }

  /** From the vault; whoever asks meanwhile shares the look. @throws what the vault throws */
  read(key: GrantKey): Promise<KeptGrant | undefined> {
    const name = nameOfGrant(key);
    const underWay = this.#reading.get(name);
    if (underWay !== undefined) return underWay;
    const reading = this.#read(name, key).finally(() => {
      if (this.#reading.get(name) === reading) this.#reading.delete(name);
    });
    this.#reading.set(name, reading);
    return reading;
  }

  async #read(name: string, key: GrantKey): Promise<KeptGrant | undefined> {
    const before = this.#held.get(name);
    const startedMs = this.#options.clockMs();
    const kept = await this.#options.vault.read(key, before?.kept);
    // Renewed or forgotten meanwhile: what was read is older than what is known.
    if (this.#held.get(name) !== before) return this.#held.get(name)?.kept ?? kept;
    if (kept === undefined) this.#held.delete(name);
    else this.#put(name, kept, startedMs);
    return kept;
  }

  /** What was just written, or read by somebody else. */
  hold(kept: KeptGrant): void {
    this.#put(nameOfGrant(kept.key), kept, this.#options.clockMs());
  }

  #put(name: string, kept: KeptGrant, readMs: number): void {
    this.#held.delete(name);
    this.#held.set(name, { kept, readMs, usedMs: this.#options.clockMs() });
    const [oldest] = this.#held.keys();
    if (this.#held.size > this.#options.maxHeld && oldest !== undefined) this.#held.delete(oldest);
  }

  forget({ tenant, principal, server }: GrantFilter): void {
    const isMeant = (key: GrantKey): boolean =>
      (tenant === undefined || tenant === key.tenant) &&
      (principal === undefined || principal === key.principal) &&
      (server === undefined || server === key.server);
    for (const [name, { kept }] of this.#held) if (isMeant(kept.key)) this.#held.delete(name);
    // A look that began before must not bring it back for whoever asks from now on.
    this.#reading.clear();
  }

  /** Forgets what nobody uses. */
  sweep(): void {
    const before = this.#options.clockMs() - this.#options.idleMs;
    for (const [name, { usedMs }] of this.#held) if (usedMs <= before) this.#held.delete(name);
  }
}
