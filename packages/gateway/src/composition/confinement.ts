/** What a server that the gateway starts may do here: its settings, the programs that enforce them, and our own files hidden. */

import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';

import type { Config } from '../config/config.ts';
import type { StdioTransport } from '../config/server-config.ts';
import type { Environment } from '../config/load.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ConfiningTools, Sandbox } from '../upstream/stdio/confine.ts';
import type { StdioConnectorOptions } from '../upstream/stdio/stdio-connector.ts';

/** Looked for once: a program that is installed later is used after a restart. */
export function findConfiningTools({ PATH = '' }: Environment): ConfiningTools {
  const find = (name: string): string | undefined =>
    process.platform === 'linux'
      ? PATH.split(path.delimiter)
          .filter((folder) => path.isAbsolute(folder))
          .map((folder) => path.join(folder, name))
          .find(isExecutable)
      : undefined;
  return { bwrap: find('bwrap'), prlimit: find('prlimit') };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function confinementOf(
  { process: { group, limits, sandbox } }: StdioTransport,
  config: Config,
  tools: ConfiningTools,
): Pick<StdioConnectorOptions, 'confinement'> {
  if (sandbox === undefined) return { confinement: { group, limits, tools } };
  return {
    confinement: {
      group,
      limits,
      tools,
      // Asked at each start: the record, for one, is made by the gateway itself.
      sandbox: () => ({
        ...sandbox,
        hide: sandbox.hide.filter((folder) => existsSync(folder)),
        own: ownPlaces(config),
      }),
    },
  };
}

/**
 * Key ring, record and database: a server in a sandbox runs as our own user, who may read them. A whole folder, unless the
 * configuration lies in it, because servers are started there: then the files.
 */
function ownPlaces({ keys, audit, storage, directory }: Config): Sandbox['own'] {
  const all = [keys.file, audit.file, ...(storage.kind === 'sqlite' ? [storage.file] : [])];
  const files = all.filter((file) => isWithin(directory, path.dirname(file)));
  const folders = new Set(all.filter((file) => !files.includes(file)).map((file) => path.dirname(file)));
  return { folders: [...folders].filter((one) => existsSync(one)), files: files.filter((one) => existsSync(one)) };
}

const isWithin = (inner: string, outer: string): boolean => {
  const relative = path.relative(outer, inner);
  return relative === '' || !(relative.startsWith('..') || path.isAbsolute(relative));
};

/** At the start, for whoever reads the log: what cannot be enforced here, and whom it stops. */
export function tellMissingTools(config: Config, tools: ConfiningTools, logger: Logger): void {
  for (const { id, transport } of config.servers) {
    if (transport.kind !== 'stdio') continue;
    const { sandbox, limits } = transport.process;
    if (sandbox !== undefined && tools.bwrap === undefined)
      logger.warn({ server: id }, 'its sandbox needs bwrap (bubblewrap), which is not here: it will not be started');
    if (Object.keys(limits).length > 0 && tools.prlimit === undefined)
      logger.warn({ server: id }, 'its limits need prlimit (util-linux), which is not here: it will not be started');
  }
}
