/**
 * `npm run bench -- --subscriptions`: what a client costs that listens and hears nothing. The built gateway, everything on, and
 * 5,000 open streams of each era, each with one resource of a server of 2025-11-25 over HTTP, which all of them share; the figure
 * is the growth of the gateway's memory divided by the streams.
 */

import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';

import { build } from '../scripts/build.ts';
import { startTellingServer } from '../test/fixtures/telling-server.ts';
import { residentMegabytes, stopAll } from './processes.ts';
import { configHead, createKey, startConfigured } from './sallyport.ts';

const STREAMS = 5000;
const AT_A_TIME = 50;
/** Opened and closed before anything is measured: by then the code is compiled. */
const WARM_UP = 1000;
/** Streams say nothing for a while, and what opening them left behind is collected. */
const SETTLE_MS = 5000;

const RESOURCE = 'note://one';
const COMMON = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

export type SubscriptionsRow = { readonly era: string; readonly streams: number; readonly kilobytesEach: number };

type Opened = { readonly request: ClientRequest; readonly response: IncomingMessage };

export async function measureSubscriptions(folder: string): Promise<readonly SubscriptionsRow[]> {
  const main = build();
  const { key, line } = createKey(main, 'bench');
  const server = await startTellingServer();
  try {
    const rows: SubscriptionsRow[] = [];
    for (const [era, listen] of [['modern', listenModern] as const, ['legacy', listenLegacy] as const]) {
      const gateway = await startConfigured(
        main,
        join(folder, era),
        (ports) => config(ports, line, server.url),
        'anywhere',
      );
      const open = () => listen(`${gateway.origin}/servers/notes/mcp`, { ...COMMON, authorization: `Bearer ${key}` });
      for (const { request } of await many(WARM_UP, open)) request.destroy();
      await pause(SETTLE_MS);
      const before = residentMegabytes(gateway.pid);
      const streams = await many(STREAMS, open);
      await pause(SETTLE_MS);
      const grown = residentMegabytes(gateway.pid) - before;
      const upstream = server.listening().filter((uris) => uris.includes(RESOURCE)).length;
      if (upstream !== 1) throw new Error(`${upstream} subscriptions at the server, and one was expected`);
      rows.push({ era, streams: streams.length, kilobytesEach: (grown * 1024) / streams.length });
      for (const { request } of streams) request.destroy();
      await gateway.stop();
    }
    return rows;
  } finally {
    await server.close();
    await stopAll();
  }
}

async function many(count: number, open: () => Promise<Opened>): Promise<Opened[]> {
  const opened: Opened[] = [];
  while (opened.length < count) {
    const atOnce = Math.min(AT_A_TIME, count - opened.length);
    opened.push(...(await Promise.all(Array.from({ length: atOnce }, open))));
  }
  return opened;
}

type Headers = Readonly<Record<string, string>>;

function listenModern(url: string, headers: Headers): Promise<Opened> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const params = { _meta, notifications: { toolsListChanged: true, resourceSubscriptions: [RESOURCE] } };
  const asked = { ...headers, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' };
  return stream(url, 'POST', asked, { jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params });
}

async function listenLegacy(url: string, headers: Headers): Promise<Opened> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'bench', version: '1.0.0' } };
  const { 'mcp-session-id': session } = await post(url, headers, 'initialize', params);
  const within = { ...headers, 'mcp-session-id': String(session), 'mcp-protocol-version': '2025-11-25' };
  await post(url, within, 'resources/subscribe', { uri: RESOURCE });
  return stream(url, 'GET', within);
}

async function post(url: string, headers: Headers, method: string, params: object): Promise<IncomingHttpHeaders> {
  const { response } = await stream(url, 'POST', headers, { jsonrpc: '2.0', id: 1, method, params });
  response.resume();
  return response.headers;
}

/** Settles when the first bytes of the answer are here: then it listens. */
function stream(url: string, method: string, headers: Headers, body?: object): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers, agent: false }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${method} was answered with ${response.statusCode}`));
      response.once('data', () => resolve({ request, response })).resume();
      response.on('error', () => undefined);
    });
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export function subscriptionsTable(rows: readonly SubscriptionsRow[]): string {
  return rows
    .map(
      ({ era, streams, kilobytesEach }) =>
        `${era.padEnd(6)} ${streams} clients listen and hear nothing, ${kilobytesEach.toFixed(1)} kB each`,
    )
    .join('\n');
}

type Ports = { readonly port: number; readonly operationsPort: number };

const config = (ports: Ports, line: string, url: string): string => `${configHead(ports, line)}servers:
  notes: { url: "${url}", sharing: shared, allow: [{ group: bench, tools: ["*"], resources: ["*"] }] }
requests: { maxStreams: 6000, maxStreamsPerPrincipal: 6000 }
audit: { file: ./data/audit.jsonl }
`;
