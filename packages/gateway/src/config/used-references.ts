/** Every reference of a configuration, and the setting that it stands in: for lists and checks. */

import type { Config } from './config.ts';
import type { ReferenceConfig, ValueConfig } from './secrets-config.ts';

export type UsedReference = {
  /** `servers.crm.headers.Authorization` */
  readonly usedBy: string;
  readonly source: ReferenceConfig;
};

export function usedReferences(config: Config): readonly UsedReference[] {
  const { servers, identity, storage, telemetry, audit } = config;
  const written: readonly Written[] = [
    ...servers.flatMap(({ id, transport }) =>
      transport.kind === 'http'
        ? named(`servers.${id}.headers`, transport.headers)
        : named(`servers.${id}.env`, transport.env),
    ),
    ...servers.flatMap(({ id, auth }) =>
      auth?.type === 'principal'
        ? [
            ...named(`servers.${id}.auth.lists.headers`, auth.lists.headers),
            ...named(`servers.${id}.auth.lists.env`, auth.lists.env),
          ]
        : [],
    ),
    ...identity.issuers.map(({ issuer, login }) => [`the login of ${issuer}`, login?.clientSecret] as const),
    ...named('telemetry.otlp.headers', telemetry?.headers ?? {}),
    ...audit.sinks.flatMap(({ name, url, headers }): readonly Written[] => [
      [`the url of the sink ${name}`, url],
      ...named(`the headers of the sink ${name}`, headers),
    ]),
    ...openers(config),
    ['storage.url', storage.kind === 'reference' ? storage.source : undefined],
  ];
  return written.flatMap(([usedBy, source]) =>
    source === undefined || source.kind === 'literal' ? [] : [{ usedBy, source }],
  );
}

type Written = readonly [usedBy: string, source: ValueConfig | undefined];

const named = (of: string, values: Readonly<Record<string, ValueConfig>>): readonly Written[] =>
  Object.entries(values).map(([name, value]) => [`${of}.${name}`, value] as const);

/** What stores are opened with. */
function openers({ secrets }: Config): readonly Written[] {
  const { exec, vault, 'aws-sm': aws } = secrets;
  const ofVault = Object.entries(vault?.auth ?? {}).flatMap(([name, value]): readonly Written[] =>
    typeof value === 'object' ? [[`secrets.vault.auth.${name}`, value]] : [],
  );
  return [
    ...Object.entries(exec).flatMap(([name, { env }]) => named(`secrets.exec.${name}.env`, env)),
    ...ofVault,
    ['secrets.aws-sm.accessKeyId', aws?.accessKeyId],
    ['secrets.aws-sm.secretAccessKey', aws?.secretAccessKey],
    ['secrets.aws-sm.sessionToken', aws?.sessionToken],
  ];
}
