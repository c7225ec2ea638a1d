/** What `sallyport check` says of accounts and tokens that may do more than tools need, as far as it stands in the file or environment. */

import type { ValueConfig } from '../config/secrets-config.ts';
import type { LoadedConfig } from '../config/load.ts';
import {
  administratorIn,
  administratorInArguments,
  administratorOf,
  broadOf,
  broadScopes,
} from '../config/privileged-account.ts';

/** One line for each; what a file or a store holds is not looked at here. */
export function privilegeWarnings({ config, env }: LoadedConfig): readonly string[] {
  const { storage, servers } = config;
  const valueOf = (value: ValueConfig): string =>
    value.kind === 'literal' ? value.value : value.kind === 'env' ? (env[value.name] ?? '') : '';
  const ofStorage =
    storage.kind === 'postgres' ? storage.url : storage.kind === 'reference' ? valueOf(storage.source) : '';
  return [
    ...asAdministrator('storage.url', administratorIn(ofStorage), 'the gateway needs: its own database'),
    ...servers.flatMap(({ id, transport, auth }) => {
      const at = `servers.${id}`;
      const [group, values] =
        transport.kind === 'http' ? (['headers', transport.headers] as const) : (['env', transport.env] as const);
      return [
        ...(transport.kind === 'http'
          ? asAdministrator(`${at}.url`, administratorIn(transport.url))
          : asAdministrator(`${at}.command`, administratorInArguments(transport.args))),
        ...Object.entries(values).flatMap(([name, value]) => [
          ...asAdministrator(`${at}.${group}.${name}`, administratorOf(name, valueOf(value))),
          ...tooBroad(`${at}.${group}.${name}`, broadScopes(valueOf(value))),
        ]),
        // A person's own consent is theirs to give; what the gateway asks for in its own name is everyone's.
        ...(auth?.type === 'client-credentials' ? tooBroad(`${at}.auth`, broadOf(auth.scopes), NARROWER) : []),
      ];
    }),
  ];
}

const asAdministrator = (
  where: string,
  account: string | undefined,
  wanted = 'its tools need, because whatever a tool is talked into is done with all rights',
): readonly string[] =>
  account === undefined
    ? []
    : [`${where} connects as the administrator "${account}". Make an account that may do no more than ${wanted}.`];

const NARROWER = 'Name the scopes that the tools need.';

const tooBroad = (
  where: string,
  scopes: readonly string[],
  mend = 'Ask its issuer for one with the scopes that the tools need.',
): readonly string[] =>
  scopes.length === 0
    ? []
    : [`${where} is one token for every caller, and its scopes reach far: ${scopes.slice(0, 5).join(', ')}. ${mend}`];
