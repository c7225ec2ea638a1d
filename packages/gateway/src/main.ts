#!/usr/bin/env -S node --max-semi-space-size=8 --no-allocation-site-pretenuring
/**
 * The process: command line and streams in, exit code out. Everything else is in `cli/`. The flags are V8's and cannot be
 * set once the process runs: docs/decisions/0005-young-garbage.md.
 */

import process from 'node:process';
import { text } from 'node:stream/consumers';

import { runCommandLine } from './cli/program.ts';
import { createTerminal } from './cli/terminal.ts';
import { readEnvironment } from './config/load.ts';

/** Whoever reads us (`… | head`) may stop: that is no fault, and no reason for a gateway to stop. */
const unlessClosed = (error: NodeJS.ErrnoException): void => {
  if (error.code !== 'EPIPE') throw error;
};
process.stdout.on('error', unlessClosed);
process.stderr.on('error', unlessClosed);

const env = readEnvironment();
process.exitCode = await runCommandLine(process.argv.slice(2), {
  terminal: createTerminal({ out: process.stdout, err: process.stderr }, env),
  env,
  readInput: () => text(process.stdin),
});
