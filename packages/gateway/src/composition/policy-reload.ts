/**
 * What a configuration file that was read again means for the policies in force: the new set, or why it is refused. Access
 * that opens by accident is what this guards against: a folder that was unmounted, a file that was cut off.
 */

import path from 'node:path';

import type { Config } from '../config/config.ts';
import type { ServerConfig } from '../config/server-config.ts';
import type { LoadedConfig } from '../config/load.ts';
import { isFatal, type ConfigProblem } from '../config/problem.ts';
import { err, ok, type Result } from '../model/result.ts';

export type Reloaded = {
  /** What is in force, with the policies and the `allow` lists of the file. */
  readonly config: Config;
  /** Settings of the file that differ from the running gateway's: they take a restart. */
  readonly restart: readonly string[];
};

export type ReloadParts = {
  /** What the gateway was started with. */
  readonly started: Config;
  /** What is in force: `started` with the policies of the last swap. */
  readonly inForce: Config;
  /** The entries of `policies` in the file as it is now, absolute. */
  readonly places: readonly string[];
};

/** The error is one line for each problem. */
export function judgeReload(
  loaded: Result<LoadedConfig, readonly ConfigProblem[]>,
  { started, inForce, places }: ReloadParts,
): Result<Reloaded, readonly string[]> {
  if (!loaded.ok) return err(loaded.error.filter(isFatal).map(line));
  const { config } = loaded.value;
  const running = new Set(started.servers.map(({ id }) => id));
  const broken = loaded.value.problems.filter(({ server }) => server !== undefined && running.has(server));
  const problems = [...broken.map(line), ...emptied(config, inForce, places)];
  if (problems.length > 0) return err(problems);
  const allowed = new Map(config.servers.map(({ id, allow }) => [id, allow]));
  return ok({
    config: {
      ...started,
      policies: config.policies,
      // A server that is gone from the file runs until the restart, and nobody is allowed to use it by it.
      servers: started.servers.map((server) => ({ ...server, allow: allowed.get(server.id) ?? [] })),
    },
    restart: differences(started, config),
  });
}

/** Do two configurations ask for the same policies? Then nothing has to be compiled. */
export const samePolicies = (one: Config, other: Config): boolean =>
  JSON.stringify(policiesOf(one)) === JSON.stringify(policiesOf(other));

const policiesOf = ({ policies, servers }: Config): unknown => [policies, servers.map(({ id, allow }) => [id, allow])];

/**
 * A file that is removed from a folder is gone on purpose; a folder that has no file left is more likely a volume that is not
 * mounted, and a configuration that names no policies any more one that was cut off. A restart takes either at its word.
 */
function emptied(config: Config, inForce: Config, places: readonly string[]): string[] {
  if (inForce.policies.length > 0 && config.policies.length === 0) {
    return [`No policy file is left; ${inForce.policies.length} are in force. If that is meant, restart the gateway.`];
  }
  const filesIn = ({ policies, directory }: Config, place: string): number =>
    policies.filter(({ name }) => path.dirname(path.resolve(directory, name)) === place).length;
  return places.flatMap((place) => {
    const before = filesIn(inForce, place);
    if (before === 0 || filesIn(config, place) > 0 || isOneFile(config, place)) return [];
    return [
      `${place} has no policy file left; ${before} of it are in force. ` +
        'If that is meant, take it out of `policies`, or restart the gateway.',
    ];
  });
}

const isOneFile = ({ policies, directory }: Config, place: string): boolean =>
  policies.some(({ name }) => path.resolve(directory, name) === place);

/** `limits`, `servers.files.tools`: what only a restart puts in force. */
function differences(started: Config, config: Config): string[] {
  const { policies: _p, servers: running, disabledServers: _d, ...rest } = started;
  const { policies: _np, servers: written, disabledServers: _nd, ...newRest } = config;
  const ids = [...new Set([...running, ...written].map(({ id }) => id))];
  return [
    ...changedKeys(rest, newRest),
    ...ids.flatMap((id) => {
      const before = running.find((server) => server.id === id);
      const after = written.find((server) => server.id === id);
      if (before === undefined || after === undefined) return [`servers.${id}`];
      return changedKeys(withoutAllow(before), withoutAllow(after)).map((key) => `servers.${id}.${key}`);
    }),
  ];
}

const withoutAllow = ({ allow: _allow, ...server }: ServerConfig): Omit<ServerConfig, 'allow'> => server;

function changedKeys(one: object, other: object): string[] {
  const before = new Map<string, unknown>(Object.entries(one));
  const after = new Map<string, unknown>(Object.entries(other));
  return [...new Set([...before.keys(), ...after.keys()])].filter(
    (key) => JSON.stringify(before.get(key)) !== JSON.stringify(after.get(key)),
  );
}

function line({ file, line: at, column, path: setting, message, mend }: ConfigProblem): string {
  const place = at > 0 ? `${file}:${at}:${column}` : file;
  return [`${place}:`, setting, message, mend].filter((part) => part !== undefined && part !== '').join(' ');
}
