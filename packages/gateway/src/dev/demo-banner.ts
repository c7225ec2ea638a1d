/** What `npm start` prints: everything that someone needs to make the first call, ready to be pasted. */

import type { Terminal } from '../cli/terminal.ts';
import type { DemoFiles } from './demo-files.ts';

export type DemoBanner = {
  readonly url: string;
  readonly operationsUrl: string | undefined;
  readonly servers: readonly string[];
  readonly files: DemoFiles;
  /** Paths are shown relative to it. */
  readonly root: string;
};

export function printDemoBanner(terminal: Terminal, { url, operationsUrl, servers, files, root }: DemoBanner): void {
  const { alice, bob } = files.keys;
  const relative = (file: string): string => (file.startsWith(`${root}/`) ? file.slice(root.length + 1) : file);
  const lines = [
    '',
    `${terminal.bold('Sallyport')} is ready. Configuration: ${relative(files.config)}`,
    '',
    terminal.bold('Endpoints'),
    `  ${url}/mcp   every server, names like files_read_text_file`,
    ...servers.map((id) => `  ${url}/servers/${id}/mcp`),
    ...(operationsUrl === undefined
      ? []
      : [`  ${operationsUrl}/status   for operators; also /metrics /healthz /readyz`]),
    '',
    terminal.bold('API keys') + terminal.dim(`   kept in ${relative(files.config).replace(/[^/]+$/, 'api-keys.json')}`),
    `  alice  ${alice.key}   engineering: may use everything, and write`,
    `  bob    ${bob.key}   support: may read some`,
    '',
    terminal.bold('A call') + terminal.dim('   MCP 2026-07-28, no handshake'),
    ...curl(url, alice.key),
    '',
    terminal.bold('The same with the command line'),
    `  SALLYPORT_KEY=${bob.key} npm run sallyport -- call files/read_text_file --arg path=a.txt --url ${url}`,
    '',
    terminal.bold('A client') + terminal.dim('   Claude, VS Code, Cursor: mcpServers'),
    ...clientConfiguration(url, alice.key),
    '',
    `Every call shows below. ${terminal.bold('Ctrl-C')} drains and stops.`,
    '',
  ];
  for (const line of lines) terminal.out(line);
}

function curl(url: string, key: string): string[] {
  const body = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name: 'convert_units',
      arguments: { value: 26.2, from: 'mi', to: 'km' },
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  };
  return [
    `  curl -sS ${url}/servers/toolbox/mcp \\`,
    `    -H 'Authorization: Bearer ${key}' \\`,
    `    -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \\`,
    `    -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H 'Mcp-Name: convert_units' \\`,
    `    -d '${JSON.stringify(body)}'`,
  ];
}

function clientConfiguration(url: string, key: string): string[] {
  const configuration = {
    mcpServers: { sallyport: { type: 'http', url: `${url}/mcp`, headers: { Authorization: `Bearer ${key}` } } },
  };
  return JSON.stringify(configuration, null, 2)
    .split('\n')
    .map((line) => `  ${line}`);
}
