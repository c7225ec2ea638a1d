/** Where a value comes from, and how messages name it. The value itself is never part of a message. */

/** Stores that a configuration adds; the environment and files are always there. */
export type StoreKind = 'exec' | 'vault' | 'aws-sm';

export type ReferenceKind = StoreKind | 'env' | 'file';

/** Text that is no secret (`LOG_LEVEL: info`), or a reference that is followed at run time. `prefix` stands before it. */
export type SecretSource =
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'env'; readonly name: string; readonly prefix: string }
  | { readonly kind: 'file'; readonly path: string; readonly prefix: string }
  /** `reference` is what stands behind the colon: a place, and after `#` one of several values there. */
  | { readonly kind: StoreKind; readonly reference: string; readonly prefix: string };

export type SecretReference = Exclude<SecretSource, { kind: 'literal' }>;

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
      return `${source.kind}:${source.reference}`;
  }
}

export type SecretPlace = { readonly kind: ReferenceKind; readonly place: string; readonly field?: string };

/** What a store is asked for. References that differ only in their field share one lease. */
export function placeOf(source: SecretReference): SecretPlace {
  if (source.kind === 'env') return { kind: 'env', place: source.name };
  if (source.kind === 'file') return { kind: 'file', place: source.path };
  const { kind, reference } = source;
  const hash = reference.lastIndexOf('#');
  return hash === -1
    ? { kind, place: reference }
    : { kind, place: reference.slice(0, hash), field: reference.slice(hash + 1) };
}
