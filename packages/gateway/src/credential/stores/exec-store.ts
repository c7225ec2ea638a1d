/**
 * `exec:name/argument`: what a command prints. Program and arguments are the operator's, there is no shell, the environment is
 * what the configuration lists, and output, time and the number of processes are bounded. What it writes to stderr is dropped:
 * it may quote what it was asked for.
 */

import { spawn } from 'node:child_process';

import { Secret } from '../../model/secret.ts';
import { UnresolvedReferenceError, type Lease, type SecretStore } from '../secret-store.ts';

export type ExecCommand = {
  /** Program and arguments; `{}` in them is what stands behind the name in the reference. */
  readonly command: readonly string[];
  /** All of its environment. @throws UnresolvedReferenceError */
  readonly env: () => Promise<Readonly<Record<string, string>>>;
  readonly cwd: string;
  readonly timeoutMs: number;
  readonly maxOutputBytes: number;
  readonly cacheMs: number;
  readonly keepMs: number;
};

/** Each is a program that starts, and many of them log in somewhere. */
const MAX_RUNNING = 4;

export function createExecStore(commands: Readonly<Record<string, ExecCommand>>): SecretStore {
  const turns = createTurns(MAX_RUNNING);
  const read = async (reference: string, signal: AbortSignal): Promise<Lease> => {
    const [name = '', ...rest] = reference.split('/');
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (command === undefined)
      throw new UnresolvedReferenceError(`exec:${reference}: there is no secrets.exec.${name}.`);
    const argument = rest.join('/');
    if (command.command.some((part) => part.includes('{}')) !== (argument !== '')) {
      const mend =
        argument === '' ? `Write exec:${name}/argument.` : `Write {} where the argument belongs in its command.`;
      throw new UnresolvedReferenceError(`exec:${reference} does not fit its command. ${mend}`);
    }
    const env = await command.env();
    const leave = await turns();
    try {
      signal.throwIfAborted();
      const output = await run({ reference, command, argument, env, signal });
      return { value: new Secret(output), checkAfterMs: command.cacheMs, lastsMs: command.keepMs };
    } finally {
      leave();
    }
  };
  return { read, renew: (reference, _lease, signal) => read(reference, signal), close: () => Promise.resolve() };
}

type Run = {
  readonly reference: string;
  readonly command: ExecCommand;
  readonly argument: string;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
};

function run({ reference, command, argument, env, signal }: Run): Promise<string> {
  const { cwd, timeoutMs, maxOutputBytes } = command;
  const [program = '', ...args] = command.command.map((part) => part.replaceAll('{}', () => argument));
  const unresolved = (what: string, cause?: unknown): UnresolvedReferenceError =>
    new UnresolvedReferenceError(`exec:${reference}: ${what}`, { cause, fault: 'away' });
  return new Promise((resolve, reject) => {
    // A group of its own: what the command started ends with it.
    const child = spawn(program, args, { cwd, env, shell: false, detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
    const pieces: Buffer[] = [];
    let size = 0;
    let ended: UnresolvedReferenceError | undefined;
    const end = (why: UnresolvedReferenceError): void => {
      ended ??= why;
      killGroup(child.pid);
    };
    const timer = setTimeout(() => end(unresolved(`${program} did not end within ${timeoutMs} ms.`)), timeoutMs);
    const abort = (): void => end(unresolved('the gateway is shutting down.'));
    signal.addEventListener('abort', abort, { once: true });
    child.stdout.on('data', (piece: Buffer) => {
      size += piece.length;
      if (size > maxOutputBytes)
        end(unresolved(`${program} printed more than ${maxOutputBytes} bytes: that is not a secret.`));
      else pieces.push(piece);
    });
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    child.once('error', (error) => {
      settle();
      reject(unresolved(notStarted(program, error), error));
    });
    child.once('close', (code, killedBy) => {
      settle();
      const bytes = Buffer.concat(pieces, Math.min(size, maxOutputBytes));
      const output = bytes.toString('utf8').replace(/\r?\n$/, '');
      bytes.fill(0);
      for (const piece of pieces) piece.fill(0);
      if (ended !== undefined) reject(ended);
      else if (code !== 0) reject(unresolved(`${program} ended with ${code ?? killedBy}. ${BY_HAND}`));
      else if (output === '') reject(unresolved(`${program} printed nothing. ${BY_HAND}`));
      else resolve(output);
    });
  });
}

const BY_HAND = "Run it by hand as the gateway's user, with the environment of secrets.exec, to see why.";

function notStarted(program: string, error: Error): string {
  const code = 'code' in error ? String(error.code) : 'unknown error';
  if (code === 'ENOENT') return `there is no program ${program}. Install it, or write its path.`;
  if (code === 'EACCES') return `${program} may not be run by the gateway. Give its user the right to.`;
  return `${program} cannot be started (${code}).`;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/** So many at a time; the others wait in the order in which they came. */
function createTurns(most: number): () => Promise<() => void> {
  const waiting: (() => void)[] = [];
  let running = 0;
  const leave = (): void => {
    running -= 1;
    waiting.shift()?.();
  };
  return async () => {
    if (running >= most) await new Promise<void>((resolve) => void waiting.push(resolve));
    running += 1;
    return leave;
  };
}
