/** A server of the test's own as a child process that ends with its parent. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export type ChildServer = { readonly url: string; close(): Promise<void> };

const NO_ENVIRONMENT: Readonly<Record<string, string>> = {};

/** `script` is relative to `test/`; it prints its URL on the first line and ends when its standard input does. */
export const startChildServer = (script: string, ...args: readonly string[]): Promise<ChildServer> =>
  startCommand(process.execPath, [scriptPath(script), ...args]);

/** The same for a program that is not Node's. */
export async function startCommand(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = NO_ENVIRONMENT,
): Promise<ChildServer> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } });
  const lines = createInterface({ input: child.stdout });
  const [url] = (await Promise.race([once(lines, 'line'), once(child, 'exit')])) as [unknown];
  if (typeof url !== 'string') throw new Error(`${command} ${args.join(' ')} ended before it told its URL`);
  return {
    url,
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}

export const scriptPath = (script: string): string => fileURLToPath(new URL(`../${script}`, import.meta.url));
