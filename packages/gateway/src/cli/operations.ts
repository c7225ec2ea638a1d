/** Asks a running gateway's operations listener what it is doing. */

import { readStatusReport } from '../catalog/status-report.ts';
import type { StatusReport } from '../catalog/status-report.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import { CommandError, TYPED } from './command.ts';
import { EXIT } from './exit-code.ts';

const TIMEOUT_MS = 5000;

/** @throws CommandError when nothing answers there, or something else does. */
export async function fetchStatus(url: string): Promise<StatusReport> {
  const report = readStatusReport(await fetchJson(url, '/status'));
  if (report === undefined) throw new CommandError(`What answers at ${url} is no Sallyport.`, EXIT.unreachable, HINT);
  return report;
}

/** The input schemas of all tools by their addresses. */
export async function fetchSchemas(url: string): Promise<ReadonlyMap<string, JsonObject>> {
  const answer = await fetchJson(url, '/schemas');
  const entries = isJsonObject(answer) ? Object.entries(answer) : [];
  return new Map(entries.flatMap(([address, schema]) => (isJsonObject(schema) ? [[address, schema]] : [])));
}

/** Who is calling what now. @throws CommandError as above */
export async function fetchLive(url: string): Promise<JsonObject> {
  const answer = await fetchJson(url, '/live');
  if (isJsonObject(answer) && isJsonObject(answer['inFlight'])) return answer;
  throw new CommandError(`What answers at ${url} tells nothing of what is going on.`, EXIT.unreachable, HINT);
}

/** What servers are called with, without a value. @throws CommandError as above */
export async function fetchCredentials(url: string): Promise<JsonObject> {
  const answer = await fetchJson(url, '/credentials');
  if (isJsonObject(answer) && Array.isArray(answer['credentials'])) return answer;
  throw new CommandError(`What answers at ${url} tells nothing of credentials.`, EXIT.unreachable, HINT);
}

const HINT = `It is printed when the gateway starts ("operations"). Name it with --url; start one with "npm start" or "${TYPED} serve".`;

async function fetchJson(url: string, path: string): Promise<unknown> {
  try {
    const response = await fetch(new URL(path, url), { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return await response.json();
  } catch (error) {
    throw new CommandError(`No gateway's operations listener answers at ${url}.`, EXIT.unreachable, HINT, error);
  }
}
