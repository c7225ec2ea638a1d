/** The gateway as it is released and run, with everything on: authentication, policy, limits, validation, metrics, audit. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from '../scripts/build.ts';
import { freePort } from './proxies.ts';
import { start, until, type Running } from './processes.ts';

const STDIO_FIXTURE = fileURLToPath(new URL('./fixtures/stdio-server.ts', import.meta.url));

/** As in the first line of `main.ts`. */
const FLAGS = ['--max-semi-space-size=8', '--no-allocation-site-pretenuring'];

export type Gateway = Running & { readonly origin: string; readonly key: string };

export type GatewayOptions = { readonly folder: string; readonly modernPort: number; readonly legacyPort: number };

export async function startGateway({ folder, modernPort, legacyPort }: GatewayOptions): Promise<Gateway> {
  const main = build();
  const { key, line } = createKey(main, 'bench');
  const gateway = await startConfigured(main, folder, ({ port, operationsPort }) =>
    config({ line, port, operationsPort, modernPort, legacyPort }),
  );
  return { ...gateway, key };
}

/** The built gateway on a configuration of its own. */
export async function startConfigured(
  main: string,
  folder: string,
  configFor: (ports: { readonly port: number; readonly operationsPort: number }) => string,
  role: 'measured' | 'anywhere' = 'measured',
): Promise<Omit<Gateway, 'key'>> {
  mkdirSync(folder, { recursive: true });
  const [port, operationsPort] = [await freePort(), await freePort()];
  const file = join(folder, 'sallyport.yaml');
  writeFileSync(file, configFor({ port, operationsPort }));
  const command = [process.execPath, ...FLAGS, main, 'serve', '--config', file];
  const gateway = start({ role, command, cwd: folder });
  await until(() => isReady(operationsPort), 'the gateway', gateway);
  return { ...gateway, origin: `http://127.0.0.1:${port}` };
}

/** The key stands on standard output, the line for the configuration among the words on standard error. */
export function createKey(main: string, name: string): { key: string; line: string } {
  const args = [main, 'key', 'create', name, '--group', 'bench', '--print-config'];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const line = /^\s*- (\{.*\})$/m.exec(stderr)?.[1];
  if (line === undefined) throw new Error(`"sallyport key create" printed no configuration line.\n${stderr}`);
  return { key: stdout.trim(), line };
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  } catch {
    return false;
  }
}

type Ports = {
  readonly port: number;
  readonly operationsPort: number;
  readonly modernPort: number;
  readonly legacyPort: number;
};

/** The limits are checked on every call, and never reached. */
/** What every configuration of the bench begins with: where it listens, and the one key. */
export const configHead = (
  { port, operationsPort }: { readonly port: number; readonly operationsPort: number },
  line: string,
): string => `
listen: 127.0.0.1:${port}
operations: 127.0.0.1:${operationsPort}
identity:
  apiKeys:
    - ${line}
`;

const config = ({ line, port, operationsPort, modernPort, legacyPort }: Ports & { readonly line: string }): string =>
  `${configHead({ port, operationsPort }, line)}servers:
  modern:
    url: http://127.0.0.1:${modernPort}/mcp
    tools: { "read_*": { readOnly: true, risk: low } }
    allow: [{ group: bench, tools: ["*"] }]
  legacy:
    url: http://127.0.0.1:${legacyPort}/mcp
    tools: { "read_*": { readOnly: true, risk: low } }
    allow: [{ group: bench, tools: ["*"] }]
  stdio:
    command: ["${process.execPath}", "${STDIO_FIXTURE}"]
    tools: { "read_*": { readOnly: true, risk: low } }
    allow: [{ group: bench, tools: ["*"] }]
loopBreaker: off # the load is one call with the same arguments
limits:
  - { per: principal, rate: 1000000/second, burst: 1000000 }
  - { per: tool, server: modern, rate: 1000000/second, burst: 1000000 }
audit: { file: ./data/audit.jsonl }
`;
