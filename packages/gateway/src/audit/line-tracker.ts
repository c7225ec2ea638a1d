/** Follows what a file takes, byte for byte, and knows its first line, its last whole line, and whether it ends in one. */

export type LineTracker = {
  take(bytes: Buffer): void;
  /** Texts without their newline; undefined while there is no whole line. */
  readonly first: string | undefined;
  readonly last: string | undefined;
  /** No line is open: what is taken next begins one. */
  readonly atLineEnd: boolean;
};

const NEWLINE = 0x0a;

/** `first` and `last` are those of the file as it was found, which ends in a whole line. */
export function createLineTracker(found: { readonly first?: string; readonly last?: string } = {}): LineTracker {
  let { first } = found;
  /** Bytes, and no text: most last lines are never asked for. */
  let last: Buffer | undefined = found.last === undefined ? undefined : Buffer.from(found.last, 'latin1');
  /** The beginning of a line that was taken in parts. */
  let open: Buffer = Buffer.alloc(0);

  return {
    take(bytes) {
      const end = bytes.lastIndexOf(NEWLINE);
      if (end === -1) {
        open = Buffer.concat([open, bytes]);
        return;
      }
      if (first === undefined) {
        first = Buffer.concat([open, bytes.subarray(0, bytes.indexOf(NEWLINE))]).toString('latin1');
      }
      const before = end === 0 ? -1 : bytes.lastIndexOf(NEWLINE, end - 1);
      // A copy: the batch that it stands in may be a thousand times as large.
      last =
        before === -1 ? Buffer.concat([open, bytes.subarray(0, end)]) : Buffer.from(bytes.subarray(before + 1, end));
      open = Buffer.from(bytes.subarray(end + 1));
    },
    get first() {
      return first;
    },
    get last() {
      return last?.toString('latin1');
    },
    get atLineEnd() {
      return open.length === 0;
    },
  };
}
