/** A command of `sallyport`, run in the test's own process. */

import { runCommandLine } from '../../packages/gateway/src/cli/program.ts';
import { createTerminal } from '../../packages/gateway/src/cli/terminal.ts';

export type CommandEnded = { readonly code: number; readonly out: string; readonly err: string };

export async function sallyport(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandEnded> {
  const written = { out: '', err: '' };
  const out = { write: (text: string) => (written.out += text) };
  const err = { write: (text: string) => (written.err += text) };
  const terminal = createTerminal({ out, err }, env);
  const code = await runCommandLine(args, { terminal, env, readInput: () => Promise.resolve('') });
  return { code, ...written };
}
