/**
 * Every process group this gateway started and has not yet seen end. Process-wide on purpose: the operating system's
 * table is, too, and whoever ends them when the gateway cannot has to know of all of them.
 */

import process from 'node:process';

import { createGroupReaper } from './group-reaper.ts';

const liveGroups = new Map<number, string>();
const reaper = process.platform === 'win32' ? undefined : createGroupReaper();

/** `server` is whose it is. */
export function addLiveGroup(group: number, server: string): void {
  liveGroups.set(group, server);
  reaper?.started(group);
}

/** A group that has ended must be removed at once: its number may be given to a stranger. */
export function removeLiveGroup(group: number): void {
  if (liveGroups.delete(group)) reaper?.ended(group);
}

/** Process ids of the group leaders that still have someone in their group. */
export function liveGroupIds(): readonly number[] {
  return [...liveGroups.keys()];
}

/** By server, for whoever asks what it uses. */
export const liveGroupOwners = (): ReadonlyMap<number, string> => liveGroups;
