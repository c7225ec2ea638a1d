/** The command line: which commands there are, what they take, and the help that people read first. */

import process from 'node:process';

import { Command, CommanderError, Option } from 'commander';

import { SALLYPORT } from '../protocol/identity.ts';
import type { AuditFilters } from './audit-query.ts';
import type { AuditVerifyOptions } from './audit-verify.ts';
import type { CheckProductionOptions } from './check-production.ts';
import { CommandError, TYPED } from './command.ts';
import type { CommandContext } from './command.ts';
import type { SidecarOptions } from './sidecar.ts';
import { EXIT, EXIT_CODES_HELP } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { addBodies } from './body-program.ts';
import { addKeys } from './key-program.ts';
import { addConnect } from './program-connect.ts';
import { addCredentials } from './program-credentials.ts';
import { collect, configOption, operationsUrlOption, type Ended } from './options.ts';
import { addPolicies } from './program-policy.ts';
import { addWatching } from './program-watching.ts';
import type { ToolsOptions } from './tools.ts';

const DEFAULT_URL = 'http://127.0.0.1:8080';

/** Runs one command line (without the program's own name) and says how it ended. Never throws. */
export async function runCommandLine(args: readonly string[], context: CommandContext): Promise<ExitCode> {
  const ended: { code: ExitCode } = { code: EXIT.done };
  const program = createProgram(context, (code) => {
    ended.code = code;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return ended.code;
  } catch (error) {
    return report(error, context);
  }
}

function report(error: unknown, { terminal }: CommandContext): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof CommandError) {
    terminal.err(terminal.red(error.message));
    if (error.hint !== undefined) terminal.err(error.hint);
    return error.exitCode;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  terminal.err(`${terminal.red('Sallyport failed. This is a fault of the program:')}\n${stack}`);
  return EXIT.failed;
}

/** Each command is loaded when it is run: `key create` has no use for a policy engine. */
function createProgram(context: CommandContext, ended: Ended): Command {
  const program = new Command('sallyport')
    .description('The gateway between AI clients and MCP servers: who may call what, how often, and the record of it.')
    .version(SALLYPORT.version)
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.terminal.out(text.trimEnd()),
      writeErr: (text) => context.terminal.err(text.trimEnd()),
    })
    .showSuggestionAfterError()
    .addHelpText('after', HELP_AFTER);
  addServing(program, context, ended);
  addLooking(program, context, ended);
  addCalling(program, context, ended);
  addConnect(program, context, ended);
  addPolicies(program, context, ended);
  addKeys(program, context, ended);
  addCredentials(program, context, ended);
  addAudit(program, context, ended);
  addWatching(program, context, ended);
  addTrace(program, context, ended);
  for (const command of program.commands) command.copyInheritedSettings(program);
  return program;
}

const HELP_AFTER = `
Examples:
  ${TYPED} serve --config sallyport.yaml
  ${TYPED} check
  ${TYPED} tools --as bob
  ${TYPED} call files/read_text_file --arg path=a.txt

A tool has one address everywhere: server/tool.
Secrets come from the environment: SALLYPORT_KEY is the API key of "call".

${EXIT_CODES_HELP}`;

function addServing(program: Command, context: CommandContext, ended: Ended): void {
  program
    .command('serve')
    .description('Start the gateway. Ctrl-C drains: open calls finish, then it stops; a second Ctrl-C stops at once.')
    .addOption(configOption())
    .option('-l, --listen <address>', 'listen here instead, for example 127.0.0.1:8081')
    .option('--operations <address>', 'metrics, health and status here instead, or off')
    .action(async (options: { config: string; listen?: string; operations?: string }) => {
      const { serve } = await import('./serve.ts');
      ended(await serve(context, options));
    });
  program
    .command('sidecar')
    .description(
      'One server beside one application: a key, policy, limits, audit and health, and no configuration file.',
    )
    .argument('[command...]', 'after --: what starts the server')
    .option('--url <url>', 'the server listens here, instead of a command')
    .option('--name <id>', "the server's id; default: from the command")
    .option('-l, --listen <address>', 'where the application connects', '127.0.0.1:8080')
    .option('--operations <address>', 'metrics, health and status, or off', '127.0.0.1:9090')
    .option('--data <folder>', 'for the key ring and the audit record', './data/sidecar')
    .option('--key <reference>', "the application's API key: env:NAME or file:/path", 'env:SALLYPORT_KEY')
    .option('--allow <pattern>', 'tools, prompts and resources that it may use; may be repeated', collect, [])
    .option('--read-only <pattern>', 'tools that change nothing; may be repeated', collect, [])
    .option('--env <name>', 'a variable that the server gets; may be repeated', collect, [])
    .option('--policies <path>', 'Cedar files or folders; may be repeated', collect, [])
    .option('--rate <rate>', 'calls, for example 600/minute')
    .addHelpText(
      'after',
      `\nExamples:\n  ${TYPED} sidecar --allow "*" --read-only "read_*" -- npx -y @acme/files-server ./files\n` +
        `  ${TYPED} sidecar --allow "*" --url http://127.0.0.1:3000/mcp`,
    )
    .action(async (command: readonly string[], options: Omit<SidecarOptions, 'command'>) => {
      const { sidecar } = await import('./sidecar.ts');
      ended(await sidecar(context, { command, ...options }));
    });
  program
    .command('demo')
    .description('Start the gateway with real servers, a log-in and two API keys, to try it out. npm start does this.')
    .option('-l, --listen <address>', 'listen here instead, for example 127.0.0.1:8081')
    .option('--operations <address>', 'metrics, health and status here instead, or off')
    .option('--identity <address>', 'the log-in page of the demo here instead, on loopback')
    .option('--data <folder>', 'what the demo keeps goes here instead of data/demo')
    .action(async (options: { listen?: string; operations?: string; identity?: string; data?: string }) => {
      const { demo } = await import('./demo.ts');
      ended(await demo(context, options));
    });
}

function addLooking(program: Command, context: CommandContext, ended: Ended): void {
  program
    .command('check')
    .description(
      'Check the configuration and its policies without starting anything; with --production, the deployment checklist.',
    )
    .addOption(configOption())
    .option('--production', 'ten rows, each pass, fail or unknown for this configuration, with evidence', false)
    .option('--url <url>', "production: a running gateway's operations address; default: the configuration's")
    .option('--prometheus <url>', 'production: ask this Prometheus for the alert rules')
    .option('--backup <folder>', 'production: look for copies of what has to be backed up')
    .option(
      '--storage',
      'production: look at stored API keys; opens the database as a gateway of this version does',
      false,
    )
    .option('--json', 'production: print it as JSON', false)
    .addHelpText(
      'after',
      '\nPrints each problem with its line and what to type instead. Exit code 1 when there is one, or when a row fails.',
    )
    .action(async (options: CheckProductionOptions & { production: boolean }) => {
      if (options.production) {
        const { checkProduction } = await import('./check-production.ts');
        ended(await checkProduction(context, options));
        return;
      }
      const { check } = await import('./check.ts');
      ended(check(context, options));
    });
  program
    .command('status')
    .description('What a running gateway is doing: servers, their state and era, and what is wrong.')
    .addOption(operationsUrlOption())
    .option('--json', 'print it as JSON', false)
    .action(async (options: { url: string; json: boolean }) => {
      const { status } = await import('./status.ts');
      ended(await status(context, options));
    });
  program
    .command('tools')
    .description('Every tool of a running gateway; with --as, what somebody may use and which policy says so.')
    .addOption(operationsUrlOption())
    .option('-c, --config <file>', "whose policies decide; default: the running gateway's own file")
    .option('--as <caller>', 'decide for them: the name of an API key, <issuer>#<subject>, or anybody with --group')
    .option('-g, --group <name>', 'a group of theirs; may be repeated', collect, [])
    .option('--workload <spiffe-id>', 'the workload that they call from')
    .option('--server <id>', 'only the tools of this server')
    .option('--json', 'print it as JSON', false)
    .addHelpText(
      'after',
      `\nExamples:\n  ${TYPED} tools\n  ${TYPED} tools --as bob --server files\n\n` +
        'Decisions are made here, from the policies of the configuration file as it is now, with arguments unknown.',
    )
    .action(async (options: ToolsOptions) => {
      const { tools } = await import('./tools.ts');
      ended(await tools(context, options));
    });
}

function addTrace(program: Command, context: CommandContext, ended: Ended): void {
  program
    .command('trace')
    .description(
      "One call's whole story, from the audit record: who, what, why, how long each step took, what went wrong.",
    )
    .argument('<request id>', 'as in an error message (requestId), a log line, or audit search --ids')
    .addOption(configOption())
    .option('-f, --file <file>', "default: the configuration's audit file, with those rotated away from it")
    .option('--json', 'print its records, one a line', false)
    .action(async (id: string, options: { config: string; file?: string; json: boolean }) => {
      const { trace } = await import('./trace.ts');
      ended(await trace(context, { id, ...options }));
    });
}

function addCalling(program: Command, context: CommandContext, ended: Ended): void {
  program
    .command('call')
    .description('Call one tool through a running gateway, as any client would.')
    .argument('<server/tool>', 'for example files/read_text_file')
    .option('-a, --arg <name=value>', 'one argument; the value is JSON where it parses as such, else text', collect, [])
    .option('--json <object>', 'all arguments as a JSON object, or - to read it from standard input')
    .option('--key <key>', 'the API key; better set SALLYPORT_KEY, which no other user can see')
    .addOption(new Option('--url <url>', "the gateway's address").default(DEFAULT_URL).env('SALLYPORT_URL'))
    .option('--raw', 'print the whole result as JSON', false)
    .addHelpText(
      'after',
      `\nExamples:\n  ${TYPED} call files/read_text_file --arg path=a.txt\n` +
        `  ${TYPED} call toolbox/convert_units --json '{"value": 5, "from": "km", "to": "mi"}'\n` +
        `  echo '{"path": "a.txt"}' | ${TYPED} call files/read_text_file --json -`,
    )
    .action(
      async (
        address: string,
        options: { arg: readonly string[]; json?: string; key?: string; url: string; raw: boolean },
      ) => {
        const { call } = await import('./call.ts');
        ended(await call(context, { address, ...options }));
      },
    );
}

type AuditOptions = AuditFilters & { config: string; json: boolean };

/** The questions that people ask of a record. */
const withFilters = (command: Command): Command =>
  command
    .argument('[file]', "default: the configuration's audit file")
    .addOption(configOption())
    .option('--who <name>', 'the caller; * stands for any text, as in all of these')
    .option('--tool <server/tool>', 'for example "files/write_*"')
    .option('--server <id>', 'everything that was asked of this server')
    .option('--client <name>', 'what the client calls itself, or its OAuth client')
    .option('--tenant <name>', 'only of this tenant')
    .option('--kind <kind>', 'call, authentication, session, administration, approval, refusal or writer')
    .option(
      '--run <id>',
      "a run of an agent, as its client names it: search shows it in order, with the agent's purpose",
    )
    .option('--since <time>', 'how long ago (30m, 2h, 7d), or a date')
    .option('--until <time>', 'the same')
    .option('--decision <effect>', 'allowed or denied')
    .option('--outcome <outcome>', 'ok, refused, failed, tool_error, input_required, interrupted, or a failure code')
    .option('--request <id>', 'the id that an error message or a log line names')
    .option('--text <text>', 'anywhere in the record')
    .option('--json', 'print whole records, one a line', false);

function addAudit(program: Command, context: CommandContext, ended: Ended): void {
  const audit = program.command('audit').description('The audit record.').helpCommand(false);
  withFilters(audit.command('search').description('Who did what, when, with which outcome, and which policy said so.'))
    .option('--limit <number>', 'at most so many, the newest; default: 100, of a run 1000')
    .option('--ids', 'show the request ids, which trace takes', false)
    .addHelpText(
      'after',
      `\nExamples:\n  ${TYPED} audit search --who alice --since 1h\n` +
        `  ${TYPED} audit search --outcome refused --tool "files/*"\n` +
        `  ${TYPED} audit search --run nightly-42\n\n` +
        'interrupted: the record knows that the call was about to be made, and not how it ended.',
    )
    .action(async (file: string | undefined, options: AuditOptions & { limit?: string; ids: boolean }) => {
      const { auditSearch } = await import('./audit-search.ts');
      ended(await auditSearch(context, file === undefined ? options : { ...options, file }));
    });
  withFilters(audit.command('tail').description('The same as it happens.')).action(
    async (file: string | undefined, options: AuditOptions) => {
      const { auditTail } = await import('./audit-tail.ts');
      const interrupted = new AbortController();
      process.once('SIGINT', () => interrupted.abort()).once('SIGTERM', () => interrupted.abort());
      ended(await auditTail(context, file === undefined ? options : { ...options, file }, interrupted.signal));
    },
  );
  addVerify(audit, context, ended);
  addBodies(audit, context, ended);
}

type VerifyOptions = Omit<AuditVerifyOptions, 'files'>;

function addVerify(audit: Command, context: CommandContext, ended: Ended): void {
  audit
    .command('verify')
    .description('Prove that no record was changed, removed or reordered; with checkpoints, that nothing was cut off.')
    .argument('[file...]', "default: the configuration's record, with all its files")
    .addOption(configOption())
    .option('--since <time>', 'only records from then on: how long ago (30m, 2h, 7d), or a date')
    .option('--until <time>', 'only records before then')
    .option('--from-sequence <number>', 'only records from this number on')
    .option('--to-sequence <number>', 'only records up to this number')
    .option('--checkpoint <file or text>', 'one that was kept elsewhere; may be repeated', collect, [])
    .option('--public-key <pem>', 'of the signing key; default: the one beside it; may be repeated', collect, [])
    .option('--any-start', 'the file is a range cut out of a longer one', false)
    .option('--json', 'print it as JSON', false)
    .addHelpText(
      'after',
      `\nExamples:\n  ${TYPED} audit verify\n  ${TYPED} audit verify data/audit.jsonl --since 30d\n` +
        `  ${TYPED} audit verify --checkpoint kept.txt --public-key audit-signing-key.pub.pem\n\n` +
        'Exit code 0: intact. 1: something is wrong, and it says what. 2: it could not be asked (no such file, no such key).',
    )
    .action(async (files: readonly string[], options: VerifyOptions) => {
      const { auditVerify } = await import('./audit-verify.ts');
      ended(await auditVerify(context, { files, ...options }));
    });
  audit
    .command('checkpoint')
    .description(
      'The newest signed checkpoint as one line, to be kept elsewhere: it shows later that nothing was cut off.',
    )
    .argument('[file]', "default: the configuration's audit file")
    .addOption(configOption())
    .action(async (file: string | undefined, options: { config: string }) => {
      const { auditCheckpoint } = await import('./audit-checkpoint.ts');
      ended(await auditCheckpoint(context, file === undefined ? options : { ...options, file }));
    });
}
