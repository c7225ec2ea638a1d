/**
 * Limits on what a server's process and all that it started use together, by looking: memory and the number of processes. A
 * group of the kernel's (cgroup) would need rights that a gateway should not have.
 */

import type { Clock } from '../clock.ts';
import { usageOfTree } from './process-usage.ts';

export type GroupLimits = { readonly memoryBytes?: number; readonly processes?: number };

export type GroupWatch = {
  readonly clock: Clock;
  /** The leader. */
  readonly pid: number;
  readonly limits: GroupLimits;
  /** Told once, with the reason in a sentence. */
  readonly exceeded: (reason: string) => void;
};

/** A process that takes a gigabyte a second takes one more than it may. */
const LOOK_EVERY_MS = 1_000;

/** @returns how to stop looking. */
export function watchGroup({ clock, pid, limits, exceeded }: GroupWatch): () => void {
  if (limits.memoryBytes === undefined && limits.processes === undefined) return () => undefined;
  let stopped = false;
  let cancel = (): void => undefined;
  const look = async (): Promise<void> => {
    const usage = await usageOfTree(pid);
    if (stopped) return;
    const reason = usage === undefined ? undefined : excess(usage, limits);
    if (reason === undefined) next();
    else exceeded(reason);
  };
  const next = (): void => {
    cancel = clock.after(LOOK_EVERY_MS, () => void look());
  };
  next();
  return () => {
    stopped = true;
    cancel();
  };
}

function excess(
  { residentBytes, processes }: { readonly residentBytes: number; readonly processes: number },
  limits: GroupLimits,
): string | undefined {
  if (limits.memoryBytes !== undefined && residentBytes > limits.memoryBytes) {
    return `It used ${megabytes(residentBytes)}, more than the ${megabytes(limits.memoryBytes)} of its process.memory, and was ended.`;
  }
  if (limits.processes !== undefined && processes > limits.processes) {
    return `It ran ${processes} processes, more than the ${limits.processes} of its process.processes, and was ended.`;
  }
  return undefined;
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`;
