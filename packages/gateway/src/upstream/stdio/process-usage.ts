/**
 * What the processes of stdio servers use, from `/proc`: each process group's leader and what it started. Linux only. Looked
 * for when somebody collects, with a few small reads for each process, none of which holds up the event loop.
 */

import { readFile } from 'node:fs/promises';

import type { ServerId } from '../../model/target.ts';

export type ProcessUsage = { readonly cpuSeconds: number; readonly residentBytes: number };

export type UsageWatchOptions = {
  /** Process ids of group leaders, and whose they are. */
  readonly groups: () => ReadonlyMap<number, ServerId>;
  /** `/proc`, where there is one. */
  readonly folder?: string;
};

/** CPU seconds never go down: what ended has been counted as far as it was seen. */
export type UsageWatch = () => Promise<ReadonlyMap<ServerId, ProcessUsage> | undefined>;

/** `USER_HZ`: the unit of times in /proc, the same on every Linux. */
const TICKS_PER_SECOND = 100;
/** A look at more would take too long; the rest is seen in none. */
const MAX_PROCESSES = 1024;

type Seen = { readonly started: string; readonly ticks: number };

export function createUsageWatch({ groups, folder = '/proc' }: UsageWatchOptions): UsageWatch {
  let seen = new Map<number, Seen>();
  const cpuTicks = new Map<ServerId, number>();
  return async () => {
    if (process.platform !== 'linux') return undefined;
    const present = new Map<number, Seen>();
    const resident = new Map<ServerId, number>();
    const visit = async (pid: number, server: ServerId): Promise<void> => {
      if (present.size >= MAX_PROCESSES || present.has(pid)) return;
      const found = await look(folder, pid);
      if (found === undefined) return;
      const { started, ticks, residentBytes, children } = found;
      present.set(pid, { started, ticks });
      const before = seen.get(pid);
      // A number that was given to another process begins anew.
      const used = before?.started === started ? Math.max(0, ticks - before.ticks) : ticks;
      cpuTicks.set(server, (cpuTicks.get(server) ?? 0) + used);
      resident.set(server, (resident.get(server) ?? 0) + residentBytes);
      for (const child of children) await visit(child, server);
    };
    for (const [pid, server] of groups()) await visit(pid, server);
    seen = present;
    const usage = new Map<ServerId, ProcessUsage>();
    for (const [server, ticks] of cpuTicks) {
      usage.set(server, { cpuSeconds: ticks / TICKS_PER_SECOND, residentBytes: resident.get(server) ?? 0 });
    }
    return usage;
  };
}

/** Of a process and all that it started; undefined where there is no /proc, and when it has ended. */
export async function usageOfTree(
  leader: number,
  folder = '/proc',
): Promise<{ readonly residentBytes: number; readonly processes: number } | undefined> {
  if (process.platform !== 'linux') return undefined;
  const waiting = [leader];
  const seen = new Set<number>();
  let residentBytes = 0;
  for (let pid = waiting.pop(); pid !== undefined && seen.size < MAX_PROCESSES; pid = waiting.pop()) {
    if (seen.has(pid)) continue;
    const found = await look(folder, pid);
    if (found === undefined) continue;
    seen.add(pid);
    residentBytes += found.residentBytes;
    waiting.push(...found.children);
  }
  return seen.size === 0 ? undefined : { residentBytes, processes: seen.size };
}

type Found = Seen & { readonly residentBytes: number; readonly children: readonly number[] };

/** Undefined for one that has ended. */
async function look(folder: string, pid: number): Promise<Found | undefined> {
  const read = (file: string): Promise<string> => readFile(`${folder}/${pid}/${file}`, 'utf8');
  try {
    const [stat, status, children] = await Promise.all([
      read('stat'),
      read('status'),
      // Not in every kernel.
      read(`task/${pid}/children`).catch(() => ''),
    ]);
    // The name of the program stands in brackets, and may hold anything (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? '0';
    return {
      ticks: Number(fields[11]) + Number(fields[12]),
      started: fields[19] ?? '',
      residentBytes: Number(kilobytes) * 1024,
      children: children.split(' ').flatMap((text) => (/^\d+$/.test(text) ? [Number(text)] : [])),
    };
  } catch {
    return undefined;
  }
}
