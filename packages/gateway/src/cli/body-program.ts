/** The commands about bodies and people: what they take, and their help. */

import type { Command } from 'commander';

import type { AuditEraseOptions, AuditExportOptions } from './audit-person.ts';
import { TYPED, type CommandContext } from './command.ts';
import { configOption, type Ended } from './options.ts';

const aboutPerson = (command: Command): Command =>
  command
    .addOption(configOption())
    .requiredOption('--person <subject or name>', 'whose: the subject, or the name that audit search shows')
    .option('--issuer <issuer>', 'whose subject it is, where two go by one name')
    .option('--tenant <tenant>', 'of this tenant');

/** Below `audit`. */
export function addBodies(audit: Command, context: CommandContext, ended: Ended): void {
  audit
    .command('body')
    .description('What a call was made with and answered, where bodies are kept, and whether the record proves it.')
    .argument('<request id>', 'as audit search --json, an error message or a log line names it')
    .addOption(configOption())
    .option('--json', 'print it as one line of JSON', false)
    .action(async (request: string, options: { config: string; json: boolean }) => {
      const { auditBody } = await import('./audit-body.ts');
      ended(await auditBody(context, { request, ...options }));
    });
  aboutPerson(
    audit.command('export').description('Everything that is recorded of a person, with the bodies of their calls.'),
  )
    .requiredOption('-o, --output <folder>', 'a new folder: records, bodies, a manifest')
    .option('--since <time>', 'how long ago (30m, 2h, 7d), or a date')
    .option('--until <time>', 'the same')
    .addHelpText('after', `\nExample:\n  ${TYPED} audit export --person alice --output ./alice`)
    .action(async (options: AuditExportOptions) => {
      const { auditExport } = await import('./audit-person.ts');
      ended(await auditExport(context, options));
    });
  aboutPerson(
    audit.command('erase').description("Erase the bodies of a person's calls for good. The record stays provable."),
  )
    .option('-y, --yes', 'do not ask', false)
    .action(async (options: AuditEraseOptions) => {
      const { auditErase } = await import('./audit-person.ts');
      ended(await auditErase(context, options));
    });
}
