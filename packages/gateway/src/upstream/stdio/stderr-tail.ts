/** The last lines a process wrote to stderr: for the messages that say why it ended, and for the log. */

import type { ErrorOutput } from '../connector.ts';
import { createLineSplitter } from './line-splitter.ts';

export type StderrTailOptions = {
  readonly maxLines: number;
  readonly maxLineBytes: number;
  /** Values that must not be seen, should the process print its own credential. */
  readonly secrets: readonly string[];
  readonly onLine: (line: string) => void;
};

export type StderrTail = ErrorOutput & {
  push(chunk: Uint8Array): void;
  /** Nothing more comes: what stands after the last newline is a line, too. */
  end(): void;
  /** Oldest first. */
  lines(): readonly string[];
};

const NEWLINE = Buffer.from('\n');

/** Shorter values are words like `info` or `true`, which a message needs to make sense. */
const SHORTEST_SECRET = 8;
/** Also C1 controls and bidirectional marks: a log line must not be able to rewrite the terminal that shows it. */
// oxlint-disable-next-line no-control-regex -- controls are what this is about
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
// oxlint-disable-next-line no-control-regex -- the escape character opens a terminal sequence
const TERMINAL_SEQUENCES = /\u001b\[[0-9;?]*[A-Za-z]/g;

export function createStderrTail(options: StderrTailOptions): StderrTail {
  const clean = createTextCleaner(options.secrets);
  const kept: string[] = [];
  let written = 0;
  const keep = (bytes: Uint8Array): void => {
    const line = clean(bytes);
    if (line === '') return;
    written += 1;
    kept.push(line);
    if (kept.length > options.maxLines) kept.shift();
    options.onLine(line);
  };
  const splitter = createLineSplitter({
    maxLineBytes: options.maxLineBytes,
    edgeBytes: Math.min(256, options.maxLineBytes),
    onLine: keep,
    onOversized: ({ head }) => keep(head),
  });
  return {
    push: (chunk) => splitter.push(chunk),
    end: () => splitter.push(NEWLINE),
    lines: () => [...kept],
    mark: () => written,
    since: (mark) => (written > mark ? kept.slice(-(written - mark)) : []),
  };
}

/** Makes bytes of an untrusted process printable on one line, without any of the secrets. */
export function createTextCleaner(secrets: readonly string[]): (bytes: Uint8Array) => string {
  const hidden = secrets.filter((secret) => secret.length >= SHORTEST_SECRET);
  return (bytes) => {
    let text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
    for (const secret of hidden) text = hideCutSecret(text.replaceAll(secret, '[redacted]'), secret);
    return text.replace(TERMINAL_SEQUENCES, '').replace(CONTROLS, ' ').trim();
  };
}

/** The bytes may have been cut in the middle of a secret. */
function hideCutSecret(text: string, secret: string): string {
  for (let length = secret.length - 1; length >= SHORTEST_SECRET; length -= 1) {
    if (text.endsWith(secret.slice(0, length))) return `${text.slice(0, -length)}[redacted]`;
  }
  return text;
}
