/**
 * Where a client without a token finds out whom to ask for one (RFC 9728). The documents are made from the request path
 * alone, without a look at the catalog: an id that exists and one that does not get the same answer.
 */

import { protectedResourceMetadata, protectedResourceMetadataUrl } from '../authn/challenge.ts';

export type ResourceMetadata = {
  /** What every token needs, told in each challenge. The same for every endpoint. */
  readonly scopes: readonly string[];
  /** The metadata document of the resource at `path`, as JSON. The empty path is the gateway as a whole. */
  documentOf(path: string): string;
  /** Where that document is published. */
  urlOf(path: string): string;
};

export type ResourceMetadataOptions = {
  /** Scheme, host and port, no trailing slash. */
  readonly publicUrl: string;
  /** Issuer identifiers. Empty when only API keys are taken. */
  readonly authorizationServers: readonly string[];
  readonly scopes: readonly string[];
  /** What tokens are issued for: each endpoint by itself, or the gateway as a whole. */
  readonly audience: 'endpoint' | 'gateway';
};

export function createResourceMetadata(options: ResourceMetadataOptions): ResourceMetadata {
  const { publicUrl, authorizationServers, scopes, audience } = options;
  const resourceAt = (path: string): string => (audience === 'gateway' ? publicUrl : publicUrl + path);
  return {
    scopes,
    documentOf: (path) =>
      JSON.stringify(protectedResourceMetadata({ resource: resourceAt(path), authorizationServers, scopes })),
    urlOf: (path) => protectedResourceMetadataUrl(resourceAt(path)),
  };
}
