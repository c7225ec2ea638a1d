/** A real OpenBao for one test file: in memory, unsealed, on a free loopback port. */

import { spawn, spawnSync } from 'node:child_process';

import { freePort } from './free-port.ts';
import { until } from './until.ts';

export type TestOpenBao = {
  readonly url: string;
  readonly rootToken: string;
  /** What `data` of the answer holds, or all of it where there is none. @throws for an answer that is an error */
  ask(method: 'GET' | 'POST', path: string, body?: unknown, token?: string): Promise<Record<string, unknown>>;
  /** Stops it without a word (SIGSTOP): connections stay open and nothing answers. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
};

/** Said once for each test file that would have needed it. */
export const NO_OPENBAO = spawnSync('bao', ['version']).status === 0 ? undefined : 'OpenBao (bao) is not installed';
if (NO_OPENBAO !== undefined) console.warn(`SKIPPED: every test on OpenBao, because ${NO_OPENBAO}.`);

const ROOT_TOKEN = 'root-of-a-test';

/** @param port Default: a free one. */
export async function startOpenBao(port?: number): Promise<TestOpenBao> {
  const address = `127.0.0.1:${port ?? (await freePort())}`;
  const args = ['server', '-dev', `-dev-root-token-id=${ROOT_TOKEN}`, `-dev-listen-address=${address}`];
  const child = spawn('bao', [...args, '-dev-no-store-token'], { stdio: 'ignore' });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const url = `http://${address}`;
  const ask: TestOpenBao['ask'] = async (method, path, body, token = ROOT_TOKEN) => {
    const response = await fetch(`${url}/v1/${path}`, {
      method,
      headers: { 'x-vault-token': token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`OpenBao answered ${response.status} for ${path}: ${text}`);
    const answer = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    return (answer.data ?? answer) as Record<string, unknown>;
  };
  await until('OpenBao', () => ask('GET', 'secret/config').then(Boolean, () => false), 60_000);
  return {
    url,
    rootToken: ROOT_TOKEN,
    ask,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    async close() {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
