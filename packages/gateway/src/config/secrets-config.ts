/** Values that may be secrets, and the stores that references lead to, as the program sees them. */

/** A header or variable: the text itself, or where the credential broker finds it at run time. */
export type ValueConfig =
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'env'; readonly name: string; readonly prefix: string }
  | { readonly kind: 'file'; readonly path: string; readonly prefix: string }
  | { readonly kind: StoreKind; readonly reference: string; readonly prefix: string };

/** Stores of secrets outside of the machine's own environment and files. */
export type StoreKind = 'exec' | 'vault' | 'aws-sm';

export type ReferenceConfig = Exclude<ValueConfig, { kind: 'literal' }>;

/** How stores of secrets are reached; one that is not there cannot be referred to. */
export type SecretsConfig = {
  /** By the name that references begin with: `exec:<name>/…`. */
  readonly exec: Readonly<Record<string, ExecStoreConfig>>;
  readonly vault?: VaultStoreConfig;
  readonly 'aws-sm'?: AwsStoreConfig;
};

/** How long a value is used before it is looked at again, and how long it serves while the store is away. */
type CacheConfig = { readonly cacheMs: number; readonly keepMs: number; readonly timeoutMs: number };

export type ExecStoreConfig = CacheConfig & {
  /** `{}` in it is what stands behind the name. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, ValueConfig>>;
  readonly maxOutputBytes: number;
};

export type VaultStoreConfig = CacheConfig & {
  readonly address: string;
  readonly namespace?: string;
  /** PEM. */
  readonly caFile?: string;
  readonly auth: VaultAuthConfig;
};

/** The secrets in it are references to the environment, a file or a command. */
export type VaultAuthConfig =
  | { readonly method: 'token'; readonly token: ReferenceConfig }
  | {
      readonly method: 'approle';
      readonly mount: string;
      readonly roleId: ValueConfig;
      readonly secretId?: ReferenceConfig;
    }
  | {
      readonly method: 'kubernetes' | 'jwt';
      readonly mount: string;
      readonly role: string;
      readonly jwt: ReferenceConfig;
    };

export type AwsStoreConfig = CacheConfig & {
  readonly region: string;
  /** Default: that of the region. */
  readonly endpoint?: string;
  readonly accessKeyId: ReferenceConfig;
  readonly secretAccessKey: ReferenceConfig;
  readonly sessionToken?: ReferenceConfig;
};
