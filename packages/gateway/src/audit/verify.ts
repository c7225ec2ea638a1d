/** Proves a chain, or names the first record that breaks it. Needs nothing but the lines. */

import { createReadStream } from 'node:fs';

import { readLine, type ChainTail, type ReadLine } from './chain.ts';

export type BrokenBecause =
  /** The line is not a record. */
  | 'malformed'
  /** The record's fingerprint does not match its text. */
  | 'altered'
  /** The record that stands here has another number, or follows another record, than the chain demands. */
  | 'missing'
  | 'out-of-place'
  /** The chain ends before, or differs from, the tail that was kept elsewhere. */
  | 'cut-off';

export type Verification =
  | { readonly ok: true; readonly records: number; readonly first?: number; readonly last?: ChainTail }
  | {
      readonly ok: false;
      readonly reason: BrokenBecause;
      /** The number of the first record that is broken or absent. */
      readonly sequence: number;
      /** Where to look: counted from 1. */
      readonly line: number;
      /** One sentence for a person. */
      readonly message: string;
    };

export type VerifyOptions = {
  /** The record before the first line, for a range or a later file. Without it the file must begin at record 1. */
  readonly after?: ChainTail;
  /** Trust the first line's link: proves a range that was cut out of a longer file. */
  readonly anyStart?: boolean;
  /** A tail that was kept elsewhere: it must be in the file, which shows a truncation up to it. */
  readonly contains?: Pick<ChainTail, 'sequence' | 'fingerprint'>;
};

type Broken = Extract<Verification, { ok: false }>;

type Verifier = {
  /** The first thing wrong, or undefined: stop at the first. */
  check(line: string): Broken | undefined;
  end(): Verification;
};

/** Feeds on one line at a time, so that a file of any size is proved in little memory. */
function createVerifier({ after, anyStart = false, contains }: VerifyOptions): Verifier {
  let last: Pick<ChainTail, 'sequence' | 'uid' | 'fingerprint'> | undefined = after;
  let first: number | undefined;
  let lines = 0;
  let seen = contains === undefined;

  const broken = (reason: BrokenBecause, message: string, sequence = (last?.sequence ?? 0) + 1): Broken => ({
    ok: false,
    reason,
    sequence,
    line: lines,
    message,
  });

  const misplaced = (record: ReadLine): Broken | undefined => {
    const free = first === undefined && anyStart && after === undefined;
    const expected = free ? record.sequence : (last?.sequence ?? 0) + 1;
    if (record.sequence > expected) {
      return broken('missing', `Record ${expected} is missing: line ${lines} is record ${record.sequence}.`);
    }
    if (record.sequence < expected) {
      const what = `Line ${lines} should be record ${expected}, but it is record ${record.sequence}`;
      return broken('out-of-place', `${what}: it was inserted, repeated or moved.`);
    }
    if (!free && record.previous !== last?.fingerprint) {
      const before = `Record ${expected} (line ${lines}) does not follow the record before it`;
      return broken('out-of-place', `${before}: one of the two was exchanged.`);
    }
    return undefined;
  };

  return {
    check(line) {
      lines++;
      const record = readLine(line);
      if (record === undefined) return broken('malformed', `Line ${lines} is not an audit record.`);
      if (!record.intact) {
        const text = `The text on line ${lines} was altered: it does not match its fingerprint.`;
        return broken('altered', text);
      }
      const fault = misplaced(record);
      if (fault !== undefined) return fault;
      first ??= record.sequence;
      last = record;
      if (contains?.sequence === record.sequence) {
        seen = contains.fingerprint === record.fingerprint;
        if (!seen) {
          const text = `Record ${record.sequence} is not the one whose fingerprint was kept: the chain was rewritten.`;
          return broken('cut-off', text, record.sequence);
        }
      }
      return undefined;
    },
    end() {
      if (!seen && contains !== undefined) {
        const ended = `The chain ends at record ${last?.sequence ?? 0}`;
        return broken('cut-off', `${ended}, but record ${contains.sequence} was written.`);
      }
      const tail = last === undefined ? {} : { last: tailOf(last) };
      return { ok: true, records: lines, ...(first === undefined ? {} : { first }), ...tail };
    },
  };
}

const tailOf = ({ sequence, uid, fingerprint }: ChainTail): ChainTail => ({ sequence, uid, fingerprint });

/** Proves lines, in their order. */
export function verifyLines(lines: Iterable<string>, options: VerifyOptions = {}): Verification {
  const verifier = createVerifier(options);
  for (const line of lines) {
    const broken = verifier.check(line);
    if (broken !== undefined) return broken;
  }
  return verifier.end();
}

const NEWLINE = '\n';
/** Longer than any record can be: names and lists in it are all bounded. */
export const MAX_LINE_CHARS = 1_048_576;

/**
 * Proves a file. The gateway may be writing to it: a last line without its end is not counted.
 *
 * @throws the file system's error when the file cannot be read
 */
export async function verifyFile(path: string, options: VerifyOptions = {}): Promise<Verification> {
  const verifier = createVerifier(options);
  let pending = '';
  // Latin-1 keeps every byte apart: a flipped high bit stays visible instead of becoming U+FFFD.
  for await (const chunk of createReadStream(path, { encoding: 'latin1', highWaterMark: 262_144 })) {
    const lines = (pending + String(chunk)).split(NEWLINE);
    pending = lines.pop() ?? '';
    if (pending.length > MAX_LINE_CHARS) lines.push(pending);
    for (const line of lines) {
      const broken = verifier.check(line);
      if (broken !== undefined) return broken;
    }
  }
  return verifier.end();
}
