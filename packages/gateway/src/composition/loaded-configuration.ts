/** The configuration that a gateway was started with, as the record tells it: which one it was, and never what is secret in it. */

import { hash } from 'node:crypto';

import type { Config } from '../config/config.ts';
import type { ChangeEvent } from '../model/event.ts';
import { modelServer } from './upstreams.ts';

export type LoadedConfiguration = {
  readonly config: Config;
  readonly file: string;
  readonly policyVersion: string;
  readonly version: string;
};

/** Servers named one by one. */
const MAX_SERVERS = 200;

export function configurationLoaded({ config, file, policyVersion, version }: LoadedConfiguration): ChangeEvent {
  const { servers, disabledServers, policies } = config;
  return {
    kind: 'change',
    operation: 'configuration/load',
    activity: 'activate',
    entity: { type: 'configuration', name: file, after: configurationDigest(config) },
    by: 'start',
    facts: {
      product_version: version,
      policy_version: policyVersion,
      policy_files: policies.length,
      servers: servers.slice(0, MAX_SERVERS).map((server) => ({ id: server.id, version: modelServer(server).version })),
      ...(servers.length > MAX_SERVERS && { more_servers: servers.length - MAX_SERVERS }),
      ...(disabledServers.length > 0 && {
        disabled_servers: disabledServers.slice(0, MAX_SERVERS).map(({ id }) => id),
      }),
    },
  };
}

/**
 * The same for two starts with the same settings. Values that may be secret are left out before it is made, because a digest of
 * everything else and one weak secret would tell the secret to whoever tries: literal values of headers and variables, users,
 * passwords and queries of URLs, and what stands behind `--option=` of a command.
 */
export function configurationDigest(config: Config): string {
  return `sha256:${hash(
    'sha256',
    JSON.stringify(config, (key, value: unknown) => withoutSecret(key, value)),
  )}`;
}

const HAS_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//iu;

function withoutSecret(key: string, value: unknown): unknown {
  if (key === 'args' && Array.isArray(value)) {
    // A secret may also stand alone, behind its option: only options themselves are kept.
    return value.map((argument) => (typeof argument === 'string' ? (/^-{1,2}[\w-]+/u.exec(argument)?.[0] ?? '') : ''));
  }
  if (typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'literal')
    return { kind: 'literal' };
  if (typeof value !== 'string' || !HAS_SCHEME.test(value)) return value;
  if (!URL.canParse(value)) return '';
  const { protocol, host, pathname } = new URL(value);
  return `${protocol}//${host}${pathname}`;
}
