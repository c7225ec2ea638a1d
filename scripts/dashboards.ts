/** `npm run dashboards`: writes `deploy/grafana/` from `scripts/dashboards/`. */

import { writeFileSync } from 'node:fs';
import path from 'node:path';

import { dashboardFiles } from './dashboards/all.ts';

const FOLDER = path.join(import.meta.dirname, '..', 'deploy', 'grafana');

for (const [name, text] of dashboardFiles()) {
  writeFileSync(path.join(FOLDER, name), text);
  process.stdout.write(`wrote deploy/grafana/${name}\n`);
}
