/**
 * Ends the process groups of a gateway that was killed. A gateway that gets SIGKILL runs no code of its own any more, and a
 * server that ignores the end of its input would outlive it for ever; so a small shell, in a session of its own, is told
 * of every group and reads until its input ends, which the operating system sees to however the gateway ended.
 */

import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';

/** Lines `+ <group>` and `- <group>`. What is left at the end of the input had its chance to heed the end of its own. */
const SCRIPT = `
trap '' HUP INT TERM
live=
while read -r op group; do
  rest=
  for one in $live; do [ "$one" = "$group" ] || rest="$rest $one"; done
  live=$rest
  [ "$op" = + ] && live="$live $group"
done
[ -z "$live" ] && exit 0
sleep 1
for group in $live; do kill -s TERM -- "-$group" 2>/dev/null; done
sleep 1
for group in $live; do kill -s KILL -- "-$group" 2>/dev/null; done
`;

export type GroupReaper = { started(group: number): void; ended(group: number): void };

/**
 * The shell is started with the first group, and ends with the gateway. Where there is no `sh`, a server that ignores the
 * end of its input survives a gateway that is killed; nothing else changes.
 */
export function createGroupReaper(): GroupReaper {
  const groups = new Set<number>();
  let input: Writable | undefined;

  const open = (): Writable => {
    const shell = spawn('sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, env: {} });
    shell.on('error', () => undefined);
    shell.stdin.on('error', () => undefined);
    // It must not keep a gateway from ending; whoever ends it is replaced, and the next one is told of all groups.
    shell.unref();
    if ('unref' in shell.stdin && typeof shell.stdin.unref === 'function') shell.stdin.unref();
    shell.once('exit', () => {
      if (input === shell.stdin) input = undefined;
    });
    for (const group of groups) shell.stdin.write(`+ ${group}\n`);
    return shell.stdin;
  };

  return {
    started(group) {
      if (input !== undefined) input.write(`+ ${group}\n`);
      groups.add(group);
      input ??= open();
    },
    ended(group) {
      if (groups.delete(group)) input?.write(`- ${group}\n`);
    },
  };
}
