/** The settings `redaction` and `audit.bodies`: what must never be written, and what may be kept of calls. */

import * as z from 'zod';

import { PERSONAL_DATA } from '../model/redaction.ts';
import type { BodiesConfig, RedactionConfig } from './recorded-config.ts';
import { glob, period, size } from './schema-words.ts';

const MAX_RULES = 1_000;
const path = z.string().min(1).max(500);
const part = z.union([z.literal('off'), z.array(path).max(MAX_RULES)]).default([]);

const pattern = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,39}$/)
    .describe('Stands in the text instead: [redacted:<name>].'),
  regex: z
    .string()
    .min(1)
    .max(1000)
    .describe('An expression of RE2 (no lookaround, no back references), matched in linear time.'),
});

const toolRule = z.strictObject({
  arguments: part.describe(
    'Arguments that are always taken out, as JSON pointers (/user/pin) or dotted paths (user.pin); * is any member or ' +
      'index. Or off: none of them are kept.',
  ),
  result: part.describe('The same of results.'),
});

export const redactionSchema = z
  .strictObject({
    secrets: z.literal('on').default('on').describe('Cannot be switched off.'),
    personal: z
      .array(z.enum(PERSONAL_DATA))
      .default(['email', 'phone', 'card', 'iban', 'ssn'])
      .describe('Personal data that is taken out beside secrets.'),
    patterns: z.array(pattern).max(50).default([]).describe('What else is taken out, wherever it stands.'),
    tools: z
      .record(glob, toolRule)
      .default({})
      .describe('By server/tool, with * and ?: what is taken out of the bodies that `audit.bodies` keeps.'),
  })
  .prefault({})
  .describe(
    'What is taken out of everything that is written: the log, the record, kept bodies. Calls are not changed.',
  );

const MAX_BODY_BYTES = 1_048_576;

export const bodiesSchema = z
  .strictObject({
    tools: z.array(glob).min(1).max(MAX_RULES).describe('Of which tools: server/tool, with * and ?.'),
    arguments: z.boolean().default(true).describe('Keep what they were called with.'),
    results: z.boolean().default(true).describe('Keep what they answered.'),
    maxBytes: size
      .prefault('64KiB')
      .refine((bytes) => bytes <= MAX_BODY_BYTES, { message: 'must be at most 1MiB.' })
      .describe('Of each of the two. More is cut, and the record says so.'),
    keep: period.prefault('30d').describe('How long. Then they are deleted; the record keeps their commitments.'),
  })
  .describe(
    'Keeps redacted arguments and results in the storage, sealed. Off by default: the record has digests only.',
  );

export function compileRedaction({ personal, patterns, tools }: z.output<typeof redactionSchema>): RedactionConfig {
  return {
    personal,
    patterns,
    tools: Object.entries(tools).map(([tool, rule]) => ({
      tool,
      arguments: rule.arguments === 'off' ? [] : rule.arguments,
      result: rule.result === 'off' ? [] : rule.result,
      withheld: (['arguments', 'result'] as const).filter((one) => rule[one] === 'off'),
    })),
  };
}

export const compileBodies = (written: z.output<typeof bodiesSchema>): BodiesConfig => ({
  tools: written.tools,
  arguments: written.arguments,
  results: written.results,
  maxBytes: written.maxBytes,
  keepMs: written.keep,
});
