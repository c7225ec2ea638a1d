/** As whom servers are called, as the program sees it. `Value` is where a secret is found. */

/** As whom a server is called: each person, or the gateway itself. */
export type AuthConfig<Value> = OAuthConfig<Value> | PersonSecretsConfig<Value>;

/** With a token that an authorization server gives out. */
export type OAuthConfig<Value> = OAuthClientConfig<Value> &
  (
    | { readonly type: 'oauth' | 'client-credentials' }
    /** `audience`: how the issuer calls the server, where it does not go by the resource. */
    | { readonly type: 'token-exchange'; readonly audience?: string }
  );

/** With a secret that the operator keeps for each person. */
export type PersonSecretsConfig<Value> = {
  readonly type: 'principal';
  /** References with a person's name in them, as they are written. */
  readonly headers: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  /** People of this issuer alone; `api-key` for keys. Undefined: everyone. */
  readonly issuer?: string;
  /** What the gateway itself reads the lists with. */
  readonly lists: { readonly headers: Readonly<Record<string, Value>>; readonly env: Readonly<Record<string, Value>> };
};

/** How the gateway is known to a server's authorization server. */
export type OAuthClientConfig<Value> = {
  /** Identical to what its metadata says. Undefined: the one that the server names. */
  readonly issuer?: string;
  readonly clientId?: string;
  readonly clientSecret?: Value;
  readonly privateKey?: { readonly pem: Value; readonly keyId: string | undefined };
  /** Empty: those that the server wants. */
  readonly scopes: readonly string[];
  readonly resource?: string;
  /** May be private, or without https; that of `issuer` among them. */
  readonly trustedOrigins: readonly string[];
};
