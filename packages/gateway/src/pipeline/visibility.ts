/** Whether a caller may know that a server exists: policy says so of the server, or of anything on it. */

import type { Authorizer, Caller } from '../authz/authorizer.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { LIST_KINDS } from '../model/operation.ts';
import type { ServerId } from '../model/target.ts';

export async function seesServer(
  caller: Caller,
  server: ServerId,
  catalog: Catalog,
  authorizer: Authorizer,
): Promise<boolean> {
  const entry = catalog.server(server);
  if (entry === undefined) return false;
  if (authorizer.admit(caller, entry).admitted) return true;
  for (const kind of LIST_KINDS) {
    const admitted = await authorizer.admitAll(caller, catalog.list({ kind: 'server', server }, kind));
    if (admitted.includes(true)) return true;
  }
  return false;
}
