/** The commands of the command line about what servers are called with. */

import type { Command } from 'commander';

import { TYPED, type CommandContext } from './command.ts';
import type { CredentialsOptions } from './credentials.ts';
import { operationsUrlOption, type Ended } from './options.ts';

export function addCredentials(program: Command, context: CommandContext, ended: Ended): void {
  const credentials = program.command('credentials').description('What the gateway calls servers with. Never a value.');
  credentials
    .command('list')
    .description('Of a running gateway: owner, server, age, end, last use, last failure.')
    .addOption(operationsUrlOption())
    .option('--json', 'print it as JSON', false)
    .addHelpText('after', `\nExamples:\n  ${TYPED} credentials list\n  ${TYPED} credentials list --json`)
    .action(async (options: CredentialsOptions) => {
      const { listCredentials } = await import('./credentials.ts');
      ended(await listCredentials(context, options));
    });
}
