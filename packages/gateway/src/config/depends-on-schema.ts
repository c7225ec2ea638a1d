/** Settings of `dependsOn`: what a server needs to be of use, and how to see whether it is there. Operators read the descriptions. */

import * as z from 'zod';

import type { DependencyProbe } from './server-config.ts';
import { duration, name } from './schema-words.ts';

const HOST_AND_PORT = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$/;

const dependency = z
  .strictObject({
    name: name.describe('What people call it: it stands in status, metrics and alerts.'),
    url: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('It is there when it answers a GET of this URL with a status below 500.'),
    tcp: z.string().regex(HOST_AND_PORT).optional().describe('host:port. It is there when it takes a connection.'),
    tool: name
      .optional()
      .describe(
        'A tool of the server that you marked readOnly and that does no harm: it is there when the tool succeeds. ' +
          'The process of a `command` is kept running by it.',
      ),
    arguments: z.record(z.string(), z.json()).default({}).describe('For `tool`.'),
    every: duration.prefault('30s').describe('How often it is looked at, give or take a quarter.'),
    timeout: duration.prefault('5s').describe('How long an answer may take.'),
  })
  .superRefine((written, context) => {
    const problem = (message: string, path: string[] = []): void => context.addIssue({ code: 'custom', message, path });
    const ways = [written.url, written.tcp, written.tool].filter((way) => way !== undefined);
    if (ways.length !== 1) problem('needs exactly one of url, tcp and tool.');
    if (written.tool === undefined && Object.keys(written.arguments).length > 0)
      problem('belongs to tool.', ['arguments']);
  });

export const dependsOnSchema = z
  .array(dependency)
  .max(20)
  .default([])
  .refine((all) => new Set(all.map((one) => one.name)).size === all.length, { message: 'names a dependency twice.' })
  .describe('What the server needs to be of use: it may be up while its API is down. Away, the server is degraded.');

type ParsedDependency = z.output<typeof dependency>;

export function compileDependency(written: ParsedDependency): DependencyProbe {
  return { name: written.name, way: wayTo(written), everyMs: written.every, timeoutMs: written.timeout };
}

/** The schema demands exactly one. */
function wayTo({ url, tcp = '', tool, arguments: args }: ParsedDependency): DependencyProbe['way'] {
  if (url !== undefined) return { kind: 'url', url };
  if (tool !== undefined) return { kind: 'tool', tool, arguments: args };
  const colon = tcp.lastIndexOf(':');
  return { kind: 'tcp', host: tcp.slice(0, colon).replaceAll(/[[\]]/g, ''), port: Number(tcp.slice(colon + 1)) };
}
