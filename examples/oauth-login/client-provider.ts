/**
 * What the official SDK asks of an application that logs in: where answers go, what the client is called, and a memory.
 * A real one keeps this in the system's key store; here it lives as long as the story.
 */

import type {
  OAuthClientInformationContext,
  OAuthClientMetadata,
  OAuthClientProvider,
  OAuthDiscoveryState,
} from '@modelcontextprotocol/client';

type Remembered<Key extends 'clientInformation' | 'tokens'> = Exclude<
  Awaited<ReturnType<OAuthClientProvider[Key]>>,
  undefined
>;

export type ClientOptions = {
  readonly name: string;
  /** Where the client awaits the answer of the provider. */
  readonly redirectUrl: string;
  /** Where a document about the client is, for providers that take its address for a name. */
  readonly documentUrl?: string;
};

export class StoryClient implements OAuthClientProvider {
  readonly redirectUrl: string;
  readonly clientMetadata: OAuthClientMetadata;
  /** Where a browser is to be sent; the SDK has found out by itself. */
  authorizationUrl: URL | undefined;
  readonly #documentUrl: string | undefined;
  #client: Remembered<'clientInformation'> | undefined;
  #tokens: Remembered<'tokens'> | undefined;
  #discovered: OAuthDiscoveryState | undefined;
  #verifier = '';
  #state = '';

  constructor({ name, redirectUrl, documentUrl }: ClientOptions) {
    this.redirectUrl = redirectUrl;
    this.#documentUrl = documentUrl;
    this.clientMetadata = {
      client_name: name,
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  state(): string {
    this.#state = crypto.randomUUID();
    return this.#state;
  }

  /**
   * The SDK makes this of an https `clientMetadataUrl` by itself. A document on this machine is plain http, so its address
   * is given here; it means the same client at every provider.
   */
  clientInformation(context?: OAuthClientInformationContext): Remembered<'clientInformation'> | undefined {
    if (this.#documentUrl === undefined) return this.#client;
    return { client_id: this.#documentUrl, ...(context === undefined ? {} : { issuer: context.issuer }) };
  }

  saveClientInformation(client: Remembered<'clientInformation'>): void {
    this.#client = client;
  }

  tokens(): Remembered<'tokens'> | undefined {
    return this.#tokens;
  }

  saveTokens(tokens: Remembered<'tokens'>): void {
    this.#tokens = tokens;
  }

  redirectToAuthorization(url: URL): void {
    this.authorizationUrl = url;
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier;
  }

  codeVerifier(): string {
    return this.#verifier;
  }

  /** Which provider was asked: the SDK takes an answer from no other. */
  saveDiscoveryState(state: OAuthDiscoveryState): void {
    this.#discovered = state;
  }

  discoveryState(): OAuthDiscoveryState | undefined {
    return this.#discovered;
  }

  /** The parameters of an answer that was sent to us, once it is sure that it answers our question. */
  answerIn(arrived: URL): URLSearchParams {
    if (arrived.searchParams.get('state') !== this.#state) throw new Error('This answers another question.');
    return arrived.searchParams;
  }
}
