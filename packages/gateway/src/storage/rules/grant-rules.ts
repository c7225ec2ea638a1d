/** What is the same for grants wherever they are kept. */

import type { GrantFilter, GrantKey } from '../../credential/grant.ts';

/** JSON keeps the three apart, so that no two keys look alike. */
export const grantName = ({ tenant, principal, server }: GrantKey): string =>
  JSON.stringify([tenant, principal, server]);

/** A filter that names nothing matches everything. */
export const matchesFilter = (key: GrantKey, { tenant, principal, server }: GrantFilter): boolean =>
  (tenant === undefined || tenant === key.tenant) &&
  (principal === undefined || principal === key.principal) &&
  (server === undefined || server === key.server);

/** A reason is for a person to read in a list; more of it than this is in the log. */
export const MAX_FAILURE_CHARS = 200;
