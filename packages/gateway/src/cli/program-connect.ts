/** `sallyport connect`: its options and its help. */

import process from 'node:process';

import type { Command } from 'commander';

import { TYPED, type CommandContext } from './command.ts';
import type { Ended } from './options.ts';

type Options = { clientId?: string; browser: boolean; logOut: boolean };

export function addConnect(program: Command, context: CommandContext, ended: Ended): void {
  program
    .command('connect')
    .description('Bridge a client that only starts programs (stdio) to an MCP endpoint over HTTP.')
    .argument('<url>', 'of the endpoint, for example http://127.0.0.1:8080/mcp')
    .option('--client-id <id>', 'a client that the identity provider knows already; default: register one')
    .option('--no-browser', 'only print the address for the log-in, and open no browser')
    .option('--log-out', 'forget the log-in that is kept for this endpoint, and end it at the issuer', false)
    .addHelpText(
      'after',
      `\nFor a client's configuration:\n` +
        `  { "command": "npx", "args": ["sallyport", "connect", "https://mcp.example.com/mcp"] }\n\n` +
        'With SALLYPORT_KEY set, that API key is used. Without it a person logs in, in the browser, the first time; the\n' +
        "log-in is kept with mode 0600 where the system keeps an application's data, and renewed by itself.\n\n" +
        `Examples:\n  ${TYPED} connect http://127.0.0.1:8080/servers/files/mcp\n  ${TYPED} connect --log-out http://127.0.0.1:8080/mcp`,
    )
    .action(async (url: string, options: Options) => {
      const { connect } = await import('./connect/connect.ts');
      ended(await connect(context, { url, ...options }, { input: process.stdin, output: process.stdout }));
    });
}
