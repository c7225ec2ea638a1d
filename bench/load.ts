/** Load on one address, by wrk: as fast as it goes, or at a rate. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { pinned } from './processes.ts';

const SCRIPT = fileURLToPath(new URL('./fixtures/call.lua', import.meta.url));
export const CONNECTIONS = 64;

export type Call = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

export type LoadResult = {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
};

export type LoadOptions = { readonly call: Call; readonly seconds: number; readonly rate?: number };

/** @throws when a single request failed: a figure with failures in it is worth nothing */
export async function load({ call, seconds, rate }: LoadOptions): Promise<LoadResult> {
  const thinkMs = rate === undefined ? 0 : (CONNECTIONS / rate) * 1000;
  const [command, ...args] = pinned('load', [
    'wrk',
    '--threads=1',
    `--connections=${CONNECTIONS}`,
    `--duration=${seconds}s`,
    '--timeout=10s',
    `--script=${SCRIPT}`,
    call.url,
  ]);
  const headers = Object.entries(call.headers);
  const env = {
    PATH: process.env['PATH'] ?? '',
    BENCH_BODY: call.body,
    BENCH_HEADERS: headers.map(([name, value]) => `${name}: ${value}`).join('\n'),
    BENCH_THINK_MS: String(thinkMs),
  };
  const { stdout } = await promisify(execFile)(command ?? '', args, { env });
  const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Record<string, number>;
  const { requests = 0, microseconds = 1, failed = 0, p50 = 0, p99 = 0 } = summary;
  if (failed > 0 || requests === 0) throw new Error(`${failed} of ${requests} requests to ${call.url} failed.`);
  return { requests, seconds: microseconds / 1e6, p50Ms: p50 / 1000, p99Ms: p99 / 1000 };
}

/** One call, looked at: a bench of error messages would be fast. @throws when the answer is not the tool's */
export async function tryCall({ url, headers, body }: Call, expected: string): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers,
    body,
  });
  const text = await response.text();
  if (response.status === 200 && text.includes(expected)) return;
  throw new Error(`${url} answered ${response.status}: ${text.slice(0, 500)}`);
}
