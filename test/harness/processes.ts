/** What the operating system knows of processes: descendants, memory, descriptors. Linux only: it is read from /proc. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** A process as it can be known again: ids are used again, a start time with them is not. */
export type ProcessId = { readonly pid: number; readonly started: string };

export const HAS_PROC = existsSync('/proc/self/stat');

/** Everything below a process, its children's children included. */
export function descendantsOf(pid: number): readonly ProcessId[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/u.test(name))
    .flatMap((name) => statOf(Number(name)) ?? []);
  const found: ProcessId[] = [];
  const open = [pid];
  for (let parent = open.pop(); parent !== undefined; parent = open.pop()) {
    for (const child of all) {
      if (child.parent !== parent) continue;
      found.push({ pid: child.pid, started: child.started });
      open.push(child.pid);
    }
  }
  return found;
}

/** A process that has ended and whose parent has not looked yet does not live. */
export const isAlive = ({ pid, started }: ProcessId): boolean => {
  const stat = statOf(pid);
  return stat !== undefined && stat.started === started && stat.state !== 'Z';
};

export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kilobytes === undefined) throw new Error(`process ${pid} has no memory`);
  return Number(kilobytes) * 1024;
}

export const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

type Stat = ProcessId & { readonly parent: number; readonly state: string };

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; what follows it is regular (proc_pid_stat(5)).
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { pid, state: fields[0] ?? '', parent: Number(fields[1]), started: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}
