/**
 * `npm run bench -- --starts`: what the start of a stdio server costs a caller. A server of the official SDK; each figure is
 * the time of one HTTP call through the gateway, authentication, policy and record included.
 */

import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { build } from '../scripts/build.ts';
import { modernCall } from './calls.ts';
import { createKey, startConfigured } from './sallyport.ts';

const SERVER = fileURLToPath(
  new URL('../node_modules/@modelcontextprotocol/server-filesystem/dist/index.js', import.meta.url),
);

const PEOPLE = 12;
const PACED_CALLS = 40;
const PACED_MS = 250;
const BACK_TO_BACK = 20;
/** Between two first calls, so that a spare can be replaced: what is measured is a spare, not a race for one. */
const REST_MS = 700;

export type StartRow = {
  readonly what: string;
  readonly calls: number;
  readonly p50Ms: number;
  readonly maxMs: number;
};

export async function measureStarts(folder: string): Promise<readonly StartRow[]> {
  const main = build();
  const people = Array.from({ length: PEOPLE }, (_, index) => createKey(main, `person-${index}`));
  const gateway = await startConfigured(
    main,
    join(folder, 'gateway'),
    (ports) => config(ports, people, folder),
    'anywhere',
  );
  const key = people[0]?.key ?? '';
  const call = async (server: string, as: string): Promise<number> => {
    const { url, headers, body } = modernCall({
      url: `${gateway.origin}/servers/${server}/mcp`,
      tool: 'list_allowed_directories',
      key: as,
    });
    const startedMs = performance.now();
    const response = await fetch(url, { method: 'POST', headers, body });
    const text = await response.text();
    if (!response.ok || !text.includes('Allowed directories')) throw new Error(`${response.status}: ${text}`);
    return performance.now() - startedMs;
  };
  const firstCalls = async (server: string): Promise<readonly number[]> => {
    const times: number[] = [];
    for (const person of people) {
      times.push(await call(server, person.key));
      await pause(REST_MS);
    }
    return times;
  };
  const paced = async (): Promise<readonly number[]> => {
    const times: Promise<number>[] = [];
    for (let count = 0; count < PACED_CALLS; count++) {
      times.push(call('fresh', key));
      await pause(PACED_MS);
    }
    return Promise.all(times);
  };
  const backToBack = async (): Promise<readonly number[]> => {
    const times: number[] = [];
    for (let count = 0; count < BACK_TO_BACK; count++) times.push(await call('fresh', key));
    return times;
  };
  const rows = [
    row('first call, cold start', await firstCalls('cold')),
    row('first call, 2 spares', await firstCalls('warm')),
    row('a process for each call, 4 spares, 4 calls per second', await paced()),
    row('a process for each call, 4 spares, back to back', await backToBack()),
  ];
  await gateway.stop();
  return rows;
}

function row(what: string, times: readonly number[]): StartRow {
  const sorted = [...times].sort((left, right) => left - right);
  return {
    what,
    calls: times.length,
    p50Ms: sorted[Math.floor(sorted.length / 2)] ?? NaN,
    maxMs: sorted.at(-1) ?? NaN,
  };
}

export function startsTable(rows: readonly StartRow[]): string {
  const cells = rows.map(({ what, calls, p50Ms, maxMs }) => [
    what,
    `${calls}`,
    `${p50Ms.toFixed(0)} ms`,
    `${maxMs.toFixed(0)} ms`,
  ]);
  const table = [['what', 'calls', 'p50', 'most'], ...cells];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  const lines = table.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
  return lines.join('\n');
}

type Ports = { readonly port: number; readonly operationsPort: number };

function config({ port, operationsPort }: Ports, people: readonly { line: string }[], folder: string): string {
  const command = JSON.stringify([process.execPath, SERVER, folder]);
  const server = (settings: string): string =>
    `{ command: ${command}, ${settings}, tools: { "list_*": { readOnly: true } }, allow: [{ group: bench, tools: ["*"] }] }`;
  return `
listen: 127.0.0.1:${port}
operations: 127.0.0.1:${operationsPort}
identity:
  apiKeys:
${people.map(({ line }) => `    - ${line}`).join('\n')}
servers:
  cold: ${server('pool: { max: 50 }')}
  warm: ${server('pool: { max: 50, spares: 2 }')}
  fresh: ${server('sharing: call, pool: { max: 50, spares: 4 }')}
loopBreaker: off
audit: { file: ./data/audit.jsonl }
`;
}
