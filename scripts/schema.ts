/** `npm run schema`: writes the generated pages of `docs/reference/`, from the configuration schema and the entity model. */

import { mkdirSync, writeFileSync } from 'node:fs';

import { MODEL_FILE, modelPage } from '../packages/gateway/src/authz/model-page.ts';
import {
  EDITOR_SCHEMA_FILE,
  editorSchema,
  REFERENCE_FILE,
  referencePage,
} from '../packages/gateway/src/config/json-schema.ts';

mkdirSync('docs/reference', { recursive: true });
for (const [file, text] of [
  [EDITOR_SCHEMA_FILE, `${JSON.stringify(editorSchema(), null, 2)}\n`],
  [REFERENCE_FILE, referencePage()],
  [MODEL_FILE, modelPage()],
] as const) {
  writeFileSync(file, text);
  process.stdout.write(`wrote ${file}\n`);
}
