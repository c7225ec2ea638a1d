/** What arguments are declared to be, as operators write it. Every description is read by operators. */

import * as z from 'zod';

import { parsePlace, SQL_DIALECTS, URL_SCHEMES, type ArgumentKind } from '../model/argument-kind.ts';
import { name } from './schema-words.ts';

/** Absolute, and in the one spelling that paths of callers must have, too. */
const BASE = /^\/(?:[^/\\]+(?:\/[^/\\]+)*)?$/;

const DEFAULT_SCHEMES = ['http', 'https'] as const;

const path = z
  .strictObject({
    kind: z.literal('path'),
    base: z
      .string()
      .regex(BASE)
      .refine((text) => !text.split('/').some((part) => part === '.' || part === '..'), {
        message: 'must be absolute, without "." and "..".',
      })
      .optional()
      .describe('What the server takes relative paths to be relative to, for example /srv/data.'),
  })
  .describe('A POSIX path. Policy sees it absolute where base is given.');

const url = z
  .strictObject({
    kind: z.literal('url'),
    schemes: z
      .array(z.enum(URL_SCHEMES))
      .min(1)
      .default([...DEFAULT_SCHEMES])
      .describe('Any other scheme is denied.'),
  })
  .describe('A URL. Policy sees its parts.');

const sql = z
  .strictObject({
    kind: z.literal('sql'),
    dialect: z.enum(SQL_DIALECTS).describe('Whose SQL it is.'),
    defaultSchema: name.optional().describe('Where the server finds tables without a schema, for example public.'),
    functions: z
      .array(name)
      .default([])
      .describe('Functions that only compute, beside those that are known to, as policy sees their names.'),
  })
  .describe('An SQL text. Policy sees its operations, tables, schemas and functions, and whether it only reads.');

const argument = z
  .union([z.enum(['path', 'url']), z.discriminatedUnion('kind', [path, url, sql])])
  .transform((written): ArgumentKind => {
    if (written === 'path') return { kind: 'path' };
    if (written === 'url') return { kind: 'url', schemes: [...DEFAULT_SCHEMES] };
    if (written.kind === 'path') return { kind: 'path', ...(written.base === undefined ? {} : { base: written.base }) };
    if (written.kind === 'url') return written;
    const { defaultSchema, ...rest } = written;
    return { ...rest, ...(defaultSchema === undefined ? {} : { defaultSchema }) };
  })
  .describe('path, url, or more about it.');

/** Places (`path`, `filter.path`, `files[]`) and what stands there. One inside the other would be judged as two things. */
export const declaredArguments = z.record(z.string(), argument).superRefine((written, context) => {
  const places = Object.keys(written);
  const problem = (place: string, message: string): void =>
    context.addIssue({ code: 'custom', message, path: [place] });
  for (const place of places) {
    const parsed = parsePlace(place);
    if (!parsed.ok) problem(place, `${parsed.error}.`);
    const inner = places.find((one) => ['.', '['].some((sign) => one.startsWith(`${place}${sign}`)));
    if (inner !== undefined) problem(inner, `lies inside ${place}. Declare one of them.`);
  }
});
