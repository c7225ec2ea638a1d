/**
 * Splits a byte stream into lines without decoding it: a newline byte never occurs inside a UTF-8 sequence. What is held
 * is bounded: of a line that grows beyond the limit only its first and last bytes are kept, to tell whose answer it was.
 */

/** What remains of a line that was too long to keep. */
export type OversizedLine = { readonly head: Uint8Array; readonly tail: Uint8Array; readonly bytes: number };

export type LineSplitterOptions = {
  readonly maxLineBytes: number;
  /** How much of an oversized line is kept at either end. */
  readonly edgeBytes: number;
  /** Without its newline (and carriage return); may be a view of a chunk. Empty lines are skipped. */
  readonly onLine: (line: Uint8Array) => void;
  readonly onOversized: (line: OversizedLine) => void;
};

export type LineSplitter = {
  push(chunk: Uint8Array): void;
  /** Bytes held for a line that has not ended. */
  heldBytes(): number;
};

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export function createLineSplitter(options: LineSplitterOptions): LineSplitter {
  const { maxLineBytes, edgeBytes, onLine, onOversized } = options;
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let oversized: { head: Uint8Array; tail: Uint8Array; bytes: number } | undefined;

  const reset = (): void => {
    held = [];
    heldBytes = 0;
    oversized = undefined;
  };

  const hold = (part: Uint8Array): void => {
    if (part.length === 0) return;
    if (oversized !== undefined) {
      oversized.tail = lastBytes([oversized.tail, part], edgeBytes);
      oversized.bytes += part.length;
    } else if (heldBytes + part.length > maxLineBytes) {
      const parts = [...held, part];
      oversized = {
        head: firstBytes(parts, edgeBytes),
        tail: lastBytes(parts, edgeBytes),
        bytes: heldBytes + part.length,
      };
      held = [];
      heldBytes = 0;
    } else {
      held.push(part);
      heldBytes += part.length;
    }
  };

  const endLine = (): void => {
    if (oversized !== undefined) {
      const line = oversized;
      reset();
      onOversized(line);
      return;
    }
    const [only] = held;
    const line = trimReturn(held.length === 1 && only !== undefined ? only : Buffer.concat(held, heldBytes));
    reset();
    if (line.length > 0) onLine(line);
  };

  return {
    push(chunk) {
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
        hold(chunk.subarray(start, end));
        endLine();
        start = end + 1;
      }
      hold(start === 0 ? chunk : chunk.subarray(start));
    },
    heldBytes: () => (oversized === undefined ? heldBytes : oversized.head.length + oversized.tail.length),
  };
}

function trimReturn(line: Uint8Array): Uint8Array {
  return line.length > 0 && line[line.length - 1] === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
}

/** Copies, so that an oversized line's chunks can be freed. */
function firstBytes(parts: readonly Uint8Array[], count: number): Uint8Array {
  const needed: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    if (bytes >= count) break;
    needed.push(part.subarray(0, count - bytes));
    bytes += part.length;
  }
  return Buffer.concat(needed);
}

function lastBytes(parts: readonly Uint8Array[], count: number): Uint8Array {
  const needed: Uint8Array[] = [];
  let bytes = 0;
  for (let index = parts.length - 1; index >= 0 && bytes < count; index -= 1) {
    const part = parts[index];
    if (part === undefined) break;
    needed.unshift(part.subarray(Math.max(0, part.length - (count - bytes))));
    bytes += part.length;
  }
  return Buffer.concat(needed);
}
