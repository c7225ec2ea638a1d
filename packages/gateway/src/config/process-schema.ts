/** Settings of `process` and `sandbox`: what a server that the gateway starts may do. Every description is read by operators. */

import path from 'node:path';

import * as z from 'zod';

import type { ProcessConfig } from './server-config.ts';
import { count, filePath, period, size } from './schema-words.ts';

export const processSchema = z
  .strictObject({
    memory: size
      .optional()
      .describe('Resident memory of it and what it starts, together; looked at every second. Above it, all are ended.'),
    processes: count.optional().describe('How many it and what it starts may be. Above it, all are ended.'),
    openFiles: count.optional().describe('Files and connections that each may have open.'),
    fileSize: size.optional().describe('The largest file that it may write.'),
    cpu: period.optional().describe('CPU time of each process, from its start to its end.'),
  })
  .prefault({})
  .describe('Limits for a `command`. Linux; openFiles, fileSize and cpu need `prlimit` of util-linux.');

export const sandboxSchema = z
  .strictObject({
    network: z.boolean().default(false).describe('It may use the network.'),
    write: z.array(filePath).default([]).describe('Files and folders that it may change; all else is read-only.'),
    read: z
      .array(filePath)
      .default([])
      .describe('What it sees also within `hide` and /tmp, beside the folder that it runs in.'),
    hide: z.array(filePath).default([]).describe("Folders that it sees as empty, beside the gateway's own files."),
  })
  .optional()
  .describe(
    'Runs a `command` in namespaces of its own, with a read-only file system. Linux; needs `bwrap` of bubblewrap.',
  );

export function compileProcess(
  limits: z.output<typeof processSchema>,
  sandbox: z.output<typeof sandboxSchema>,
  directory: string,
): ProcessConfig {
  const { memory, processes, openFiles, fileSize, cpu } = limits;
  const absolute = (file: string): string => path.resolve(directory, file);
  return {
    group: {
      ...(memory === undefined ? {} : { memoryBytes: memory }),
      ...(processes === undefined ? {} : { processes }),
    },
    limits: {
      ...(openFiles === undefined ? {} : { openFiles }),
      ...(fileSize === undefined ? {} : { fileBytes: fileSize }),
      ...(cpu === undefined ? {} : { cpuSeconds: Math.max(1, Math.ceil(cpu / 1000)) }),
    },
    sandbox:
      sandbox === undefined
        ? undefined
        : {
            network: sandbox.network,
            write: sandbox.write.map(absolute),
            read: sandbox.read.map(absolute),
            hide: sandbox.hide.map(absolute),
          },
  };
}
