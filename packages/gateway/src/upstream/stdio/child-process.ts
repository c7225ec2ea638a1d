/**
 * One child process and everything it starts, as a group of its own: no shell, pipes on all three streams, and an end
 * that is bounded at every step (close stdin, wait, SIGTERM, wait, SIGKILL; MCP 2025-11-25, basic/lifecycle, shutdown).
 */

import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { addLiveGroup, removeLiveGroup } from './live-groups.ts';

export type EndGraces = {
  /** After stdin was closed. */
  readonly closedInputMs: number;
  /** After SIGTERM. */
  readonly terminateMs: number;
  /** After SIGKILL, for the operating system to be done with it. */
  readonly killMs: number;
};

export type ChildOptions = {
  /** Whose process it is. */
  readonly server: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string>>;
  readonly graces: EndGraces;
  readonly onOutput: (chunk: Uint8Array) => void;
  readonly onErrorOutput: (chunk: Uint8Array) => void;
};

export type ChildEnd = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The process could not be started at all. */
  readonly error?: Error;
};

export type Child = {
  /** Undefined when the process could not be started. */
  readonly pid: number | undefined;
  readonly stdin: Writable;
  /** Settles when the process has ended and its output was read. */
  readonly ended: Promise<ChildEnd>;
  /** Ends the whole group at once. */
  kill(): void;
  /** Ends the whole group. Idempotent; settles when nobody is left, or when the last grace is over. */
  end(): Promise<void>;
};

/** How long output may still arrive after the process is gone: someone in its group may hold the pipe open. */
const DRAIN_MS = 500;
const POLL_MS = 10;

const GROUPS = process.platform !== 'win32';

type Spawned = ChildProcessByStdio<Writable, Readable, Readable>;

export function startChild(options: ChildOptions): Child {
  const spawned: Spawned = spawn(options.command, [...options.args], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    shell: false,
    detached: GROUPS,
    windowsHide: true,
  });
  // A write to a process that is going away is reported by its end, not by its stdin.
  spawned.stdin.on('error', () => undefined);
  spawned.stdout.on('error', () => undefined);
  spawned.stderr.on('error', () => undefined);
  spawned.stdout.on('data', options.onOutput);
  spawned.stderr.on('data', options.onErrorOutput);

  const { pid } = spawned;
  const group = createGroup(spawned, options.server);
  const exited = whenExited(spawned);
  const ended = exited.then((end) => whenDrained(spawned, end));

  let ending: Promise<void> | undefined;
  const end = (): Promise<void> => (ending ??= endGroup({ spawned, group, exited, graces: options.graces }));
  // A leader that died may leave others behind: they end with it.
  void exited.then(end);
  const kill = (): void => void group.signal('SIGKILL');
  return { pid, stdin: spawned.stdin, ended, kill, end };
}

type Group = {
  /** False when nobody is left, from then on for ever. */
  signal(name: NodeJS.Signals | 0): boolean;
};

function createGroup(spawned: Spawned, server: string): Group {
  const { pid } = spawned;
  if (pid === undefined) return { signal: () => false };
  let gone = false;
  const leaderGone = (): boolean => spawned.exitCode !== null || spawned.signalCode !== null;
  const signal = (name: NodeJS.Signals | 0): boolean => {
    if (gone) return false;
    if (!GROUPS) {
      gone = leaderGone() || (name !== 0 && !spawned.kill(name));
    } else {
      try {
        process.kill(-pid, name);
      } catch (error) {
        // Anything else (EPERM) means that someone is there. The group exists from the spawn on, so this is never too early.
        gone = error instanceof Error && 'code' in error && error.code === 'ESRCH';
      }
    }
    if (gone) removeLiveGroup(pid);
    return !gone;
  };
  addLiveGroup(pid, server);
  return { signal };
}

function whenExited(spawned: Spawned): Promise<ChildEnd> {
  return new Promise((resolve) => {
    spawned.once('exit', (code, signal) => resolve({ code, signal }));
    spawned.once('error', (error) => {
      if (spawned.pid === undefined) resolve({ code: null, signal: null, error });
    });
  });
}

function whenDrained(spawned: Spawned, end: ChildEnd): Promise<ChildEnd> {
  if (end.error !== undefined || spawned.stdout.closed) return Promise.resolve(end);
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      spawned.stdout.destroy();
      spawned.stderr.destroy();
      spawned.stdin.destroy();
      resolve(end);
    };
    const timer = setTimeout(finish, DRAIN_MS);
    spawned.once('close', finish);
  });
}

type Ending = { spawned: Spawned; group: Group; exited: Promise<ChildEnd>; graces: EndGraces };

async function endGroup({ spawned, group, exited, graces }: Ending): Promise<void> {
  spawned.stdin.end();
  await settledWithin(exited, graces.closedInputMs);
  if (!group.signal('SIGTERM')) return;
  if (await emptyWithin(group, graces.terminateMs)) return;
  group.signal('SIGKILL');
  await settledWithin(exited, graces.killMs);
  await emptyWithin(group, graces.killMs);
  // Nobody survives SIGKILL: whoever is still listed is a zombie that the system has not cleared away yet.
  if (spawned.pid !== undefined) removeLiveGroup(spawned.pid);
}

function settledWithin(promise: Promise<unknown>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void promise.finally(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** The system tells no one when a group becomes empty, so this looks, briefly and rarely: only while a server is ended. */
async function emptyWithin(group: Group, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (group.signal(0)) {
    if (performance.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return true;
}
