/** Shows a page to the person, with what their system has for it. */

import { spawn } from 'node:child_process';

const COMMANDS: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  darwin: ['open'],
  // Not "start", which is the shell's: an address holds characters that the shell reads.
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
};

/** Never throws: the address is also printed, and a machine may have no browser. */
export function openBrowser(url: string): void {
  const [command = 'xdg-open', ...args] = COMMANDS[process.platform] ?? ['xdg-open'];
  const child = spawn(command, [...args, url], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}
