/** Clients that only speak stdio, with `sallyport connect` between them and a gateway: a real process, started by the SDK. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Client as ClientV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';

import { ROOT } from '../source-tree.ts';
import { hearing, hearingV1, type ClientKind, type MatrixClient } from '../matrix/clients.ts';

export type BridgeOptions = {
  readonly url: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** What the bridge says to whoever reads the client's log. */
  readonly onLog?: (line: string) => void;
};

const MAIN = path.join(ROOT, 'packages', 'gateway', 'src', 'main.ts');

const INFO = { name: 'stdio-client', version: '1.0.0' };

export const bridgeArguments = ({ url, args = [] }: Pick<BridgeOptions, 'url' | 'args'>): string[] => [
  MAIN,
  'connect',
  '--no-browser',
  ...args,
  url,
];

export async function connectThroughBridge(kind: ClientKind, options: BridgeOptions): Promise<MatrixClient> {
  const started = {
    command: process.execPath,
    args: bridgeArguments(options),
    env: { PATH: process.env['PATH'] ?? '', ...options.env },
    stderr: 'pipe' as const,
  };
  const heard = (stream: { on(event: 'data', listener: (chunk: Buffer) => void): unknown } | null): void => {
    stream?.on('data', (chunk) =>
      chunk
        .toString('utf8')
        .trim()
        .split('\n')
        .forEach((line) => options.onLog?.(line)),
    );
  };
  if (kind === 'sdk-v1') {
    const transport = new StdioV1(started);
    heard(transport.stderr);
    const client = new ClientV1(INFO);
    await client.connect(transport);
    return hearingV1(client);
  }
  const transport = new StdioV2(started);
  heard(transport.stderr);
  const mode = kind === 'sdk-v2-modern' ? { pin: '2026-07-28' } : 'legacy';
  const client = new ClientV2(INFO, { versionNegotiation: { mode } });
  await client.connect(transport);
  return hearing(client, kind);
}

/** A place of its own for what the bridge keeps. */
export function stateOfItsOwn(): {
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  remove(): void;
} {
  const folder = mkdtempSync(path.join(tmpdir(), 'connect-'));
  return {
    folder,
    env: { XDG_STATE_HOME: folder, LOCALAPPDATA: folder, HOME: folder },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
