/** `sallyport key list`: every API key that can let somebody in, or could. */

import type { LoadedConfig } from '../config/load.ts';
import { requireConfig } from './check.ts';
import { TYPED } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { instantText } from './instant.ts';
import { withKeys } from './key-store.ts';
import { table } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export type KeyListOptions = { readonly config: string; readonly tenant?: string; readonly json: boolean };

type Listed = {
  readonly name: string;
  readonly tenant: string;
  readonly groups: readonly string[];
  /** A key of the configuration is there as a hash alone: it has no hint, and nobody notes when it is used. */
  readonly from: 'storage' | 'configuration';
  readonly hint?: string;
  readonly createdAtMs?: number;
  readonly expiresAtMs?: number;
  readonly lastUsedAtMs?: number;
  readonly state: 'active' | 'expired' | 'revoked';
};

export async function keyList(context: CommandContext, options: KeyListOptions): Promise<ExitCode> {
  const { terminal } = context;
  const loaded = requireConfig(context, options.config);
  const nowMs = Date.now();
  const stored = await storedKeys(loaded, nowMs);
  const all = [...configuredKeys(loaded, nowMs), ...stored];
  const keys = all.filter(({ tenant }) => tenant === (options.tenant ?? tenant));
  if (options.json) terminal.out(JSON.stringify(keys.map(plain), null, 2));
  else print(keys, terminal);
  return EXIT.done;
}

const configuredKeys = ({ config }: LoadedConfig, nowMs: number): readonly Listed[] =>
  config.identity.apiKeys.map(({ name, tenant, groups, expiresAtMs }) => ({
    name,
    tenant,
    groups,
    from: 'configuration',
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    state: expiresAtMs !== undefined && nowMs >= expiresAtMs ? 'expired' : 'active',
  }));

const storedKeys = (loaded: LoadedConfig, nowMs: number): Promise<readonly Listed[]> =>
  withKeys(loaded, async (keys) => {
    const stored = (await keys?.store.list()) ?? [];
    return stored.map(({ id: _id, hash: _hash, revokedAtMs, ...key }) => {
      const expired = key.expiresAtMs !== undefined && nowMs >= key.expiresAtMs;
      return {
        ...key,
        from: 'storage',
        state: revokedAtMs === undefined ? (expired ? 'expired' : 'active') : 'revoked',
      };
    });
  });

function print(keys: readonly Listed[], terminal: Terminal): void {
  if (keys.length === 0) {
    terminal.out('There is no API key.');
    terminal.err(`Type: ${TYPED} key create <name> --group <group>`);
    return;
  }
  const head = ['name', 'tenant', 'groups', 'key', 'created', 'expires', 'last used', 'state', 'kept in'];
  for (const [index, line] of table([head, ...keys.map(row)]).entries()) {
    const state = keys[index - 1]?.state;
    terminal.out(state === 'active' ? line : terminal.dim(line));
  }
  terminal.out('');
  terminal.out(
    terminal.dim('Times are UTC. A use is noted within about a minute; keys of the configuration are not noted.'),
  );
}

function row({ name, tenant, groups, hint, createdAtMs, expiresAtMs, lastUsedAtMs, state, from }: Listed): string[] {
  const when = (atMs: number | undefined, otherwise: string): string =>
    atMs === undefined ? otherwise : instantText(atMs);
  return [
    name,
    tenant,
    groups.length === 0 ? '-' : groups.join(', '),
    hint === undefined ? '-' : `${hint}…`,
    when(createdAtMs, '-'),
    when(expiresAtMs, 'never'),
    when(lastUsedAtMs, from === 'storage' ? 'never' : '-'),
    state,
    from,
  ];
}

function plain({ createdAtMs, expiresAtMs, lastUsedAtMs, ...key }: Listed): object {
  const iso = (atMs: number | undefined): string | undefined =>
    atMs === undefined ? undefined : new Date(atMs).toISOString();
  return { ...key, created: iso(createdAtMs), expires: iso(expiresAtMs), lastUsed: iso(lastUsedAtMs) };
}
