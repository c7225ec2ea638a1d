/**
 * The one schema of `sallyport.yaml`: what is checked at start, the JSON Schema that editors complete from, and the
 * reference page are all made of it. Every description is read by operators.
 */

import * as z from 'zod';

import type { Result } from '../model/result.ts';
import type { ValueConfig } from './config.ts';
import { DURATION, parseDurationMs, parseListenAddress, parseRate, parseSizeBytes, RATE, SIZE } from './units.ts';

/** Lower-case letters, digits and `-`: an underscore separates server and tool in the names of `/mcp`. */
export const SERVER_ID = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const KEY_HASH = /^sha256:[0-9a-f]{64}$/;

/** A text that a parser of ours turns into a value. */
function parsed<T>(pattern: RegExp, parse: (text: string) => Result<T, string>) {
  return z
    .string()
    .meta({ pattern: pattern.source })
    .transform((text, context): T => {
      const result = parse(text);
      if (result.ok) return result.value;
      context.addIssue({ code: 'custom', message: `"${text}" ${result.error}.` });
      return z.NEVER;
    });
}

const duration = parsed(DURATION, parseDurationMs);
const size = parsed(SIZE, parseSizeBytes);
const rate = parsed(RATE, parseRate);
const address = parsed(/^(?:.*:)?\d{1,5}$/, parseListenAddress);
const name = z.string().min(1).max(200);
const glob = z.string().min(1).max(1000);
/** What `allow` compiles to knows one wildcard; in a URI, `?` is an ordinary character. */
const namePattern = glob.refine((text) => !text.includes('?'), { message: 'uses "?"; only * is a wildcard here.' });
const count = z.int().min(1).max(1_000_000);
const filePath = z.string().min(1);

/** `env:NAME` and `file:/path`, after a scheme such as `Bearer ` where one is needed; everything else is the text itself. */
export function parseValue(text: string): ValueConfig | undefined {
  const match = /^(?<prefix>[A-Za-z][A-Za-z0-9-]* )?(?<kind>env|file):(?<rest>.*)$/.exec(text);
  if (match === null) return { kind: 'literal', value: text };
  const { prefix = '', kind, rest = '' } = match.groups ?? {};
  if (kind === 'env') return VARIABLE.test(rest) ? { kind: 'env', name: rest, prefix } : undefined;
  return rest === '' ? undefined : { kind: 'file', path: rest, prefix };
}

const value = z.union([z.string(), z.number(), z.boolean()]).transform((written, context): ValueConfig => {
  const reference = parseValue(String(written));
  if (reference !== undefined) return reference;
  context.addIssue({ code: 'custom', message: 'is not a reference. Write env:NAME or file:/path/to/it.' });
  return z.NEVER;
});

const apiKey = z
  .strictObject({
    name: name.describe('Who the key belongs to; the user in policies, logs and records.'),
    hash: z
      .string()
      .meta({ pattern: KEY_HASH.source })
      .describe('SHA-256 of the key. `sallyport key create <name>` prints it; the key itself is never stored.'),
    groups: z.array(name).default([]).describe('Groups that policies and `allow` speak of.'),
    tenant: name.default('default').describe('The tenant that the caller belongs to.'),
    expires: z.iso
      .datetime({ offset: true })
      .optional()
      .describe('From this instant on the key is refused, for example 2027-01-31T00:00:00Z.'),
  })
  .describe('A long-lived key for a person or a program.');

const issuer = z
  .strictObject({
    issuer: z.url({ protocol: /^https?$/ }).describe('The issuer identifier, exactly as it stands in `iss`.'),
    jwksUri: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe("Where its keys are. Default: from the issuer's metadata."),
    groupsClaim: name.default('groups').describe('The claim that lists the groups.'),
    tenant: name.default('default').describe('The tenant that its users belong to.'),
    audiences: z
      .array(z.string().min(1))
      .default([])
      .describe('Audiences that are accepted beside `publicUrl` and the URL of the endpoint.'),
  })
  .describe('An OAuth 2 / OpenID Connect issuer whose JWT access tokens are accepted. Fetched when first needed.');

const traits = z
  .strictObject({
    readOnly: z
      .boolean()
      .optional()
      .describe('It changes nothing: calls are recorded after, not before they are made.'),
    risk: z.enum(['low', 'medium', 'high']).optional().describe('What policy may look at. Default: medium.'),
    idempotent: z.boolean().optional().describe('Calling it twice is the same as calling it once.'),
    tags: z.array(name).optional().describe('Free words for policies.'),
  })
  .describe("The operator's word on a tool. A server's own annotations never lower protection.");

const allow = z
  .strictObject({
    group: name.optional().describe('Members of this group.'),
    user: name.optional().describe('This user: the name of an API key, or <issuer>#<subject> of a token.'),
    anyone: z.literal(true).optional().describe('Everyone who is authenticated.'),
    tools: z.array(namePattern).default([]).describe('Patterns over tool names; * stands for any text.'),
    prompts: z.array(namePattern).default([]).describe('Patterns over prompt names.'),
    resources: z.array(glob).default([]).describe('Patterns over resource URIs.'),
  })
  .superRefine((rule, context) => {
    const who = [rule.group, rule.user, rule.anyone].filter((one) => one !== undefined);
    if (who.length !== 1) {
      context.addIssue({ code: 'custom', message: 'needs exactly one of group, user and anyone.' });
    }
    if (rule.tools.length + rule.prompts.length + rule.resources.length === 0) {
      context.addIssue({ code: 'custom', message: 'allows nothing. Add tools, prompts or resources.' });
    }
  })
  .describe('Shorthand for a Cedar policy with the id `<server>.allow[<index>]`.');

export const serverSchema = z
  .strictObject({
    command: z
      .union([z.string().min(1), z.array(z.string()).min(1)])
      .optional()
      .describe('Starts the server and speaks over its standard input and output. No shell is involved.'),
    args: z.array(z.string()).default([]).describe('More arguments for `command`.'),
    cwd: filePath.optional().describe('Where it runs. Default: the folder of this file.'),
    env: z
      .record(z.string().regex(VARIABLE), value)
      .default({})
      .describe('Its environment, beside PATH, HOME and the like. Secrets as env:NAME or file:/path.'),
    url: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('The server is reached at this URL (Streamable HTTP).'),
    headers: z
      .record(z.string().regex(HEADER_NAME), value)
      .default({})
      .describe('Sent with every request. Secrets as env:NAME or file:/path, also after a scheme: "Bearer env:NAME".'),
    title: z.string().min(1).optional().describe('What people see.'),
    owner: z.string().min(1).optional().describe('Whom to ask.'),
    sharing: z
      .enum(['principal', 'shared'])
      .default('principal')
      .describe('`principal`: one session or process for each caller. `shared`: one for everyone.'),
    timeout: duration.prefault('60s').describe('For one call, until its result is complete.'),
    tools: z
      .record(glob, traits)
      .default({})
      .describe('Traits of the tools whose name matches the glob (* and ?). Later entries win.'),
    allow: z.array(allow).default([]).describe('Who may use what. Nothing is allowed without a policy.'),
  })
  .superRefine((server, context) => {
    const problem = (message: string, path: string[] = []): void => context.addIssue({ code: 'custom', message, path });
    if (server.command === undefined && server.url === undefined) problem('needs a command or a url.');
    if (server.command !== undefined && server.url !== undefined) problem('has a command and a url. Keep one of them.');
    if (server.url !== undefined) {
      if (server.args.length > 0) problem('belongs to command; this server has a url.', ['args']);
      if (server.cwd !== undefined) problem('belongs to command; this server has a url.', ['cwd']);
      if (Object.keys(server.env).length > 0) problem('belongs to command. A url takes headers.', ['env']);
    } else if (Object.keys(server.headers).length > 0) {
      problem('belongs to url. A command takes env.', ['headers']);
    }
  })
  .describe('An MCP server, under its id: lower-case letters, digits and -.');

const limit = z
  .strictObject({
    per: z
      .enum(['principal', 'tool', 'server', 'client', 'tenant'])
      .describe('What each has a bucket of its own. `tool` and `server` count the callers of a tenant together.'),
    server: z.string().optional().describe('Only calls to this server.'),
    tool: glob.optional().describe('Only tools whose name matches this glob (* and ?).'),
    rate: rate.describe('How many in which time, for example 600/minute.'),
    burst: count.optional().describe('How many at once. Default: the number in `rate`.'),
  })
  .describe('How much. A call has to pass every limit that applies to it.');

const requests = z
  .strictObject({
    maxBody: size.prefault('4MiB').describe('The largest request body.'),
    maxHeaders: size.prefault('32KiB').describe('The most of request headers.'),
    maxDepth: z.int().min(4).max(512).default(64).describe('The deepest nesting of a request body.'),
    maxConcurrent: count.default(5000).describe('Requests at work at once; more are refused with a 503.'),
    maxStreams: count.default(10_000).describe('Event streams open at once.'),
    maxStreamsPerPrincipal: count.default(100).describe('Event streams open at once for one caller.'),
    bodyTimeout: duration.prefault('30s').describe('For the body to arrive.'),
    timeout: duration.prefault('5m').describe("For a whole request, whatever a server's own timeout says."),
    maxBufferedResult: size
      .prefault('1MiB')
      .describe('The most of one result that is held in memory to look at it. Larger ones stream, or are refused.'),
  })
  .describe('What one request may cost.');

/** The whole file; `servers` is a parameter because a bad server must not spoil the file it stands in. */
function fileSchema<S extends z.ZodType>(server: S) {
  return z
    .strictObject({
      listen: address.prefault('127.0.0.1:8080').describe('Where clients connect.'),
      publicUrl: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe('The URL that clients type, when it is not http://<listen>. Token audiences are made from it.'),
      operations: z
        .union([z.literal('off'), address])
        .prefault('127.0.0.1:9090')
        .describe('Where metrics, health and status are served, or off. Not for clients.'),
      keys: z
        .strictObject({ file: filePath.describe('Created with mode 0600 on first start.') })
        .prefault({ file: './data/keys.json' })
        .describe('The key ring for everything that is sealed: sessions, cursors, states.'),
      identity: z
        .strictObject({
          apiKeys: z.array(apiKey).default([]).describe('Long-lived keys for people and programs.'),
          issuers: z
            .array(issuer)
            .default([])
            .describe('OAuth 2 / OpenID Connect issuers whose JWT access tokens are accepted.'),
        })
        .prefault({})
        .describe('Who may call. Without it nobody can.'),
      servers: z.record(z.string(), server).default({}).describe('The MCP servers behind the gateway.'),
      policies: z
        .array(filePath)
        .default([])
        .describe('Cedar files, or folders of them. Everything is denied by default, and forbid wins.'),
      limits: z.array(limit).default([]).describe('Rate limits.'),
      audit: z
        .strictObject({ file: filePath.describe('Appended to, never rewritten.') })
        .prefault({ file: './data/audit.jsonl' })
        .describe('The record of every decision and call, hash-chained.'),
      requests: requests.prefault({}),
      allowedHosts: z.array(name).default([]).describe('Host headers that are accepted beside listen and publicUrl.'),
      allowedOrigins: z.array(z.url()).default([]).describe('Web origins whose pages may call.'),
      log: z
        .strictObject({
          level: z
            .enum(['debug', 'info', 'warn', 'error'])
            .default('info')
            .describe('The least serious event that is logged.'),
          format: z
            .enum(['auto', 'pretty', 'json'])
            .default('auto')
            .describe('`auto`: readable on a terminal, else JSON.'),
          calls: z
            .boolean()
            .default(false)
            .describe(
              'A line for every call, not only for refusals and failures. The audit record has them all anyway.',
            ),
        })
        .prefault({})
        .describe('One line per event on standard output.'),
      drain: duration.prefault('20s').describe('How long open calls may go on when the gateway is asked to stop.'),
    })
    .describe('The configuration of Sallyport.');
}

/** For the loader: servers are looked at one by one, with `serverSchema`. */
export const looseFileSchema = fileSchema(z.unknown());

/** For editors and the reference page. */
export const strictFileSchema = fileSchema(serverSchema);

export type ParsedFile = z.output<typeof looseFileSchema>;
export type ParsedServer = z.output<typeof serverSchema>;

/** A hash that a key can have at all. */
export const isKeyHash = (hash: string): boolean => KEY_HASH.test(hash);
