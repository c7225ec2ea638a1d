/** What a file of policy tests holds: callers, tools, and cases that say what has to come out. docs/policy.md explains it. */

import * as z from 'zod';

import type { Json, JsonObject } from '../model/json.ts';
import { name } from './schema-words.ts';

const list = z.array(name);
const json = z.record(z.string(), z.json());

const caller = z.strictObject({
  /** Of a token. Without one, the caller has an API key, and its name is the caller's. */
  issuer: z.url({ protocol: /^https?$/ }).optional(),
  subject: name.optional(),
  groups: list.default([]),
  scopes: list.default([]),
  tenant: name.default('default'),
  /** The OAuth client of the token. */
  client: name.optional(),
  claims: json.default({}),
  /** The SPIFFE id that came with the request; with nothing else, the workload stands alone. */
  workload: z
    .string()
    .regex(/^spiffe:\/\/[^/]+(?:\/.*)?$/, 'is not a SPIFFE id, such as spiffe://example.org/agent')
    .optional(),
  /** What the client calls itself. */
  surface: name.optional(),
});

const TYPE_WORD = /^(?<type>string|number|integer|boolean|object|array)(?<many>\[\])?(?<optional>\?)?$/;

/** `amount: number`, `note: string?`, `ids: integer[]`, or the property's schema; or a whole input schema. */
const inputs = json.nullable().transform((value, context): JsonObject => {
  if (value === null) return { type: 'object' };
  if (value['type'] === 'object' && typeof value['properties'] === 'object') return value;
  const properties: Record<string, Json> = {};
  const required: string[] = [];
  for (const [property, written] of Object.entries(value)) {
    const word = typeof written === 'string' ? TYPE_WORD.exec(written)?.groups : undefined;
    if (typeof written === 'string' && word === undefined) {
      const message = `"${written}" is not a type. Write string, number, integer, boolean, object or array, with [] or ?.`;
      context.addIssue({ code: 'custom', message, path: [property] });
      return z.NEVER;
    }
    const one: Json = word === undefined ? written : { type: word['type'] ?? '' };
    properties[property] = word?.['many'] === undefined ? one : { type: 'array', items: one };
    if (word?.['optional'] === undefined) required.push(property);
  }
  return { type: 'object', properties, required };
});

const approval = z.strictObject({ approval: z.union([name.transform((one) => [one]), list.min(1)]) });

const expectation = z.union([z.enum(['allow', 'deny', 'listed', 'hidden', 'invalid']), approval]);

const testCase = z
  .strictObject({
    name,
    as: name,
    tool: name.optional(),
    prompt: name.optional(),
    resource: name.optional(),
    server: name.optional(),
    args: json.default({}),
    surface: name.optional(),
    now: z.iso.datetime({ offset: true }).optional(),
    expect: expectation,
    by: list.optional(),
    observed: list.optional(),
  })
  .superRefine((one, context) => {
    const subjects = [one.tool, one.prompt, one.resource, one.server].filter((subject) => subject !== undefined);
    if (subjects.length !== 1) {
      context.addIssue({ code: 'custom', message: 'needs exactly one of tool, prompt, resource and server.' });
    }
  });

export const policyTestSchema = z
  .strictObject({
    config: name.optional(),
    policies: z.array(name).optional(),
    servers: z.record(z.string(), z.unknown()).optional(),
    callers: z
      .record(
        name,
        caller.nullable().transform((one) => one ?? caller.parse({})),
      )
      .default({}),
    tools: z.record(name, inputs).default({}),
    cases: z.array(testCase).min(1),
  })
  .superRefine((file, context) => {
    if (file.config === undefined || (file.policies === undefined && file.servers === undefined)) return;
    const message = 'is named, so policies and servers come from there. Keep the one or the other.';
    context.addIssue({ code: 'custom', message, path: ['config'] });
  });

export type ParsedPolicyTest = z.output<typeof policyTestSchema>;
export type TestCase = ParsedPolicyTest['cases'][number];
