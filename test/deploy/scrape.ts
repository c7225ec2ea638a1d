/** A real gateway with traffic of many kinds, and what it tells on /metrics. */

import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';

import { startMisbehavingServer } from '../fixtures/misbehaving-http.ts';
import { startTestGateway, type TestGateway } from '../harness/gateway.ts';
import { bearer, legacy, modern, send, type HttpRequest } from '../harness/http.ts';

/** Names of metrics, as they stand before the brace, and all labels that any of their series has. */
export type Scraped = ReadonlyMap<string, ReadonlySet<string>>;

export type BusyGateway = {
  readonly gateway: TestGateway;
  /** `host:port` of the operations listener. */
  readonly target: string;
  /** One more call that fails by no fault of ours: its credential is made up. */
  failToAuthenticate(): Promise<void>;
  close(): Promise<void>;
};

const STDIO = fileURLToPath(new URL('../fixtures/misbehaving-stdio.ts', import.meta.url));
const TOOLS = { files: ['ok', 'garbage', 'html', 'half', 'nowhere'], local: ['ok', 'nowhere'] };

export async function startBusyGateway(): Promise<BusyGateway> {
  const upstream = await startMisbehavingServer();
  const expires = new Date(Date.now() + 5 * 86_400_000).toISOString();
  const gateway = await startTestGateway({
    yaml: [
      `    - { name: job, hash: "sha256:${'e'.repeat(64)}", expires: "${expires}" }`,
      'servers:',
      `  files: { url: "${upstream.url}", timeout: 3s, allow: [{ group: engineering, tools: ["*"] }], tools: { "*": { readOnly: true } } }`,
      `  local: { command: ["${execPath}", "${STDIO}"], timeout: 3s, allow: [{ group: engineering, tools: ["*"] }] }`,
      '  broken: { url: "http://127.0.0.1:1/mcp", bogus: 1 }',
      // The second call of it is one too many.
      'limits: [{ per: principal, tool: ok, server: local, rate: 1/minute }]',
    ].join('\n'),
  });
  const say = (path: string, request: HttpRequest, key = gateway.keys['alice'] ?? ''): Promise<unknown> =>
    send(`${gateway.url}${path}`, { ...request, headers: { ...request.headers, ...bearer(key) } });
  for (const [server, tools] of Object.entries(TOOLS)) {
    for (const name of tools) {
      await say(`/servers/${server}/mcp`, modern('tools/call', { name, arguments: { text: 'x' } }));
    }
    await say(`/servers/${server}/mcp`, modern('tools/call', { name: 'ok', arguments: { text: 7 } }));
  }
  await say('/mcp', modern('tools/list'));
  await say('/mcp', legacy('initialize'));
  const failToAuthenticate = async (): Promise<void> => void (await say('/mcp', modern('tools/list'), 'sp_madeup'));
  await failToAuthenticate();
  return {
    gateway,
    target: new URL(gateway.gateway.operationsUrl ?? '').host,
    failToAuthenticate,
    async close() {
      await gateway.close();
      await upstream.close();
    },
  };
}

const SAMPLE = /^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?<labels>.*)\})? \S+/u;
const LABEL = /(?<label>[a-zA-Z_]\w*)="(?:[^"\\]|\\.)*"/gu;

export async function scrape(target: string): Promise<Scraped> {
  const text = await (await fetch(`http://${target}/metrics`)).text();
  const found = new Map<string, Set<string>>();
  for (const line of text.split('\n')) {
    const { name, labels = '' } = SAMPLE.exec(line)?.groups ?? {};
    if (name === undefined) continue;
    const known = found.get(name) ?? new Set<string>();
    found.set(name, known);
    for (const { groups } of labels.matchAll(LABEL)) known.add(groups?.['label'] ?? '');
  }
  return found;
}
