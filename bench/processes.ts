/** Processes of the bench: where they run, what they use, and that none of them stays behind. */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const CLOCK_TICKS_PER_SECOND = 100;

export const isInstalled = (command: string): boolean =>
  (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(`${folder}/${command}`));

/** What is measured has a core of its own; servers and load share what is left. */
const CORES: Readonly<Record<'measured' | 'server' | 'load', number>> = {
  measured: 0,
  server: Math.min(1, availableParallelism() - 1),
  load: Math.min(2, availableParallelism() - 1),
};

export const isPinning = availableParallelism() > 1 && isInstalled('taskset');

export function pinned(role: keyof typeof CORES, command: readonly string[]): readonly string[] {
  return isPinning ? ['taskset', '--cpu-list', String(CORES[role]), ...command] : command;
}

export type Running = { readonly pid: number; readonly output: () => string; stop(): Promise<void> };

export type StartOptions = {
  /** `anywhere`: on whatever core is free, its own children included. */
  readonly role: keyof typeof CORES | 'anywhere';
  readonly command: readonly string[];
  readonly cwd?: string;
};

const running = new Set<ChildProcess>();

/** Starts a process whose output is kept, for error messages. */
export function start({ role, command, cwd }: StartOptions): Running {
  const [file = '', ...args] = role === 'anywhere' ? command : pinned(role, command);
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...(cwd !== undefined && { cwd }) });
  running.add(child);
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(-20_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.once('exit', () => running.delete(child));
  return { pid: child.pid ?? -1, output: () => output, stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const impatience = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(impatience);
}

export const stopAll = async (): Promise<void> => {
  await Promise.all([...running].map(stop));
};

/** Asks until it is so. @throws with the process's output when it ends first, or after 30 s */
export async function until(ready: () => boolean | Promise<boolean>, what: string, of?: Running): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await ready())) {
    if (performance.now() > deadline || (of !== undefined && !existsSync(`/proc/${of.pid}`))) {
      throw new Error(`${what} did not become ready.\n${of?.output() ?? ''}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** CPU seconds, user and system, of a process; with its children where these do its work. */
export function cpuSeconds(pid: number, withChildren: boolean): number {
  let ticks = ticksOf(pid);
  if (withChildren) for (const child of childrenOf(pid)) ticks += ticksOf(child);
  return ticks / CLOCK_TICKS_PER_SECOND;
}

/** Fields of `/proc/<pid>/stat` behind the command name, which may itself hold spaces. */
function statOf(pid: number): readonly string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

const ticksOf = (pid: number): number => Number(statOf(pid)[11]) + Number(statOf(pid)[12]);

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => {
      try {
        return Number(statOf(candidate)[1]) === pid;
      } catch {
        return false;
      }
    });
}

export function residentMegabytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kilobytes) / 1024;
}

export function versionOf(command: string, ...args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return (stdout + stderr).split('\n')[0]?.trim() ?? '';
}
