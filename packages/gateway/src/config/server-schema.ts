/** Settings of `servers`: what is behind the gateway, and the operator's word on it. Every description is read by operators. */

import * as z from 'zod';

import { CLASSIFICATIONS } from '../model/target.ts';
import { declaredArguments } from './argument-schema.ts';
import { authSchema } from './auth-schema.ts';
import { dependsOnSchema } from './depends-on-schema.ts';
import { processSchema, sandboxSchema } from './process-schema.ts';
import {
  count,
  duration,
  filePath,
  glob,
  HEADER_NAME,
  name,
  namePattern,
  period,
  scope,
  value,
  VARIABLE,
} from './schema-words.ts';

/** Lower-case letters, digits and `-`: an underscore separates server and tool in the names of `/mcp`. */
export const SERVER_ID = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

const classification = z.enum(CLASSIFICATIONS);

const traits = z
  .strictObject({
    readOnly: z
      .boolean()
      .optional()
      .describe('It changes nothing: calls are recorded after, not before they are made.'),
    risk: z.enum(['low', 'medium', 'high']).optional().describe('What policy may look at. Default: medium.'),
    idempotent: z.boolean().optional().describe('Calling it twice is the same as calling it once.'),
    tags: z.array(name).optional().describe('Free words for policies, beside those of the server.'),
    classification: classification
      .optional()
      .describe('How sensitive what it handles is. Default: that of the server.'),
    timeout: duration.optional().describe("For one call of it, instead of the server's `timeout`."),
    scopes: z
      .array(scope)
      .optional()
      .describe('OAuth scopes that a token needs for it, beside those of `identity.scopes` and of the server.'),
  })
  .describe("The operator's word on what a server offers. A server's own annotations never lower protection.");

const toolWords = traits
  .extend({
    onFailure: z
      .union([
        z.literal('error'),
        z.strictObject({ advice: z.string().min(1).max(500) }).describe('The failure, and what to do instead.'),
        z.strictObject({ cached: period }).describe("The caller's own last answer, at most so old, marked as old."),
        z.strictObject({ server: z.string().regex(SERVER_ID) }).describe('The tool of the same name of that server.'),
      ])
      .optional()
      .describe(
        'What callers get while the server does not answer. cached and server are for tools marked readOnly. Default: error.',
      ),
    noStale: z
      .boolean()
      .optional()
      .describe('An old answer would do harm: there never is one, whatever onFailure says.'),
    minutesSaved: z
      .number()
      .min(0)
      .max(10_080)
      .optional()
      .describe("What one successful call saves a person, in minutes: its owner's estimate, for `sallyport usage`."),
    hidden: z.boolean().optional().describe('It is not listed and cannot be called. No policy lifts this.'),
    pins: z
      .record(name, z.json())
      .optional()
      .describe('Arguments that are set on every call and that no client sees or sends.'),
    arguments: declaredArguments
      .optional()
      .describe(
        'What arguments are, so that policy judges their meaning: path, url or sql. Places as name, outer.inner, list[].',
      ),
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
    surfaces: z
      .array(glob)
      .default([])
      .describe('Only for clients that call themselves so: patterns. Claimed, not proved. Default: any client.'),
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
    process: processSchema,
    sandbox: sandboxSchema,
    url: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('The server is reached at this URL.'),
    transport: z
      .enum(['auto', 'streamable-http', 'http', 'sse', 'stdio'])
      .default('auto')
      .describe(
        'How a `url` is spoken to. `auto`: found out. `streamable-http` (or `http`): the transport of today. `sse`: HTTP+SSE ' +
          'of 2024-11-05, and nothing is tried before it. A `command` is `stdio`.',
      ),
    headers: z
      .record(z.string().regex(HEADER_NAME), value)
      .default({})
      .describe('Sent with every request. Secrets as env:NAME or file:/path, also after a scheme: "Bearer env:NAME".'),
    auth: authSchema.optional(),
    title: z.string().min(1).optional().describe('What people see.'),
    owner: z.string().min(1).optional().describe('Whom to ask.'),
    environment: name.optional().describe('A word of yours for where it stands, for policies: production, staging.'),
    classification: classification.optional().describe('How sensitive what it handles is. Default: internal.'),
    tags: z.array(name).default([]).describe('Free words for policies, on the server and on everything it offers.'),
    sharing: z
      .enum(['principal', 'shared', 'session', 'call'])
      .default('principal')
      .describe(
        'Who shares one session or process. `principal`: the calls of one caller. `shared`: everyone of a tenant. ' +
          '`session`: those of one client session. `call`: nobody, each call has a fresh one.',
      ),
    pool: z
      .strictObject({
        max: z
          .int()
          .min(1)
          .max(10_000)
          .default(16)
          .describe('Alive at a time. Then the least recently used idle one ends.'),
        idle: duration.prefault('10m').describe('One that nobody used for this long is ended.'),
        wait: duration.prefault('10s').describe('How long a call waits for one when all are in use.'),
        spares: z
          .union([
            z.int().min(0).max(1000),
            z.strictObject({ min: z.int().min(0).max(1000), max: z.int().min(0).max(1000) }),
          ])
          .default(0)
          .describe(
            'Processes kept ready for a first call; {min, max} follows demand. A Node server takes about 70 MB.',
          ),
      })
      .prefault({})
      .describe('How many sessions or processes of the server there may be.'),
    readOnly: z
      .boolean()
      .default(false)
      .describe('A ceiling: only tools marked readOnly are there, whatever policies say.'),
    timeout: duration
      .prefault('60s')
      .describe('For one call, until its result is complete. Progress that the caller asked for starts it anew.'),
    timeouts: z
      .strictObject({
        connect: duration.prefault('60s').describe('For reaching or starting the server, handshake included.'),
        firstByte: duration
          .optional()
          .describe('Until the server says anything at all. Default: as long as `timeout`.'),
        max: duration.prefault('5m').describe('For one call however much progress it makes.'),
      })
      .prefault({})
      .describe('Finer limits beside `timeout`.'),
    retries: z
      .int()
      .min(0)
      .max(5)
      .default(2)
      .describe(
        'Of calls that never left, and of tools marked readOnly or idempotent, when the server fails. 0: none.',
      ),
    breaker: z
      .union([
        z.literal('off'),
        z
          .strictObject({
            window: z.int().min(1).max(1000).default(10).describe('How many of the latest calls are looked at.'),
            failures: z.int().min(1).max(1000).default(5).describe('So many of them not served, and it opens.'),
            open: duration.prefault('2s').describe('Then the server is left alone for this long, doubled each time.'),
            maxOpen: duration.prefault('1m').describe('Up to this long.'),
          })
          .refine(({ failures, window }) => failures <= window, {
            message: 'failures is above window, so it would never open.',
          }),
      ])
      .prefault({})
      .describe('Circuit breaker: callers of a server that keeps failing are told so at once. `off`: none.'),
    dependsOn: dependsOnSchema,
    maxInFlight: count.default(1000).describe('Calls of everyone together that it may have at a time.'),
    scopes: z.array(scope).default([]).describe('OAuth scopes that a token needs to use anything of this server.'),
    tools: z
      .record(glob, toolWords)
      .default({})
      .describe(
        'Traits of the tools whose name matches the glob (* and ?), and what is hidden, pinned or declared of them. Later entries win.',
      ),
    prompts: z.record(glob, traits).default({}).describe('The traits of its prompts.'),
    resources: z
      .record(glob, traits)
      .default({})
      .describe('The traits of its resources and resource templates, by URI and by URI template.'),
    allow: z.array(allow).default([]).describe('Who may use what. Nothing is allowed without a policy.'),
  })
  .superRefine((server, context) => {
    const problem = (message: string, path: string[] = []): void => context.addIssue({ code: 'custom', message, path });
    if (server.command === undefined && server.url === undefined) problem('needs a command or a url.');
    if (server.command !== undefined && server.url !== undefined) problem('has a command and a url. Keep one of them.');
    const isStdio = server.transport === 'stdio';
    if (server.auth?.type === 'principal') {
      const { headers, env, lists } = server.auth;
      const [of, foreign] = server.url === undefined ? (['env', headers] as const) : (['headers', env] as const);
      if (Object.keys(foreign).length > 0)
        problem(`has to be ${of} here: headers are of a url, env of a command.`, ['auth']);
      const names = new Set([headers, env, lists.headers, lists.env].flatMap(lowerKeys));
      const twice = Object.keys(server[of]).find((written) => names.has(written.toLowerCase()));
      if (twice !== undefined) problem('is what auth sets. Remove one of them.', [of, twice]);
    } else if (server.auth !== undefined && server.auth.type !== 'none') {
      if (server.url === undefined) problem('is for a url. A command takes env.', ['auth']);
      if (Object.keys(server.headers).some((header) => header.toLowerCase() === 'authorization')) {
        problem('is what auth sets. Remove one of them.', ['headers', 'Authorization']);
      }
    }
    if (server.url !== undefined) {
      if (isStdio) problem('belongs to command; this server has a url.', ['transport']);
      if (server.args.length > 0) problem('belongs to command; this server has a url.', ['args']);
      if (server.cwd !== undefined) problem('belongs to command; this server has a url.', ['cwd']);
      if (server.sandbox !== undefined) problem('belongs to command; this server has a url.', ['sandbox']);
      if (Object.keys(server.process).length > 0) problem('belongs to command; this server has a url.', ['process']);
      if (Object.keys(server.env).length > 0) problem('belongs to command. A url takes headers.', ['env']);
    } else if (Object.keys(server.headers).length > 0) {
      problem('belongs to url. A command takes env.', ['headers']);
    } else if (!isStdio && server.transport !== 'auto') {
      problem('belongs to url; a command is spoken to over stdio.', ['transport']);
    }
  })
  .describe('An MCP server, under its id: lower-case letters, digits and -.');

const lowerKeys = (values: Readonly<Record<string, unknown>>): readonly string[] =>
  Object.keys(values).map((key) => key.toLowerCase());

export type ParsedServer = z.output<typeof serverSchema>;
