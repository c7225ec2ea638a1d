/**
 * The one schema of `sallyport.yaml`: what is checked at start, the JSON Schema that editors complete from, and the
 * reference page are all made of it. Every description is read by operators.
 */

import * as z from 'zod';

import { approvalsSchema } from './approvals-schema.ts';
import { auditSchema } from './audit-schema.ts';
import { credentialsSchema } from './credentials-schema.ts';
import { identitySchema } from './identity-schema.ts';
import { subscriptionsSchema } from './subscriptions-schema.ts';
import { questionsSchema } from './questions-schema.ts';
import { resumptionSchema } from './resumption-schema.ts';
import { replicasSchema } from './replicas-schema.ts';
import { tasksSchema } from './tasks-schema.ts';
import { redactionSchema } from './redaction-schema.ts';
import { secretsSchema } from './secrets-schema.ts';
import { storageUrl } from './storage-schema.ts';
import { address, count, duration, filePath, glob, name, rate, size } from './schema-words.ts';
import { serverSchema } from './server-schema.ts';
import { telemetrySchema } from './telemetry-schema.ts';

const limit = z
  .strictObject({
    per: z
      .enum(['principal', 'tool', 'server', 'client', 'tenant', 'address', 'call'])
      .describe(
        'What each has a bucket of its own. `tool` and `server` count the callers of a tenant together; `call` counts the ' +
          'same tool with the same arguments by one caller.',
      ),
    server: z.string().optional().describe('Only calls to this server.'),
    tool: glob.optional().describe('Only tools whose name matches this glob (* and ?).'),
    risk: z.enum(['low', 'medium', 'high']).optional().describe('Only tools that you marked with this risk.'),
    rate: rate.optional().describe('How many in which time, for example 600/minute.'),
    burst: count.optional().describe('How many at once. Default: the number in `rate`.'),
    concurrent: count.optional().describe('How many at a time, instead of `rate`.'),
  })
  .superRefine((written, context) => {
    const problem = (message: string): void => context.addIssue({ code: 'custom', message });
    if ((written.rate === undefined) === (written.concurrent === undefined)) {
      problem('needs exactly one of rate and concurrent.');
    }
    if (written.burst !== undefined && written.rate === undefined) problem('has a burst, which belongs to rate.');
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

const tls = z
  .strictObject({
    certificate: filePath.describe('The certificate of the gateway and its chain, as PEM. Read again when it changes.'),
    key: filePath.describe('Its private key, as PEM.'),
    clientCertificates: z
      .enum(['off', 'optional', 'required'])
      .default('off')
      .describe(
        'Whether callers are asked for a certificate (`identity.workloads`), and whether every request needs one.',
      ),
  })
  .describe('TLS on `listen`. Without it the gateway speaks plain HTTP, for loopback or behind a proxy.');

/** The whole file; `servers` is a parameter because a bad server must not spoil the file it stands in. */
function fileSchema<S extends z.ZodType>(server: S) {
  return z
    .strictObject({
      listen: address.prefault('127.0.0.1:8080').describe('Where clients connect.'),
      publicUrl: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe('The URL that clients type, when it is not http(s)://<listen>. Token audiences are made from it.'),
      tls: tls.optional(),
      operations: z
        .union([z.literal('off'), address])
        .prefault('127.0.0.1:9090')
        .describe('Where metrics, health and status are served, or off. Not for clients.'),
      keys: z
        .strictObject({ file: filePath.describe('Created with mode 0600 on first start.') })
        .prefault({ file: './data/keys.json' })
        .describe('The key ring for everything that is sealed: sessions, cursors, states.'),
      storage: z
        .strictObject({
          url: storageUrl.describe(
            '`sqlite:./file`, `postgres://user@host/database`, `memory:` (nothing survives), or a reference to such a ' +
              'URL: `env:DATABASE_URL`, `file:/path`, or one to a store of `secrets`. A URL with a password has to be a reference.',
          ),
        })
        .prefault({ url: 'sqlite:./data/sallyport.db' })
        .describe('Where API keys of `sallyport key create` and approvals are kept.'),
      replicas: replicasSchema,
      secrets: secretsSchema,
      credentials: credentialsSchema,
      identity: identitySchema,
      servers: z.record(z.string(), server).default({}).describe('The MCP servers behind the gateway.'),
      endpoints: z
        .strictObject({
          aggregate: z
            .strictObject({
              readOnly: z
                .boolean()
                .default(false)
                .describe('Only tools marked readOnly are there, whatever policies say.'),
            })
            .prefault({})
            .describe('Of /mcp.'),
          legacySse: z
            .boolean()
            .default(false)
            .describe(
              'Whether clients of 2024-11-05 are served as well, over HTTP+SSE at /sse and /servers/{id}/sse. Off: every ' +
                'such session is an open connection that one replica alone can serve.',
            ),
        })
        .prefault({})
        .describe(
          'Ceilings of endpoints, and more ways to them. The ceiling of /servers/{id}/mcp is the `readOnly` of the server.',
        ),
      policies: z
        .array(filePath)
        .default([])
        .describe('Cedar files, or folders of them. Everything is denied by default, and forbid wins.'),
      approvals: approvalsSchema,
      questions: questionsSchema,
      resumption: resumptionSchema,
      subscriptions: subscriptionsSchema,
      tasks: tasksSchema,
      limits: z.array(limit).default([]).describe('How often, and how many at a time.'),
      loopBreaker: z
        .union([z.literal('off'), rate])
        .prefault('120/minute')
        .describe(
          'How often one caller may make the same call with the same arguments: agents can go in circles. Or off.',
        ),
      audit: auditSchema,
      telemetry: telemetrySchema,
      redaction: redactionSchema,
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
      drainDelay: z
        .union([z.literal('off'), duration])
        .prefault('off')
        .transform((written) => (written === 'off' ? 0 : written))
        .describe(
          'After SIGTERM: how long it goes on as before while /readyz already says that it is draining, so that load ' +
            'balancers stop sending before it stops taking. Longer than their check takes to notice, or off.',
        ),
      drain: duration.prefault('20s').describe('How long open calls may go on when the gateway is asked to stop.'),
    })
    .refine(
      ({ tls: own, identity }) =>
        own === undefined || own.clientCertificates === 'off' || identity.workloads.trustDomains.length > 0,
      {
        message: 'needs identity.workloads.trustDomains: without them no certificate could be accepted.',
        path: ['tls', 'clientCertificates'],
      },
    )
    .refine(({ credentials, secrets }) => credentials.transit === undefined || secrets.vault !== undefined, {
      message: 'is a key of the store secrets.vault, which is not there.',
      path: ['credentials', 'transit'],
    })
    .describe('The configuration of Sallyport.');
}

/** For the loader: servers are looked at one by one, with `serverSchema`. */
export const looseFileSchema = fileSchema(z.unknown());

/** For editors and the reference page. */
export const strictFileSchema = fileSchema(serverSchema);

export type ParsedFile = z.output<typeof looseFileSchema>;
