/** The gateway as a process of its own, as an operator starts it: `main.ts serve --config …`. */

import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { writeTestConfig, type TestConfig, type TestConfigOptions } from './config-file.ts';
import { scriptPath } from './child.ts';

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type GatewayProcess = {
  readonly pid: number;
  readonly url: string;
  readonly operationsUrl: string;
  readonly config: TestConfig;
  /** The log so far: parsed JSON lines. */
  readonly log: readonly Record<string, unknown>[];
  readonly exited: Promise<Exit>;
  signal(name: NodeJS.Signals): void;
  /** Ends it if it still runs, and removes its folder. */
  close(): Promise<void>;
};

const MAIN = scriptPath('../packages/gateway/src/main.ts');

export const startGatewayProcess = (options: TestConfigOptions): Promise<GatewayProcess> =>
  startAgain(writeTestConfig(options));

/** A gateway on the files that an earlier one left. */
export async function startAgain(config: TestConfig): Promise<GatewayProcess> {
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', config.file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: config.directory,
  });
  const exited = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  const log: Record<string, unknown>[] = [];
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString('utf8')));
  const ready = Promise.withResolvers<Record<string, unknown>>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const parsed = JSON.parse(line) as Record<string, unknown>;
    log.push(parsed);
    if (parsed.msg === 'ready') ready.resolve(parsed);
  });
  void exited.then(() => ready.reject(new Error(`the gateway ended before it was ready\n${complaints}`)));
  const { url, operations } = await ready.promise;
  const { pid } = child;
  if (typeof url !== 'string' || typeof operations !== 'string' || pid === undefined) {
    throw new Error('the line "ready" names no addresses');
  }
  return {
    pid,
    url,
    operationsUrl: operations,
    config,
    log,
    exited,
    signal: (name) => void child.kill(name),
    async close() {
      child.kill('SIGKILL');
      await exited;
      rmSync(config.directory, { recursive: true, force: true });
    },
  };
}
