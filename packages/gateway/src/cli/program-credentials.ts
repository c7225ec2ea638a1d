/** The commands of the command line about what servers are called with, and the keys that protect it. */

import { Option, type Command } from 'commander';

import { TYPED, type CommandContext } from './command.ts';
import type { CredentialsRotateOptions } from './credentials-rotate.ts';
import type { CredentialsOptions } from './credentials.ts';
import { configOption, operationsUrlOption, type Ended } from './options.ts';

export function addCredentials(program: Command, context: CommandContext, ended: Ended): void {
  const credentials = program
    .command('credentials')
    .description('What the gateway calls servers with, tokens of people among it. Never a value.')
    .helpCommand(false);
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
  addRotateKey(credentials, context, ended);
}

function addRotateKey(credentials: Command, context: CommandContext, ended: Ended): void {
  credentials
    .command('rotate-key')
    .description('Encrypt the tokens of people under a new key, while gateways run. It can be stopped and begun again.')
    .addOption(configOption())
    .addOption(new Option('--prepare', 'only add a key to the ring, to be used later').default(false))
    .option('--use <id>', 'use a key that is in the ring already')
    .option('--continue', 'add no key; go on with a rotation that was stopped', false)
    .addHelpText(
      'after',
      `\nWhere gateways have copies of the key ring: --prepare, copy the file to all of them, then --use the new key.\n\n` +
        `Examples:\n  ${TYPED} credentials rotate-key\n  ${TYPED} credentials rotate-key --prepare`,
    )
    .action(async (options: CredentialsRotateOptions) => {
      const { credentialsRotate } = await import('./credentials-rotate.ts');
      ended(await credentialsRotate(context, options));
    });
}
