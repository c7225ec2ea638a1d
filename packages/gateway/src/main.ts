#!/usr/bin/env node
/** The process: command line and streams in, exit code out. Everything else is in `cli/`. */

import process from 'node:process';
import { text } from 'node:stream/consumers';

import { runCommandLine } from './cli/program.ts';
import { createTerminal } from './cli/terminal.ts';
import { readEnvironment } from './config/load.ts';

const env = readEnvironment();
process.exitCode = await runCommandLine(process.argv.slice(2), {
  terminal: createTerminal({ out: process.stdout, err: process.stderr }, env),
  env,
  readInput: () => text(process.stdin),
});
