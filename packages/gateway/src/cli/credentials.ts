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
    const privileges = privilegesOf(row, answer['tools']);
    if (privileges !== undefined) terminal.out(terminal.dim(`    ${privileges}`));
    const failure = isJsonObject(row['lastFailure']) ? row['lastFailure'] : undefined;
    if (failure !== undefined) {
      const ago = duration(nowMs - (numberOf(failure['atMs']) ?? nowMs));
      terminal.out(`    ${ago} ago: ${printable(textOf(failure['reason']))}`);
    }
  }
  if (rows.length === 0) terminal.out('The gateway holds no credentials.');
  return wrong ? EXIT.failed : EXIT.done;
}

const MAX_SHOWN = 6;

/** What it may do and what for: `scopes crm:read, crm:write; 12 tools: add_note, …`. Undefined where neither is known. */
function privilegesOf(row: JsonObject, tools: unknown): string | undefined {
  const parts: string[] = [];
  const scopes = textsOf(row['scopes']);
  if (scopes.length > 0) parts.push(`scopes ${some(scopes, scopes.length)}`);
  const of = isJsonObject(tools) ? tools[textOf(row['server'])] : undefined;
  const count = isJsonObject(of) ? (numberOf(of['count']) ?? 0) : 0;
  if (isJsonObject(of) && count > 0)
    parts.push(`${count === 1 ? '1 tool' : `${count} tools`}: ${some(textsOf(of['names']), count)}`);
  return parts.length === 0 ? undefined : parts.join('; ');
}

const some = (names: readonly string[], count: number): string => {
  const shown = names.slice(0, MAX_SHOWN);
  const more = count - shown.length;
  return printable(shown.join(', ') + (more === 0 ? '' : ` and ${more} more`));
};

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

const referencesOf = (row: JsonObject): readonly string[] => textsOf(row['references']);
const textsOf = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : []).filter((one) => typeof one === 'string');
const endOf = (row: JsonObject): number => numberOf(row['expiresAtMs']) ?? Infinity;
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
