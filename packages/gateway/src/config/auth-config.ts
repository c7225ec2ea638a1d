/** As whom servers are called, as the program sees it. `Value` is where a secret is found. */

/** As whom an HTTP server is called: each person, or the gateway itself. */
export type AuthConfig<Value> = { readonly type: 'oauth' | 'client-credentials' } & OAuthClientConfig<Value>;

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
