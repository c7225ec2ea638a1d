/** What the record says of the upstream that a call reached. */

import type { Discovery } from '../model/outcome.ts';
import type { Revision } from '../model/revision.ts';
import type { ReachedUpstream } from '../model/trail.ts';

/** Enough for any name or version; more would be kept for as long as the upstream lives. */
const MAX_CHARACTERS = 256;

type Spoken = { readonly revision: Revision; readonly transport: ReachedUpstream['transport'] };

/** `serverInfo` is optional in the modern era, and whatever a server likes in both. */
export function reachedAs({ revision, transport }: Spoken, { serverInfo }: Discovery): ReachedUpstream {
  const { name, version } = serverInfo;
  return Object.freeze({
    revision,
    transport,
    ...(typeof name === 'string' ? { name: name.slice(0, MAX_CHARACTERS) } : {}),
    ...(typeof version === 'string' ? { version: version.slice(0, MAX_CHARACTERS) } : {}),
  });
}
