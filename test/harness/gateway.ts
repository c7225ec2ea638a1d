/** A real gateway in the test's own process: real configuration file, real sockets, free ports, files in a fresh folder. */

import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { createApiKey } from '../../packages/gateway/src/authn/api-key.ts';
import { loadConfig } from '../../packages/gateway/src/config/load.ts';
import { startGateway, type Gateway } from '../../packages/gateway/src/gateway.ts';
import type { LogFields, Logger } from '../../packages/gateway/src/telemetry/logger.ts';

export type LogLine = { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly message: string } & LogFields;

export type TestGateway = {
  readonly gateway: Gateway;
  readonly url: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly log: readonly LogLine[];
  /** The audit file's records so far. */
  records(): readonly Record<string, unknown>[];
  close(): Promise<void>;
};

export type TestGatewayOptions = {
  /** YAML of the `servers:` mapping and of anything else, two-space indented from column 0. */
  readonly yaml: string;
  /** Name to groups: a key is made for each. */
  readonly users?: Readonly<Record<string, readonly string[]>>;
  readonly policies?: string;
  readonly env?: Readonly<Record<string, string>>;
};

export async function startTestGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-test-'));
  const users = options.users ?? { alice: ['engineering'] };
  const keys: Record<string, string> = {};
  const entries = Object.entries(users).map(([name, groups]) => {
    const { key, hash } = createApiKey(randomBytes);
    keys[name] = key.expose();
    return `    - { name: ${name}, hash: "${hash}", groups: [${groups.join(', ')}] }`;
  });
  const lines = [
    'listen: 127.0.0.1:0',
    'operations: 127.0.0.1:0',
    'log: { calls: true }',
    'keys: { file: ./keys.json }',
    'audit: { file: ./audit.jsonl }',
    'identity:',
    '  apiKeys:',
    ...entries,
    ...(options.policies === undefined ? [] : ['policies: [./policy.cedar]']),
    options.yaml,
  ];
  const file = path.join(directory, 'sallyport.yaml');
  writeFileSync(file, `${lines.join('\n')}\n`);
  if (options.policies !== undefined) writeFileSync(path.join(directory, 'policy.cedar'), options.policies);
  const loaded = loadConfig(file, { env: { ...process.env, ...options.env } });
  if (!loaded.ok) throw new Error(`the test's configuration is wrong: ${JSON.stringify(loaded.error)}`);
  const log: LogLine[] = [];
  const gateway = await startGateway(loaded.value, { logger: collectInto(log) });
  return {
    gateway,
    url: gateway.url,
    keys,
    directory,
    log,
    records: () => readRecords(path.join(directory, 'audit.jsonl')),
    async close() {
      await gateway.close(2_000);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function collectInto(log: LogLine[]): Logger {
  const at = (level: LogLine['level']) => (fields: LogFields, message: string) =>
    void log.push({ ...fields, level, message });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function readRecords(file: string): readonly Record<string, unknown>[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>);
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
