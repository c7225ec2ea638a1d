/** `sallyport credentials list`: what a running gateway holds, whose it is, how old, until when, and whether it works. Never a value. */

import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { fetchCredentials } from './operations.ts';
import { duration } from './status.ts';
import { printable, table } from './terminal.ts';

export type CredentialsOptions = { readonly url: string; readonly json: boolean };

const DAY_MS = 86_400_000;
/** What ends sooner is shown in yellow. A lease ends soon by nature, and is renewed. */
const SOON_MS = 7 * DAY_MS;
const WELL: ReadonlySet<string> = new Set(['good', 'unused']);

/** Exit code 1 when one of them does not work or has ended, so that a script can ask. */
export async function listCredentials(
  { terminal }: CommandContext,
  { url, json }: CredentialsOptions,
): Promise<ExitCode> {
  const answer = await fetchCredentials(url);
  const rows = (Array.isArray(answer['credentials']) ? answer['credentials'] : []).filter(isJsonObject);
  const nowMs = numberOf(answer['atMs']) ?? Date.now();
  const wrong = rows.some((row) => !WELL.has(textOf(row['state'])) || endOf(row) <= nowMs);
  if (json) {
    terminal.out(JSON.stringify(answer, null, 2));
    return wrong ? EXIT.failed : EXIT.done;
  }
  const head = ['owner', 'server', 'kind', 'state', 'age', 'ends', 'last use', 'version', 'from'];
  const lines = table([head, ...rows.map((row) => cells(row, nowMs))]);
  for (const [index, line] of lines.entries()) {
    const row = rows[index - 1];
    if (row === undefined) {
      terminal.out(terminal.dim(line));
      continue;
    }
    const isWell = WELL.has(textOf(row['state']));
    const isSoon = endOf(row) - nowMs < SOON_MS && textOf(row['kind']) !== 'secret-lease';
    terminal.out(isWell ? (isSoon && !isRenewed(row) ? terminal.yellow(line) : line) : terminal.red(line));
    const failure = isJsonObject(row['lastFailure']) ? row['lastFailure'] : undefined;
    if (failure !== undefined) {
      const ago = duration(nowMs - (numberOf(failure['atMs']) ?? nowMs));
      terminal.out(`    ${ago} ago: ${printable(textOf(failure['reason']))}`);
    }
  }
  if (rows.length === 0) terminal.out('The gateway holds no credentials.');
  return wrong ? EXIT.failed : EXIT.done;
}

/** A lease of a store is renewed by the gateway, a token in a file by its owner. */
const isRenewed = (row: JsonObject): boolean =>
  referencesOf(row).some((reference) => /^(?:vault|exec|aws-sm):/.test(reference));

function cells(row: JsonObject, nowMs: number): string[] {
  const ago = (name: string): string => {
    const atMs = numberOf(row[name]);
    return atMs === undefined ? '-' : duration(nowMs - atMs);
  };
  const endMs = endOf(row);
  const left = endMs <= nowMs ? `ended ${duration(nowMs - endMs)} ago` : `in ${duration(endMs - nowMs)}`;
  return [
    textOf(row['owner']),
    textOf(row['server']) || '-',
    textOf(row['kind']),
    textOf(row['state']),
    ago('obtainedAtMs'),
    endMs === Infinity ? '-' : left,
    ago('lastUsedAtMs'),
    textOf(row['version']) || '-',
    referencesOf(row).join(', ') || '-',
  ].map(printable);
}

const referencesOf = (row: JsonObject): readonly string[] =>
  (Array.isArray(row['references']) ? row['references'] : []).filter((one) => typeof one === 'string');
const endOf = (row: JsonObject): number => numberOf(row['expiresAtMs']) ?? Infinity;
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
