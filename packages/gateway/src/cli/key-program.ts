/** The commands below `key`. */

import { Option, type Command } from 'commander';

import { TYPED } from './command.ts';
import type { CommandContext } from './command.ts';
import { collect, configOption, type Ended } from './options.ts';

const INSTANT = 'a time such as 90d, 12h or 2w from now, or a date such as 2027-01-31 (UTC)';

const tenantOption = (): Option =>
  new Option('--tenant <name>', 'the tenant; "default" unless you serve several').default('default');

export function addKeys(program: Command, context: CommandContext, ended: Ended): void {
  const key = program
    .command('key')
    .description('API keys: make, list, expire and revoke them, also while gateways run.')
    .helpCommand(false);
  addKeyCreate(key, context, ended);
  key
    .command('list')
    .description('Every API key: whose it is, whether it is good, and when it was last used. Never the key itself.')
    .addOption(configOption())
    .option('--tenant <name>', 'only keys of this tenant')
    .option('--json', 'print it as JSON', false)
    .action(async (options: { config: string; tenant?: string; json: boolean }) => {
      const { keyList } = await import('./key-list.ts');
      ended(await keyList(context, options));
    });
  key
    .command('expire')
    .description('Let an API key end: now, or at a time. A later time than before makes an expired key good again.')
    .argument('<name>', 'whose key it is')
    .addOption(configOption())
    .addOption(tenantOption())
    .option('--at <date>', `when: ${INSTANT}`)
    .option('--in <time>', 'how long from now, for example 7d')
    .action(async (name: string, options: { config: string; tenant: string; at?: string; in?: string }) => {
      const { keyExpire } = await import('./key-change.ts');
      ended(await keyExpire(context, { name, ...options }));
    });
  key
    .command('revoke')
    .description('Refuse an API key from now on, for good. Its name is free for another key.')
    .argument('<name>', 'whose key it is')
    .addOption(configOption())
    .addOption(tenantOption())
    .action(async (name: string, options: { config: string; tenant: string }) => {
      const { keyRevoke } = await import('./key-change.ts');
      ended(await keyRevoke(context, { name, ...options }));
    });
}

function addKeyCreate(key: Command, context: CommandContext, ended: Ended): void {
  key
    .command('create')
    .description('Make an API key. It is printed once; only its hash is kept, in the storage of the configuration.')
    .argument('<name>', 'whose key it is; the user in policies, logs and records')
    .addOption(configOption())
    .option('-g, --group <name>', 'a group that policies speak of; may be repeated', collect, [])
    .addOption(tenantOption())
    .option('--expires <when>', INSTANT)
    .option('--print-config', 'keep nothing, and print the line for identity.apiKeys of the configuration', false)
    .addHelpText(
      'after',
      `\nExamples:\n  ${TYPED} key create alice --group engineering\n  ${TYPED} key create ci --expires 90d\n\n` +
        'Where there is no configuration file, the line for one is printed.',
    )
    .action(async (name: string, options: CreateOptions, command: Command) => {
      const { keyCreate } = await import('./key-create.ts');
      const named = command.getOptionValueSource('config') !== 'default';
      ended(await keyCreate(context, { name, configNamed: named, ...options }));
    });
}

type CreateOptions = {
  readonly config: string;
  readonly group: readonly string[];
  readonly tenant: string;
  readonly expires?: string;
  readonly printConfig: boolean;
};
