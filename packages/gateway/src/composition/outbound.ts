/** How servers are called, and as whom: routes and connectors, what the operator configured, people's consents and their renewal. */

import { composeGrants, type Grants } from './grants.ts';
import { composeOAuth, type ComposedOAuth, type OAuthParts } from './oauth.ts';
import type { Secrets } from './secrets.ts';
import type { Storage } from './storage.ts';
import { composeUpstreams, type ComposedUpstreams, type UpstreamParts } from './upstreams.ts';

export type OutboundParts = Omit<OAuthParts, 'grants' | 'resolve'> &
  Omit<UpstreamParts, 'accepting'> & { readonly storage: Pick<Storage, 'grants'>; readonly secrets: Secrets };

export type Outbound = {
  readonly grants: Grants;
  readonly oauth: ComposedOAuth;
  readonly upstreams: ComposedUpstreams;
};

/** @param opened Closes what is opened here. */
export function composeOutbound(parts: OutboundParts, opened: AsyncDisposableStack): Outbound {
  const { config, storage, secrets, logger, note } = parts;
  const grants = composeGrants({
    config: config.credentials,
    store: storage.grants,
    secrets,
    logger,
    note,
    issuerOf: (key) => oauth.issuerOf(key),
  });
  opened.defer(() => grants.close());
  const oauth = composeOAuth({ ...parts, grants, resolve: (value) => secrets.resolve(value) });
  const upstreams = composeUpstreams({ ...parts, accepting: (fixed) => oauth.accepting(fixed) });
  opened.defer(() => upstreams.close());
  grants.watch(upstreams);
  return { grants, oauth, upstreams };
}
