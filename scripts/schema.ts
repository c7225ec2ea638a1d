/** `npm run schema`: writes the generated pages of `docs/reference/` from the configuration schema. */

import { mkdirSync, writeFileSync } from 'node:fs';

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
] as const) {
  writeFileSync(file, text);
  process.stdout.write(`wrote ${file}\n`);
}
