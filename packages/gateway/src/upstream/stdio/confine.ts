/**
 * What a server's process may do, beyond what its user may: limits of the operating system (`prlimit`, util-linux) and a sandbox
 * of namespaces (`bwrap`, bubblewrap). Both are programs that become the server: they are put in front of its command.
 */

import { refuse } from '../../model/failure.ts';

export type Program = { readonly command: string; readonly args: readonly string[]; readonly cwd: string };

/** Enforced by the kernel, for each process. */
export type KernelLimits = {
  readonly openFiles?: number;
  /** The largest file that it may write. */
  readonly fileBytes?: number;
  /** CPU time, from its start to its end. */
  readonly cpuSeconds?: number;
};

/** Everything is read-only but what is named; devices, processes and /tmp are its own. */
export type Sandbox = {
  readonly network: boolean;
  /** Absolute. Must exist when the server starts. */
  readonly write: readonly string[];
  /** Absolute: seen also where they lie in what is hidden, or in /tmp. */
  readonly read: readonly string[];
  /** Absolute folders, seen as empty. */
  readonly hide: readonly string[];
  /** The gateway's own: never seen, whatever is named for writing. */
  readonly own: { readonly folders: readonly string[]; readonly files: readonly string[] };
};

export type Confinement = { readonly limits: KernelLimits; readonly sandbox?: () => Sandbox };

/** Where the programs are, absolute; undefined for one that this machine lacks. */
export type ConfiningTools = { readonly bwrap: string | undefined; readonly prlimit: string | undefined };

/**
 * The command to run instead. A server is never run with less than was asked for.
 *
 * @throws Refusal `server-unavailable` where this machine lacks the program.
 */
export function confined(program: Program, { limits, sandbox }: Confinement, tools: ConfiningTools): Program {
  const boxed = sandbox === undefined ? program : inSandbox(program, sandbox(), tools.bwrap);
  return withLimits(boxed, limits, tools.prlimit);
}

function inSandbox(
  { command, args, cwd }: Program,
  { network, write, read, hide, own }: Sandbox,
  bwrap?: string,
): Program {
  if (bwrap === undefined) throw lacks('sandbox', 'bwrap', 'bubblewrap');
  const inside = [
    '--ro-bind',
    '/',
    '/',
    '--dev',
    '/dev',
    '--proc',
    '/proc',
    '--tmpfs',
    '/tmp',
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--unshare-cgroup-try',
    ...(network ? [] : ['--unshare-net']),
    // In this order: what is named may lie within what is hidden, and what is ours within that.
    ...hide.flatMap((path) => ['--tmpfs', path]),
    ...[cwd, ...read].flatMap((path) => ['--ro-bind', path, path]),
    ...write.flatMap((path) => ['--bind', path, path]),
    ...own.folders.flatMap((path) => ['--tmpfs', path]),
    ...own.files.flatMap((path) => ['--ro-bind', '/dev/null', path]),
    '--chdir',
    cwd,
    '--die-with-parent',
    '--',
    command,
    ...args,
  ];
  return { command: bwrap, args: inside, cwd };
}

function withLimits({ command, args, cwd }: Program, limits: KernelLimits, prlimit?: string): Program {
  const { openFiles, fileBytes, cpuSeconds } = limits;
  const wanted = [
    ...(openFiles === undefined ? [] : [`--nofile=${openFiles}`]),
    ...(fileBytes === undefined ? [] : [`--fsize=${fileBytes}`]),
    ...(cpuSeconds === undefined ? [] : [`--cpu=${cpuSeconds}`]),
  ];
  if (wanted.length === 0) return { command, args, cwd };
  if (prlimit === undefined) throw lacks('limits', 'prlimit', 'util-linux');
  // No core file either: it would hold what the process knew.
  return { command: prlimit, args: ['--core=0', ...wanted, '--', command, ...args], cwd };
}

const lacks = (setting: string, program: string, from: string) =>
  refuse('server-unavailable', {
    message: `Its process.${setting} needs the program ${program}, which is not on this machine. Install ${from}, or take the setting out.`,
  });
