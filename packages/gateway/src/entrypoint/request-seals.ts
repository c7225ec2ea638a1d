/** The sealed values of one request: list cursors, bound to the caller and to the endpoint that made them. */

import type { Cursor } from '../model/operation.ts';
import type { PrincipalKey } from '../model/principal.ts';
import type { Seals } from '../protocol/codec.ts';
import type { Sealer } from '../seal/sealer.ts';

export type SealsOptions = { readonly sealer: Sealer; readonly path: string; readonly cursorLifetimeMs: number };

/** Serves as `Seals` and as its `cursor`, so that a request needs one object. `principal` is set once it is known. */
export class RequestSeals implements Seals {
  principal: PrincipalKey | undefined;
  readonly #options: SealsOptions;

  constructor(options: SealsOptions) {
    this.#options = options;
  }

  get cursor(): this {
    return this;
  }

  seal({ offset, generation }: Cursor): string {
    if (this.principal === undefined) throw new Error('A cursor can be sealed only for a known principal.');
    const { sealer, path, cursorLifetimeMs } = this.#options;
    return sealer.seal('cursor', { o: offset, g: generation, k: this.principal, p: path }, cursorLifetimeMs);
  }

  open(text: string): { readonly cursor: Cursor; readonly sealedFor: PrincipalKey } | undefined {
    const opened = this.#options.sealer.open('cursor', text);
    if (!opened.ok) return undefined;
    const { o, g, k, p } = opened.value;
    if (typeof o !== 'number' || typeof g !== 'string' || typeof k !== 'string') return undefined;
    return p === this.#options.path ? { cursor: { offset: o, generation: g }, sealedFor: k } : undefined;
  }
}
