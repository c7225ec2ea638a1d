import { readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { MODEL_FILE, modelPage } from './model-page.ts';

describe('the page of the entity model', () => {
  it('is the one in the repository; "npm run schema" writes it', () => {
    const root = path.resolve(import.meta.dirname, '../../../..');
    expect(readFileSync(path.join(root, MODEL_FILE), 'utf8')).toBe(modelPage());
  });
});
