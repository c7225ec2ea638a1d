/**
 * Where a client without a token finds out whom to ask for one (RFC 9728). The documents are made from the request path
 * alone, without a look at the catalog: an id that exists and one that does not get the same answer.
 */

import { protectedResourceMetadata, protectedResourceMetadataUrl } from '../authn/challenge.ts';

export type ResourceMetadata = {
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
  readonly scopes?: readonly string[];
};

export function createResourceMetadata(options: ResourceMetadataOptions): ResourceMetadata {
  const { publicUrl, authorizationServers, scopes } = options;
  return {
    documentOf: (path) =>
      JSON.stringify(
        protectedResourceMetadata({
          resource: publicUrl + path,
          authorizationServers,
          ...(scopes === undefined ? {} : { scopes }),
        }),
      ),
    urlOf: (path) => protectedResourceMetadataUrl(publicUrl + path),
  };
}
