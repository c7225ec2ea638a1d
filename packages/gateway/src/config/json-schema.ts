/** The schema as editors read it (JSON Schema), and as people read it (the reference page). Both are generated files. */

import * as z from 'zod';

import { strictFileSchema } from './schema.ts';
import { SERVER_ID } from './server-schema.ts';

type Schema = z.core.JSONSchema.BaseSchema;

export const EDITOR_SCHEMA_FILE = 'docs/reference/sallyport.schema.json';
export const REFERENCE_FILE = 'docs/reference/configuration.md';

/** JSON Schema (draft 2020-12) of `sallyport.yaml`. */
export function editorSchema(): Schema {
  const schema = z.toJSONSchema(strictFileSchema, { io: 'input', unrepresentable: 'any' });
  const servers = schema.properties?.['servers'];
  if (typeof servers === 'object') servers.propertyNames = { type: 'string', pattern: SERVER_ID.source };
  return { ...schema, title: 'sallyport.yaml' };
}

/** One table row for each setting, in the order of the schema. */
export function referencePage(): string {
  const rows: string[] = [];
  addRows(editorSchema(), '', rows);
  return [
    '# Every setting of `sallyport.yaml`',
    '',
    'Generated from the schema by `npm run schema`. How they work together is told in [configuration.md](../configuration.md).',
    '`<id>` stands for a server id, `<name>` for a header, a variable or a glob, `[]` for each element of a list.',
    '',
    '| setting | takes | default | what it is |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function addRows(schema: Schema, path: string, rows: string[]): void {
  for (const [key, child] of Object.entries(schema.properties ?? {})) {
    if (typeof child !== 'object') continue;
    const here = path === '' ? key : `${path}.${key}`;
    const missing = schema.required?.includes(key) === true ? 'required' : '';
    const value = child.default === undefined ? missing : `\`${JSON.stringify(child.default)}\``;
    rows.push(`| \`${here}\` | ${cell(kindOf(child))} | ${cell(value)} | ${cell(child.description ?? '')} |`);
    descend(child, here, rows);
  }
}

function descend(schema: Schema, path: string, rows: string[]): void {
  addRows(schema, path, rows);
  const { items, additionalProperties } = schema;
  if (typeof items === 'object' && !Array.isArray(items)) addRows(items, `${path}[]`, rows);
  if (typeof additionalProperties === 'object') {
    const placeholder = path === 'servers' ? '<id>' : '<name>';
    addRows(additionalProperties, `${path}.${placeholder}`, rows);
  }
}

function kindOf(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${String(one)}\``).join(', ');
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  // What is told apart by one of its settings.
  if (schema.oneOf !== undefined) return 'map';
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(kindOf))].join(' or ');
  if (schema.type === 'array') {
    return typeof schema.items === 'object' && !Array.isArray(schema.items)
      ? `list of ${kindOf(schema.items)}`
      : 'list';
  }
  if (schema.type === 'object') return 'map';
  if (schema.type === 'string') return 'text';
  if (schema.type === 'integer') return 'whole number';
  if (schema.type === 'boolean') return '`true`, `false`';
  return typeof schema.type === 'string' ? schema.type : 'any';
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
