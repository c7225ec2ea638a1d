/** A real gateway in the test's own process: real configuration file, real sockets, free ports, files in a fresh folder. */

import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';

import { loadConfig } from '../../packages/gateway/src/config/load.ts';
import { startGateway, type Gateway, type GatewayOptions } from '../../packages/gateway/src/gateway.ts';
import type { LogFields, Logger } from '../../packages/gateway/src/telemetry/logger.ts';
import { readRecords, writeTestConfig, type AuditRecord, type TestConfigOptions } from './config-file.ts';

export type LogLine = { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly message: string } & LogFields;

export type TestGateway = {
  readonly gateway: Gateway;
  readonly url: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly log: readonly LogLine[];
  /** The audit file's records so far. */
  records(): readonly AuditRecord[];
  close(): Promise<void>;
};

export type TestGatewayOptions = TestConfigOptions &
  Omit<GatewayOptions, 'logger'> & { readonly env?: Readonly<Record<string, string>> };

export async function startTestGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const { file, directory, auditFile, keys } = writeTestConfig(options);
  const loaded = loadConfig(file, { env: { ...process.env, ...options.env } });
  if (!loaded.ok) throw new Error(`the test's configuration is wrong: ${JSON.stringify(loaded.error)}`);
  const log: LogLine[] = [];
  const { openAuditFile } = options;
  const gateway = await startGateway(loaded.value, {
    logger: collectInto(log),
    ...(openAuditFile === undefined ? {} : { openAuditFile }),
  });
  return {
    gateway,
    url: gateway.url,
    keys,
    directory,
    log,
    records: () => readRecords(auditFile),
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

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
