/** The commands of the command line about what servers are called with, and the keys that protect it. */

import { Option, type Command } from 'commander';

import { TYPED, type CommandContext } from './command.ts';
import type { CredentialsRevokeOptions } from './credentials-revoke.ts';
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
  addRevoke(credentials, context, ended);
  addRotateKey(credentials, context, ended);
}

function addRotateKey(credentials: Command, context: CommandContext, ended: Ended): void {
  credentials
    .command('rotate-key')
    .description('Encrypt the tokens of people under a new key, while gateways run. It can be stopped and begun again.')
    .addOption(configOption())
    .addOption(new Option('--prepare', 'only add a key to the ring, to be used later').default(false))
    .option('--use <id>', 'use a key that is in the ring already')
    .option('--continue', 'add no key; wrap anew what is under an older one', false)
    .addHelpText(
      'after',
      `\nWhere gateways have copies of the key ring: --prepare, copy the file to all of them, then --use the new key.\n` +
        'A transit key (credentials.transit) is rotated in its Vault; --continue wraps anew what was written before.\n\n' +
        `Examples:\n  ${TYPED} credentials rotate-key\n  ${TYPED} credentials rotate-key --prepare`,
    )
    .action(async (options: CredentialsRotateOptions) => {
      const { credentialsRotate } = await import('./credentials-rotate.ts');
      ended(await credentialsRotate(context, options));
    });
}

function addRevoke(credentials: Command, context: CommandContext, ended: Ended): void {
  credentials
    .command('revoke')
    .description(
      "End people's log-ins for servers: a person's, a server's, or all. Felt by every gateway within 5 seconds.",
    )
    .addOption(configOption())
    .option('--user <name>', 'whose: the subject as their identity provider names it, or the name of an API key')
    .option('--server <id>', 'for this server alone')
    .option('--tenant <name>', 'of this tenant alone')
    .option('--all', 'everyone, for every server', false)
    .option('--yes', 'ask nothing', false)
    .option('--json', 'print it as JSON', false)
    .addHelpText(
      'after',
      `\nExamples:\n  ${TYPED} credentials revoke --user alice\n  ${TYPED} credentials revoke --server tickets\n` +
        `  ${TYPED} credentials revoke --all --yes`,
    )
    .action(async (options: CredentialsRevokeOptions) => {
      const { credentialsRevoke } = await import('./credentials-revoke.ts');
      ended(await credentialsRevoke(context, options));
    });
}
