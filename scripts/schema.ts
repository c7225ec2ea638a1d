/** `npm run schema`: writes the generated pages of `docs/reference/`, from the configuration schema, the entity model and the list of metrics. */

import { mkdirSync, writeFileSync } from 'node:fs';

import { MODEL_FILE, modelPage } from '../packages/gateway/src/authz/model-page.ts';
import {
  EDITOR_SCHEMA_FILE,
  editorSchema,
  REFERENCE_FILE,
  referencePage,
} from '../packages/gateway/src/config/json-schema.ts';
import { METRICS_FILE, metricsPage } from '../packages/gateway/src/telemetry/metrics-page.ts';

mkdirSync('docs/reference', { recursive: true });
for (const [file, text] of [
  [EDITOR_SCHEMA_FILE, `${JSON.stringify(editorSchema(), null, 2)}\n`],
  [REFERENCE_FILE, referencePage()],
  [MODEL_FILE, modelPage()],
  [METRICS_FILE, metricsPage()],
] as const) {
  writeFileSync(file, text);
  process.stdout.write(`wrote ${file}\n`);
}
