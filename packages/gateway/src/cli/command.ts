/** What every command gets, and how it says that it cannot go on. */

import type { Environment } from '../config/load.ts';
import type { ExitCode } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

export type CommandContext = {
  readonly terminal: Terminal;
  readonly env: Environment;
  /** All of standard input, for arguments written as `-`. */
  readonly readInput: () => Promise<string>;
};

/** Ends a command with a sentence and an exit code. Everything else that is thrown is a fault of ours. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;
  /** What to type, or where to look. */
  readonly hint: string | undefined;

  constructor(message: string, exitCode: ExitCode, hint?: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'CommandError';
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

/** How commands are typed from a checkout; shown in every hint. */
export const TYPED = 'npm run sallyport --';
