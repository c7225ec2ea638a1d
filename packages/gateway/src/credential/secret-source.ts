/** Where a value comes from, and how messages name it. The value itself is never part of a message. */

/** Text that is no secret (`LOG_LEVEL: info`), or a reference that is followed at run time. `prefix` stands before it. */
export type SecretSource =
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'env'; readonly name: string; readonly prefix: string }
  | { readonly kind: 'file'; readonly path: string; readonly prefix: string };

/** The reference as an operator writes it. */
export function nameOf(source: SecretSource): string {
  switch (source.kind) {
    case 'literal':
      return 'a literal value';
    case 'env':
      return `env:${source.name}`;
    case 'file':
      return `file:${source.path}`;
    default:
      return source satisfies never;
  }
}

/** A reference that leads nowhere. The message names it, says why, and what to do. */
export class UnresolvedReferenceError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UnresolvedReferenceError';
  }
}
