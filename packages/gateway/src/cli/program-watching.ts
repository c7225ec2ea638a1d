/** The commands of the command line that tell what was used and what is going on. */

import type { Command } from 'commander';

import { TYPED, type CommandContext } from './command.ts';
import { configOption, operationsUrlOption, type Ended } from './options.ts';
import type { TopOptions } from './top.ts';
import type { UsageOptions } from './usage.ts';

export function addWatching(program: Command, context: CommandContext, ended: Ended): void {
  program
    .command('usage')
    .description('What tools were used for in a month: calls, people, errors, speed, tokens, and the minutes saved.')
    .argument('[file]', "default: the configuration's audit file, with those before it")
    .addOption(configOption())
    .option('--month <month>', 'for example 2026-11, in UTC; default: the present one')
    .option('--by <what>', 'server, tool or user', 'server')
    .option('--tenant <name>', 'of this tenant alone')
    .option('--csv', 'for spreadsheets', false)
    .option('--json', 'print it as JSON', false)
    .addHelpText(
      'after',
      `\nExamples:\n  ${TYPED} usage --month 2026-11 --by tool\n  ${TYPED} usage --month 2026-11 --csv > usage.csv\n\n` +
        "What a call saves is its owner's word: tools: { read_file: { minutesSaved: 5 } }.",
    )
    .action(async (file: string | undefined, options: Omit<UsageOptions, 'file'>) => {
      const { usage } = await import('./usage.ts');
      ended(await usage(context, file === undefined ? options : { ...options, file }));
    });
  program
    .command('top')
    .description('A running gateway, live: calls per second, the slowest tools, errors, who has calls in flight.')
    .addOption(operationsUrlOption())
    .option('--once', 'print it once, as it does where standard output is no terminal', false)
    .option('--json', 'print it once, as JSON', false)
    .addHelpText('after', '\nCtrl-C ends it.')
    .action(async (options: TopOptions) => {
      const { top } = await import('./top.ts');
      const interrupted = new AbortController();
      process.once('SIGINT', () => interrupted.abort()).once('SIGTERM', () => interrupted.abort());
      ended(await top(context, options, interrupted.signal));
    });
}
