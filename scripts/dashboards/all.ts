/** Every dashboard, in the order in which they are opened. */

import { audit } from './audit.ts';
import { credentials } from './credentials.ts';
import { grafanaDashboard } from './grafana.ts';
import type { Dashboard } from './model.ts';
import { overview } from './overview.ts';
import { policy } from './policy.ts';
import { tool } from './tool.ts';
import { upstream } from './upstream.ts';

export const DASHBOARDS: readonly Dashboard[] = [overview, upstream, tool, policy, credentials, audit];

/** The file of each, by its name. */
export const dashboardFiles = (): ReadonlyMap<string, string> =>
  new Map(DASHBOARDS.map((one) => [`${one.name}.json`, `${JSON.stringify(grafanaDashboard(one), null, 2)}\n`]));
