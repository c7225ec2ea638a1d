/**
 * `npm run bench -- --first-event`: how long a client waits for the first event of a stream, from the server itself and through
 * the built gateway with everything on, in turns on the same connections, one call at a time.
 */

import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from '../scripts/build.ts';
import { modernCall } from './calls.ts';
import type { Call } from './load.ts';
import { start, stopAll, until } from './processes.ts';
import { configHead, createKey, startConfigured } from './sallyport.ts';

const SERVER = fileURLToPath(new URL('./fixtures/stream-server.ts', import.meta.url));
const WARM_UP = 300;
const CALLS = 1000;

export type FirstEventRow = { readonly via: string; readonly p50Ms: number; readonly p99Ms: number };

export async function measureFirstEvent(folder: string): Promise<readonly FirstEventRow[]> {
  const main = build();
  const { key, line } = createKey(main, 'bench');
  try {
    const server = start({ role: 'anywhere', command: [process.execPath, SERVER], cwd: folder });
    await until(() => /^\d+\n/.test(server.output()), 'the server', server);
    const url = `http://127.0.0.1:${Number(server.output().trim())}/mcp`;
    const gateway = await startConfigured(main, join(folder, 'gateway'), (ports) => config(ports, line, url));
    const subjects = [
      { via: 'direct', call: withProgress(modernCall({ url, tool: 'read_note' })), tookMs: [] as number[] },
      {
        via: 'Sallyport',
        call: withProgress(modernCall({ url: `${gateway.origin}/servers/stream/mcp`, tool: 'read_note', key })),
        tookMs: [] as number[],
      },
    ];
    for (let made = 0; made < WARM_UP + CALLS; made += 1) {
      for (const { call, tookMs } of subjects) {
        const ms = await untilFirstEvent(call);
        if (made >= WARM_UP) tookMs.push(ms);
      }
    }
    return subjects.map(({ via, tookMs }) => ({ via, p50Ms: quantile(tookMs, 0.5), p99Ms: quantile(tookMs, 0.99) }));
  } finally {
    await stopAll();
  }
}

const agent = new Agent({ keepAlive: true, maxSockets: 4 });

function withProgress(call: Call): Call {
  const message = JSON.parse(call.body) as { params: { _meta: object } };
  message.params._meta = { ...message.params._meta, progressToken: 'bench' };
  return { ...call, body: JSON.stringify(message) };
}

/** From the moment the request is written to the first event; then the rest is read. */
function untilFirstEvent({ url, headers, body }: Call): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedMs = performance.now();
    let firstMs: number | undefined;
    let text = '';
    const request = httpRequest(url, { method: 'POST', headers, agent }, (response) => {
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (firstMs === undefined && text.includes('notifications/progress')) firstMs = performance.now() - startedMs;
      });
      response.on('end', () => {
        if (firstMs === undefined) reject(new Error(`no event: ${response.statusCode} ${text}`));
        else resolve(firstMs);
      });
    });
    request.on('error', reject).end(body);
  });
}

function quantile(values: readonly number[], at: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? 0;
}

export function firstEventTable(rows: readonly FirstEventRow[]): string {
  const [direct, through] = rows;
  const lines = rows.map(
    ({ via, p50Ms, p99Ms }) =>
      `${via.padEnd(10)} first event of a stream: p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`,
  );
  if (direct === undefined || through === undefined) return lines.join('\n');
  const added = (which: 'p50Ms' | 'p99Ms'): string => (through[which] - direct[which]).toFixed(2);
  return [...lines, `${'added'.padEnd(10)} p50 ${added('p50Ms')} ms, p99 ${added('p99Ms')} ms (aim: below 5)`].join(
    '\n',
  );
}

type Ports = { readonly port: number; readonly operationsPort: number };

const config = (ports: Ports, line: string, url: string): string => `${configHead(ports, line)}servers:
  stream: { url: "${url}", tools: { "*": { readOnly: true } }, allow: [{ group: bench, tools: ["*"] }] }
loopBreaker: off
audit: { file: ./data/audit.jsonl }
`;
