/**
 * Every process group this gateway started and has not yet seen end. Process-wide on purpose: the operating system's
 * table is, too, and the one exit hook has to reach all of them.
 */

const liveGroups = new Map<number, (signal: NodeJS.Signals | 0) => boolean>();

/** `signal` reports whether anyone was there to receive it. */
export function addLiveGroup(pid: number, signal: (name: NodeJS.Signals | 0) => boolean): void {
  liveGroups.set(pid, signal);
}

/** A group that has ended must be removed at once: its number may be given to a stranger. */
export function removeLiveGroup(pid: number): void {
  liveGroups.delete(pid);
}

/** Process ids of the group leaders that still have someone in their group. */
export function liveGroupIds(): readonly number[] {
  return [...liveGroups.keys()];
}

/** Kills every process group at once and synchronously: for the gateway's `exit` event, when nothing may be awaited. */
export function endAllProcesses(): void {
  for (const signal of liveGroups.values()) signal('SIGKILL');
  liveGroups.clear();
}
