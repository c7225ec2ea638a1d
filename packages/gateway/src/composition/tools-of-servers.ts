/** Which tools a credential is for: those of its server that somebody could be allowed to call. Told once for each server. */

import type { Catalog } from '../catalog/catalog.ts';
import type { CredentialReport } from '../credential/credential-report.ts';
import type { ServerId } from '../model/target.ts';

export type ToolsOfServer = {
  readonly count: number;
  /** The first of them by name. */
  readonly names: readonly string[];
};

const MAX_NAMES = 20;

/** Of the servers that the rows are for; what the operator hid is not there. A server that was not read yet has none. */
export function toolsOfServers(
  rows: readonly Pick<CredentialReport, 'server'>[],
  catalog: Catalog,
): Readonly<Record<ServerId, ToolsOfServer>> {
  const servers = new Set(rows.flatMap(({ server }) => server ?? []));
  return Object.fromEntries(
    [...servers].toSorted().map((server) => {
      const names = catalog.list({ kind: 'server', server }, 'tools').map(({ name }) => name);
      return [server, { count: names.length, names: names.toSorted().slice(0, MAX_NAMES) }];
    }),
  );
}
