/**
 * `npm run bench -- --parked`: what a call costs while it waits for a person. The built gateway, everything on, and 2,000 callers
 * that were asked and do not answer, of one server of 2025-11-25 over HTTP and over stdio; each figure is the growth of the
 * gateway's memory divided by the calls.
 */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from '../scripts/build.ts';
import { modernCall } from './calls.ts';
import { residentMegabytes, stopAll } from './processes.ts';
import { configHead, createKey, startConfigured } from './sallyport.ts';
import { startChildServer } from '../test/harness/child.ts';

const SERVER = fileURLToPath(new URL('../test/fixtures/legacy-asking-server.ts', import.meta.url));

const PARKED = 2000;
const AT_A_TIME = 40;
/** A few at a time, before anything is measured: by then the code is compiled, and nothing of theirs is kept. */
const WARM_UP = 2000;

export type ParkedRow = { readonly transport: string; readonly parked: number; readonly kilobytesEach: number };

export async function measureParked(folder: string): Promise<readonly ParkedRow[]> {
  const main = build();
  const { key, line } = createKey(main, 'bench');
  const server = await startChildServer('fixtures/legacy-asking-server.ts', 'http');
  try {
    const rows: ParkedRow[] = [];
    for (const transport of ['http', 'stdio']) {
      const at = join(folder, transport);
      const gateway = await startConfigured(main, at, (ports) => config(ports, line, server.url), 'anywhere');
      const asks = asking(`${gateway.origin}/servers/${transport}/mcp`, key);
      for (let made = 0; made < WARM_UP; made += AT_A_TIME) {
        await Promise.all((await asks.many(AT_A_TIME)).map((state) => asks.dismiss(state)));
      }
      const before = residentMegabytes(gateway.pid);
      const parked = (await asks.many(PARKED)).length;
      const grown = residentMegabytes(gateway.pid) - before;
      rows.push({ transport, parked, kilobytesEach: (grown * 1024) / parked });
      await gateway.stop();
    }
    return rows;
  } finally {
    await server.close();
    await stopAll();
  }
}

type Asking = { many(count: number): Promise<readonly string[]>; dismiss(state: string): Promise<void> };

function asking(at: string, key: string): Asking {
  const { url, headers, body } = modernCall({ url: at, tool: 'greet', key });
  const call = async (more: object): Promise<Record<string, unknown>> => {
    const asked = JSON.parse(body) as { params: Record<string, unknown> };
    const _meta = { ...(asked.params['_meta'] as object), ...CAN_ANSWER };
    const params = { ...asked.params, ...more, arguments: {}, _meta };
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ ...asked, params }) });
    const text = await response.text();
    const data = /^data: (.*)$/m.exec(text)?.[1] ?? text;
    const { result } = JSON.parse(data) as { result?: Record<string, unknown> };
    if (result === undefined) throw new Error(`${response.status}: ${text}`);
    return result;
  };
  return {
    async many(count) {
      const states: string[] = [];
      while (states.length < count) {
        // Alone at first: only then is it clear that the server asks.
        const atOnce = states.length === 0 ? 1 : Math.min(AT_A_TIME, count - states.length);
        const results = await Promise.all(Array.from({ length: atOnce }, () => call({})));
        states.push(...results.map(({ requestState }) => String(requestState)));
      }
      return states;
    },
    async dismiss(requestState) {
      await call({ requestState, inputResponses: { 'question-1': { action: 'cancel' } } });
    },
  };
}

const CAN_ANSWER = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } } };

export function parkedTable(rows: readonly ParkedRow[]): string {
  return rows
    .map(
      ({ transport, parked, kilobytesEach }) =>
        `${transport.padEnd(6)} ${parked} calls wait for a person, ${kilobytesEach.toFixed(1)} kB each`,
    )
    .join('\n');
}

type Ports = { readonly port: number; readonly operationsPort: number };

const config = (ports: Ports, line: string, url: string): string => `${configHead(ports, line)}servers:
  http: { url: "${url}", allow: [{ group: bench, tools: ["*"] }] }
  stdio: { command: ["${process.execPath}", "${SERVER}", stdio], sharing: shared, allow: [{ group: bench, tools: ["*"] }] }
questions: { maxParked: 2100, maxParkedPerPrincipal: 2100 }
loopBreaker: off
audit: { file: ./data/audit.jsonl }
`;
