import { readFileSync } from 'node:fs';
import path from 'node:path';

import { Compile } from 'typebox/schema';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import { EDITOR_SCHEMA_FILE, editorSchema, REFERENCE_FILE, referencePage } from './json-schema.ts';

const root = path.resolve(import.meta.dirname, '../../../..');
const fixture = path.join(import.meta.dirname, 'fixtures', 'sallyport.yaml');

describe('the schema for editors', () => {
  it('is the one in the repository; "npm run schema" writes it', () => {
    expect(readFileSync(path.join(root, EDITOR_SCHEMA_FILE), 'utf8')).toBe(
      `${JSON.stringify(editorSchema(), null, 2)}\n`,
    );
  });

  it('accepts the file of the guide, once its hash is filled in, and refuses an unknown key', () => {
    const text = readFileSync(fixture, 'utf8').replace('sha256:…', `sha256:${'0'.repeat(64)}`);
    const value: unknown = parse(text);
    const validator = Compile(editorSchema());
    expect(validator.Check(value)).toBe(true);
    expect(validator.Check({ lisen: 'x' })).toBe(false);
    expect(validator.Check({ servers: { my_server: { command: ['x'] } } })).toBe(false);
  });
});

describe('the reference page', () => {
  it('is the one in the repository; "npm run schema" writes it', () => {
    expect(readFileSync(path.join(root, REFERENCE_FILE), 'utf8')).toBe(referencePage());
  });

  it('describes every setting', () => {
    const undescribed = referencePage()
      .split('\n')
      .filter((line) => line.startsWith('| `') && /\|\s*\|$/.test(line));
    expect(undescribed).toEqual([]);
  });
});
