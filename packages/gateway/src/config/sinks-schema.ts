/** `audit.index` and `audit.sinks`: where else the record goes, and how long it is searched. */

import * as z from 'zod';

import type { ValueConfig } from './secrets-config.ts';
import type { KeepConfig } from './recorded-config.ts';
import { parseValue } from './references.ts';
import { duration, value } from './schema-words.ts';

const AGES_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  y: 366 * 86_400_000,
};
const AGE = /^(?:forever|[1-9]\d{0,3}[hdwy])$/;

/** How old something may become: longer than any timer waits. `forever` is Infinity. */
const age = z
  .string()
  .meta({ pattern: AGE.source })
  .transform((text, context): number => {
    if (AGE.test(text))
      return text === 'forever' ? Infinity : Number(text.slice(0, -1)) * (AGES_MS[text.slice(-1)] ?? 0);
    context.addIssue({
      code: 'custom',
      message: `"${text}" is not an age such as 12h, 30d, 8w or 3y, and not forever.`,
    });
    return z.NEVER;
  });

const keep = z
  .strictObject({
    calls: age.prefault('90d').describe('Calls that are not marked read-only, and their intents.'),
    reads: age.prefault('30d').describe('Calls that only read, lists among them.'),
    authentication: age.prefault('1y').describe('Who proved to be who, and who did not.'),
    sessions: age.prefault('90d').describe('Sessions that were opened and closed.'),
    refusals: age.prefault('30d').describe('What was refused before it was understood.'),
    administration: age.prefault('3y').describe('Changes of the gateway, approvals, and whatever has no other class.'),
    writer: age.prefault('3y').describe('What the writer of the record says of itself: opened, closed, overflow.'),
  } satisfies Record<keyof KeepConfig, unknown>)
  .prefault({})
  .describe(
    'How long records of each class stay in the index: 12h, 30d, 8w, 3y or forever. The files are not touched.',
  );

export const indexSchema = z
  .union([z.enum(['auto', 'off']), z.strictObject({ keep })])
  .prefault('auto')
  .describe(
    'The record in the database of `storage` as well, to be searched quickly, by all gateways that share it. `auto`: with ' +
      'PostgreSQL; with SQLite the files are searched, unless you write `index: {}` (50 us more CPU for each record). Or off.',
  );

export const DEFAULT_KEEP = keep.parse(undefined);

const SECRET_PARAMETER = /token|key|secret|password|passwd|auth|signature|^sig$/i;

const url = z.string().transform((text, context): ValueConfig => {
  const parsed = parseValue(text);
  // The text is never quoted: it may hold a token.
  const refuse = (message: string): never => {
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  };
  if (parsed === undefined || (parsed.kind !== 'literal' && parsed.prefix !== '')) return refuse(NO_URL);
  if (parsed.kind !== 'literal') return parsed;
  if (!URL.canParse(text)) return refuse(NO_URL);
  const { protocol, searchParams } = new URL(text);
  if (!/^https?:$/.test(protocol)) return refuse(NO_URL);
  const secret = [...searchParams.keys()].some((name) => SECRET_PARAMETER.test(name));
  return secret ? refuse(SECRET_IN_URL) : parsed;
});

const NO_URL = 'is neither an http(s) URL nor a reference to one (env:NAME, file:/path).';
const SECRET_IN_URL =
  'has what looks like a secret among its parameters. Put the whole URL into a variable or a file and write env:NAME or file:/path.';

const common = {
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/)
    .optional()
    .describe('In metrics, status and file names. Default: the kind. Changed, it begins with the oldest record again.'),
  url: url.describe(
    'Where it is sent to, or a reference to that: env:NAME, file:/path. A URL with a token in it has to be one.',
  ),
  headers: z
    .record(z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/), value)
    .default({})
    .describe('Sent with every request. Secrets as references: "Bearer env:TOKEN", "Splunk file:/run/secrets/hec".'),
  timeout: duration.prefault('30s').describe('For one request.'),
};

const compression = z.enum(['gzip', 'none']);

const sink = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('otlp'),
      ...common,
      compression: compression.default('gzip').describe('Of the request body.'),
    })
    .describe('OpenTelemetry logs: OTLP over HTTP with JSON. The URL with its path, usually /v1/logs.'),
  z
    .strictObject({
      kind: z.literal('http'),
      ...common,
      format: z
        .enum(['ndjson', 'json-array', 'splunk-hec'])
        .default('ndjson')
        .describe('One record a line, a JSON list of them, or events for the HTTP Event Collector of Splunk.'),
      compression: compression.default('none').describe('Of the request body.'),
    })
    .describe('A POST with a batch of records.'),
]);

export const sinksSchema = z
  .array(sink)
  .max(8)
  .default([])
  .superRefine((sinks, context) => {
    const names = sinks.map(({ name, kind }) => name ?? kind);
    for (const [index, name] of names.entries()) {
      if (name !== 'index' && names.indexOf(name) === index) continue;
      const message = `is called "${name}", as another one is. Give it a name of its own.`;
      context.addIssue({ code: 'custom', message, path: [index, 'name'] });
    }
  })
  .describe('Where else every record is sent, at least once and in order. Calls never wait for it.');

export type ParsedIndex = z.output<typeof indexSchema>;
export type ParsedSinks = z.output<typeof sinksSchema>;
