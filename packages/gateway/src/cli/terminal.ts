/** What a command writes to: two streams, colour where it is wanted, and nothing else. Tests pass their own. */

import type { Environment } from '../config/load.ts';

export interface Terminal {
  /** A line to standard output: what the command is about, fit for a pipe. */
  out(line: string): void;
  /** A line to standard error: what went wrong, and hints. */
  err(line: string): void;
  /** A line on standard error that the next one replaces; `''` removes it. Absent where standard error is no terminal. */
  readonly status?: (line: string) => void;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  /** Standard output where it is a screen that can be drawn on; undefined for a pipe or a file. */
  readonly screen: Screen | undefined;
  /** How far something has come, on one line of standard error that the next one replaces; nothing where nobody looks on. */
  progress(line: string): void;
}

export type Screen = {
  size(): { readonly columns: number; readonly rows: number };
  write(text: string): void;
  /** The returned function ends it. */
  onResize(listener: () => void): () => void;
};

export type TerminalStream = {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
};

/** Colour only on a terminal, and never when NO_COLOR is set to anything (no-color.org). */
export function createTerminal(streams: { out: TerminalStream; err: TerminalStream }, env: Environment): Terminal {
  const colour = streams.out.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  const paint = (code: number) => (text: string) => (colour ? `\u001B[${code}m${text}\u001B[0m` : text);
  return {
    out: (line) => void streams.out.write(`${line}\n`),
    err: (line) => void streams.err.write(`${line}\n`),
    ...(streams.err.isTTY === true &&
      env['TERM'] !== 'dumb' && { status: (line: string) => void streams.err.write(`\r\u001B[K${line}`) }),
    bold: paint(1),
    dim: paint(2),
    red: paint(31),
    green: paint(32),
    yellow: paint(33),
    screen: streams.out.isTTY === true && env['TERM'] !== 'dumb' ? screenOf(streams.out) : undefined,
    progress: (line) => {
      if (streams.err.isTTY === true) streams.err.write(`\r${line}\u001B[K`);
    },
  };
}

const screenOf = (stream: TerminalStream): Screen => ({
  size: () => ({ columns: stream.columns ?? 80, rows: stream.rows ?? 24 }),
  write: (text) => void stream.write(text),
  onResize(listener) {
    stream.on?.('resize', listener);
    return () => void stream.off?.('resize', listener);
  },
});

/** What moves the cursor, colours, rings or turns the direction of text is shown by its number: names are strangers' words. */
export const printable = (text: string): string =>
  text.replaceAll(
    // oxlint-disable-next-line no-control-regex -- these are what must not reach a terminal
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );

/** Columns as wide as their widest cell, two spaces between them; those of `numbers` end below each other. */
export function table(cells: readonly (readonly string[])[], numbers: ReadonlySet<number> = new Set()): string[] {
  const rows = cells.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row
      .map((cell, index) => (numbers.has(index) ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
