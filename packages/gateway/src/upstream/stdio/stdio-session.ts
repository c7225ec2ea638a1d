/** One running server process with the two ends of its conversation: what it is asked, and how it comes to its end. */

import { failure } from '../../model/failure.ts';
import type { Failure } from '../../model/failure.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { ErrorOutput } from '../connector.ts';
import type { Clock } from '../clock.ts';
import { startChild } from './child-process.ts';
import type { ChildEnd, EndGraces } from './child-process.ts';
import { watchGroup, type GroupLimits } from './group-limits.ts';
import { createLineSplitter } from './line-splitter.ts';
import { Multiplexer } from './multiplexer.ts';
import type { Answer } from './multiplexer.ts';
import { Outbox } from './outbox.ts';
import { createStderrTail, createTextCleaner } from './stderr-tail.ts';

export type SessionBounds = {
  /** An answer longer than this fails the call it belongs to. */
  readonly maxLineBytes: number;
  /** Requests that wait because the process does not read. */
  readonly maxQueuedCharacters: number;
  /** Lines of stderr that are kept to explain an end. */
  readonly stderrLines: number;
  readonly graces: EndGraces;
};

export type SessionOptions = SessionBounds & {
  readonly server: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string>>;
  /** Of the process and what it starts, together. */
  readonly groupLimits: GroupLimits;
  readonly clock: Clock;
  /** Values of the credential: never shown, should the process print them. */
  readonly secrets: readonly string[];
  readonly logger: Logger;
};

export type StdioSession = {
  readonly multiplexer: Multiplexer;
  readonly pid: number | undefined;
  /** Settles when the process has ended; every call in flight has heard so by then. */
  readonly ended: Promise<void>;
  /** Why it ended, in a sentence; undefined while it runs. */
  endReason(): string | undefined;
  /** For the story of one call. */
  readonly stderr: ErrorOutput;
  /** The last line of stderr, ready for a message, or nothing. */
  lastWords(): string;
  /** Ends the process and everything it started. Idempotent. */
  close(): Promise<void>;
};

const EDGE_BYTES = 4096;
const STDERR_LINE_BYTES = 8192;
const LAST_WORDS_CHARACTERS = 300;

export function openSession(options: SessionOptions): StdioSession {
  const { server, logger } = options;
  const clean = createTextCleaner(options.secrets);
  let strays = 0;
  const strayLine = (reason: string, line: Uint8Array, bytes: number): void => {
    strays += 1;
    // A server that prints to stdout all day must not fill the log: the 1st, 2nd, 4th, 8th… are told.
    if ((strays & (strays - 1)) !== 0) return;
    const fields = { server, bytes, begins: JSON.stringify(clean(line)), strayLines: strays };
    logger.warn(fields, `A line on the server's standard output ${reason}; it was dropped.`);
  };
  const stderr = createStderrTail({
    maxLines: options.stderrLines,
    maxLineBytes: STDERR_LINE_BYTES,
    secrets: options.secrets,
    onLine: (line) => logger.debug({ server, line }, 'The server wrote to standard error.'),
  });
  const splitter = createLineSplitter({
    maxLineBytes: options.maxLineBytes,
    edgeBytes: Math.min(EDGE_BYTES, options.maxLineBytes),
    onLine: (line) => multiplexer.acceptLine(line),
    onOversized: (line) => multiplexer.acceptOversized(line),
  });
  const child = startChild({
    server,
    command: options.command,
    args: options.args,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.env,
    graces: options.graces,
    onOutput: (chunk) => splitter.push(chunk),
    onErrorOutput: (chunk) => stderr.push(chunk),
  });
  const outbox = new Outbox({ stdin: child.stdin, maxQueuedCharacters: options.maxQueuedCharacters });
  const multiplexer = new Multiplexer(outbox, { strayLine });

  let reason: string | undefined;
  let excess: string | undefined;
  let closing = false;
  const stopWatching = watchGroup({
    clock: options.clock,
    pid: child.pid ?? 0,
    limits: child.pid === undefined ? {} : options.groupLimits,
    exceeded(why) {
      excess = why;
      child.kill();
    },
  });
  const watch = async (): Promise<void> => {
    const end = await child.ended;
    stopWatching();
    reason = excess ?? describeEnd(end, options.command);
    stderr.end();
    if (!closing) logger.warn({ server, pid: child.pid, stderr: stderr.lines() }, reason);
    multiplexer.lose();
  };
  const ended = watch();
  return {
    multiplexer,
    pid: child.pid,
    ended,
    endReason: () => reason,
    stderr,
    lastWords() {
      const last = stderr.lines().at(-1);
      return last === undefined ? '' : ` Its last words: ${JSON.stringify(last.slice(0, LAST_WORDS_CHARACTERS))}.`;
    },
    async close() {
      closing = true;
      outbox.flush();
      await child.end();
    },
  };
}

function describeEnd({ code, signal, error }: ChildEnd, command: string): string {
  if (error !== undefined) return `The command ${JSON.stringify(command)} could not be started: ${startError(error)}.`;
  if (signal !== null) return `The server process was ended by ${signal}.`;
  return `The server process exited with code ${code}.`;
}

function startError(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return 'there is no such program, or no such working directory';
  if (error.code === 'EACCES') return 'the gateway may not execute it';
  return error.code ?? error.message;
}

/** What calls need of a session, whichever way its messages go. */
export type Conversation = Pick<StdioSession, 'multiplexer' | 'ended' | 'endReason' | 'lastWords' | 'close'> & {
  /** Only a process has one. */
  readonly stderr?: ErrorOutput;
};

/** The failure of a call whose process is gone. */
export function processGone(session: Conversation, written: boolean): Failure {
  const message = `${session.endReason() ?? 'The connection to the server is ending.'}${session.lastWords()}`;
  return failure('upstream-closed', { sent: written ? 'maybe' : 'no', message });
}

export type Reply =
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** The process ended first, did not read, or answered too much. */
  | { readonly kind: 'failed'; readonly failure: Failure };

/** One request of ours, outside any call: the handshake. */
export function ask(session: Conversation, id: number, text: string): Promise<Reply> {
  const { multiplexer } = session;
  return new Promise((resolve) => {
    const fail = (of: Failure): void => resolve({ kind: 'failed', failure: of });
    const accepted = multiplexer.request(id, text, {
      answered: (answer) => resolve({ kind: 'answer', answer }),
      tooLarge: () => fail(failure('result-too-large', { sent: 'yes' })),
      turnedAway: fail,
      lost: (written) => fail(processGone(session, written)),
    });
    if (!accepted) fail(failure('overloaded'));
  });
}
