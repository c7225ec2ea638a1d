/** What we offer to clients of what a server can do: the features that we carry, and nothing that we do not. */

import { isJsonObject, type JsonObject } from '../model/json.ts';
import { servesTasks, TASKS_CAPABILITY } from '../model/task.ts';

const CARRIED = ['tools', 'prompts', 'resources', 'completions', 'logging'] as const;
const LISTED: ReadonlySet<string> = new Set(['tools', 'prompts', 'resources']);

/**
 * Capabilities in the words of every revision since 2025-03-26. Of changes of a list the gateway tells by itself, because it
 * is its own list that clients see; of a resource only where the server does. Tasks and extensions are promises that we would
 * have to keep ourselves, so the upstream's word for them is left out.
 */
export function offeredCapabilities(upstream: JsonObject): JsonObject {
  const offered: Record<string, JsonObject> = {};
  for (const name of CARRIED) {
    if (upstream[name] !== undefined) offered[name] = LISTED.has(name) ? { listChanged: true } : {};
  }
  const { resources } = upstream;
  const tells = isJsonObject(resources) && resources.subscribe === true;
  return tells ? { ...offered, resources: { subscribe: true, listChanged: true } } : offered;
}

const NONE: JsonObject = Object.freeze({});

/** To clients of 2026-07-28. The tasks of an older server become those of the extension. */
export const offeredExtensions = (upstream: JsonObject): JsonObject =>
  servesTasks(upstream) ? TASKS_CAPABILITY : NONE;
