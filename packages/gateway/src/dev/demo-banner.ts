/** What `npm start` prints: everything that someone needs to make the first call, ready to be pasted. */

import { table } from '../cli/terminal.ts';
import type { Terminal } from '../cli/terminal.ts';
import type { DemoFolder } from './demo-files.ts';

export type DemoBanner = {
  readonly url: string;
  readonly operationsUrl: string | undefined;
  /** Of the identity provider. */
  readonly issuer: string;
  readonly servers: readonly string[];
  readonly folder: DemoFolder;
  readonly configFile: string;
  /** Paths are shown relative to it. */
  readonly root: string;
};

const RIGHTS: Readonly<Record<string, string>> = {
  alice: 'engineering: may use everything, and write',
  bob: 'support: may read some',
  carol: 'dba: may use the toolbox',
};

export function printDemoBanner(terminal: Terminal, banner: DemoBanner): void {
  const { url, issuer, folder, configFile, root } = banner;
  const { alice, bob } = folder.keys;
  const relative = (file: string): string => (file.startsWith(`${root}/`) ? file.slice(root.length + 1) : file);
  const heading = (text: string, remark: string): string => terminal.bold(text) + terminal.dim(`   ${remark}`);
  const lines = [
    '',
    `${terminal.bold('Sallyport')} is ready. Configuration: ${relative(configFile)}`,
    '',
    terminal.bold('Endpoints'),
    ...indented(table(endpoints(banner))),
    '',
    heading('Log in', 'VS Code, Claude, the MCP Inspector: give it only the URL, and a browser opens'),
    `  ${url}/mcp`,
    '',
    ...indented(table(folder.users.map(({ name, password }) => [name, password, RIGHTS[name] ?? '']))),
    terminal.dim(`  identity provider of the demo: ${issuer}, for this machine only`),
    '',
    heading('API keys', 'for everything without a browser'),
    ...indented(
      table([
        ['alice', alice.key],
        ['bob', bob.key],
      ]),
    ),
    '',
    heading('A call', 'MCP 2026-07-28, no handshake'),
    ...curl(url, alice.key),
    '',
    terminal.bold('The same with the command line'),
    `  SALLYPORT_KEY=${bob.key} npm run sallyport -- call files/read_text_file --arg path=a.txt --url ${url}`,
    '',
    heading('A client', 'Claude, Cursor and others: mcpServers'),
    `  ${JSON.stringify({ mcpServers: { sallyport: { type: 'http', url: `${url}/mcp` } } })}`,
    `  with a key instead of a log-in, beside "url":  "headers": {"Authorization": "Bearer ${alice.key}"}`,
    '',
    `Passwords and keys are kept in ${relative(folder.folder)}. Every call shows below. ${terminal.bold('Ctrl-C')} drains and stops.`,
    '',
  ];
  for (const line of lines) terminal.out(line);
}

const indented = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`);

function endpoints({ url, operationsUrl, servers }: DemoBanner): readonly (readonly string[])[] {
  return [
    [`${url}/mcp`, 'every server, names like files_read_text_file'],
    ...servers.map((id) => [`${url}/servers/${id}/mcp`, '']),
    ...(operationsUrl === undefined
      ? []
      : [[`${operationsUrl}/status`, 'for operators; also /metrics /healthz /readyz']]),
  ];
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
