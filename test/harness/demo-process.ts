/** The demo as a process of its own, as `npm start` starts it: on free ports, with a folder of its own. */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { scriptPath } from './child.ts';

export type DemoProcess = {
  readonly url: string;
  readonly issuer: string;
  /** All that it wrote so far. */
  readonly written: () => string;
  passwordOf(user: string): string;
  keyOf(user: 'alice' | 'bob'): string;
  /** Stops it as Ctrl-C does. @returns The exit code. */
  stop(): Promise<number | null>;
  close(): Promise<void>;
};

const MAIN = scriptPath('../packages/gateway/src/main.ts');
const READY = /Ctrl-C drains and stops\./;

export async function startDemo(): Promise<DemoProcess> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-demo-'));
  const addresses = ['--listen', '127.0.0.1:0', '--operations', 'off', '--identity', '127.0.0.1:0'];
  const child = spawn(process.execPath, [MAIN, 'demo', ...addresses, '--data', folder], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: folder,
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  let text = '';
  const ready = Promise.withResolvers<void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if (READY.test(text)) ready.resolve();
    });
  }
  void exited.then(() => ready.reject(new Error(`the demo ended before it was ready\n${text}`)));
  await ready.promise;
  const url = /(http:\/\/127\.0\.0\.1:\d+)\/mcp/.exec(text)?.[1];
  const issuer = /identity provider of the demo: (\S+),/.exec(text)?.[1];
  if (url === undefined || issuer === undefined) throw new Error(`the demo names no addresses\n${text}`);
  const kept = (file: string): unknown => JSON.parse(readFileSync(path.join(folder, file), 'utf8'));
  const passwords = kept('passwords.json') as Record<string, string>;
  const keys = kept('api-keys.json') as Record<'alice' | 'bob', { readonly key: string }>;
  return {
    url,
    issuer,
    written: () => text,
    passwordOf: (user) => passwords[user] ?? '',
    keyOf: (user) => keys[user].key,
    stop: () => {
      child.kill('SIGINT');
      return exited;
    },
    async close() {
      child.kill('SIGKILL');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
