/** The calls of the bench as a client of each era sends them: about 300 bytes of body. */

import { LEGACY, MODERN } from './fixtures/messages.ts';
import type { Call } from './load.ts';

const COMMON = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' };
const clientInfo = { name: 'bench', version: '1.0.0' };
const args = { path: 'notes/2026/november/meeting.md', lines: 40 };

type Target = { readonly url: string; readonly tool: string; readonly key?: string };

const authorization = (key: string | undefined): Readonly<Record<string, string>> =>
  key === undefined ? {} : { Authorization: `Bearer ${key}` };

/** MCP 2026-07-28: every request describes itself. */
export function modernCall({ url, tool, key }: Target): Call {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN,
    'io.modelcontextprotocol/clientInfo': clientInfo,
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  return {
    url,
    headers: {
      ...COMMON,
      'MCP-Protocol-Version': MODERN,
      'Mcp-Method': 'tools/call',
      'Mcp-Name': tool,
      ...authorization(key),
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { _meta, name: tool, arguments: args },
    }),
  };
}

/** MCP 2025-11-25: one session, opened here, for all connections. */
export async function legacyCall({ url, tool, key }: Target): Promise<Call> {
  const headers = { ...COMMON, ...authorization(key) };
  const params = { protocolVersion: LEGACY, capabilities: {}, clientInfo };
  const opening = { jsonrpc: '2.0', id: 0, method: 'initialize', params };
  const opened = await fetch(url, { method: 'POST', headers, body: JSON.stringify(opening) });
  const session = opened.headers.get('mcp-session-id');
  if (!opened.ok) throw new Error(`initialize at ${url} answered ${opened.status}: ${await opened.text()}`);
  await opened.text();
  const inSession = {
    ...headers,
    'MCP-Protocol-Version': LEGACY,
    ...(session !== null && { 'Mcp-Session-Id': session }),
  };
  const initialized = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });
  await (await fetch(url, { method: 'POST', headers: inSession, body: initialized })).text();
  const _meta = { progressToken: 'bench-progress-token', note: 'x'.repeat(120) };
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { _meta, name: tool, arguments: args } };
  return { url, headers: inSession, body: JSON.stringify(body) };
}
