/** `sallyport policy …`: what the commands about policies take, and their help. */

import type { Command } from 'commander';

import type { PolicyExplainOptions } from './policy-explain.ts';
import { TYPED } from './command.ts';
import type { CommandContext } from './command.ts';
import { collect, operationsUrlOption, type Ended } from './options.ts';

export function addPolicies(program: Command, context: CommandContext, ended: Ended): void {
  const policy = program.command('policy').description('Test and explain policies.').helpCommand(false);
  addTest(policy, context, ended);
  addExplain(policy, context, ended);
}

function addTest(policy: Command, context: CommandContext, ended: Ended): void {
  policy
    .command('test')
    .description('Run table tests of decisions. Needs no gateway. Exit code 1 when a case fails.')
    .argument('<file|folder>', 'a YAML file of cases, or a folder of *.test.yaml')
    .option('-c, --config <file>', 'whose policies decide, for files that bring none of their own')
    .option('--json', 'print it as JSON', false)
    .addHelpText(
      'after',
      `\nExample:\n  ${TYPED} policy test examples/policies\n\nThe files are explained in docs/policy.md.`,
    )
    .action(async (place: string, options: { config?: string; json: boolean }) => {
      const { policyTest } = await import('./policy-test.ts');
      ended(await policyTest(context, { place, ...options }));
    });
}

function addExplain(policy: Command, context: CommandContext, ended: Ended): void {
  policy
    .command('explain')
    .description('What is decided, by which policies, and why. Exit code 4 when it is refused.')
    .requiredOption('--as <caller>', 'the name of an API key, <issuer>#<subject>, or anybody together with --group')
    .option('--tool <server/tool>', 'for example files/read_text_file')
    .option('--prompt <server/prompt>', 'instead of a tool')
    .option('--resource <server/uri>', 'instead of a tool')
    .option('--server <id>', 'instead of a tool: may they connect to it?')
    .option('--args <object>', 'the arguments as a JSON object, or - for standard input; without it they are unknown')
    .option('-g, --group <name>', 'a group of the caller; may be repeated', collect, [])
    .option('--surface <name>', 'what the client calls itself')
    .option('--workload <spiffe-id>', 'the workload that the call comes from')
    .option('--now <time>', 'decide as at this time, for example 2027-01-31T22:00:00Z')
    .option('-c, --config <file>', "whose policies decide; default: the running gateway's own file")
    .addOption(operationsUrlOption())
    .option('--json', 'print it as JSON', false)
    .addHelpText(
      'after',
      `\nExamples:\n  ${TYPED} policy explain --as bob --tool files/read_text_file --args '{"path": "a.txt"}'\n` +
        `  ${TYPED} policy explain --as 'https://idp.example#1234' --group dba --tool db/query\n\n` +
        'Tools, their traits and schemas come from the running gateway. With -c it works without one.',
    )
    .action(async (options: PolicyExplainOptions) => {
      const { policyExplain } = await import('./policy-explain.ts');
      ended(await policyExplain(context, options));
    });
}
