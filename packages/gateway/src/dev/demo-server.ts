/** Starts one HTTP server of the demo as a child process on a free port of 127.0.0.1. */

import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

export type DemoServer = {
  readonly url: string;
  /** Ends the process and waits for it. */
  close(): Promise<void>;
};

export type DemoServerOptions = {
  readonly name: string;
  /** The script and its arguments. */
  readonly script: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Only what the server needs of ours. */
  readonly path: string;
};

const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 3000;
const PRELOAD = pathToFileURL(path.join(import.meta.dirname, 'demo-child.ts')).href;

/** @throws Error when it does not listen in time; the message has what it wrote. */
export function startDemoServer({ name, script, env, path: searchPath }: DemoServerOptions): Promise<DemoServer> {
  const child = spawn(process.execPath, ['--import', PRELOAD, ...script], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { PATH: searchPath, ...env },
    // In a process group of its own, so that Ctrl-C reaches it through us, after the gateway has drained.
    detached: true,
  });
  let written = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    written = (written + text).slice(-4000);
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const close = async (): Promise<void> => {
    if (child.connected) child.disconnect();
    const hard = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(hard);
  };

  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      void close();
      reject(new Error(`The demo server "${name}" ${why}.${written === '' ? '' : `\n${written.trimEnd()}`}`));
    };
    const timer = setTimeout(() => fail('did not start in time'), START_TIMEOUT_MS);
    void ended.then(() => fail('ended at once'));
    child.once('message', (message: { readonly port?: number }) => {
      clearTimeout(timer);
      resolve({ url: `http://127.0.0.1:${message.port}/mcp`, close });
    });
  });
}
