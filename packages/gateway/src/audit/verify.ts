/** Proves a chain, or names the first record that breaks it. Needs nothing but the lines. */

import { open, type FileHandle } from 'node:fs/promises';

import { readLine, type ChainTail, type ReadLine } from './chain.ts';
import { createClockWatch, type ClockSteps } from './clock-watch.ts';

export type BrokenBecause =
  /** The line is not a record. */
  | 'malformed'
  /** The record's fingerprint does not match its text. */
  | 'altered'
  /** Records that the chain demands are nowhere. */
  | 'missing'
  /** The record that stands here has another number, or follows another record, than the chain demands. */
  | 'out-of-place'
  /** The chain ends before a record whose fingerprint was kept. */
  | 'cut-off'
  /** The record of that number is another one than the one whose fingerprint was kept. */
  | 'rewritten';

export type Broken = {
  readonly ok: false;
  readonly reason: BrokenBecause;
  /** The number of the first record that is broken or absent. */
  readonly sequence: number;
  /** Where to look: counted from 1, in `file` where there are several. */
  readonly line: number;
  readonly file?: string;
  /** One sentence for a person. */
  readonly message: string;
};

export type Intact = {
  readonly ok: true;
  readonly records: number;
  readonly first?: number;
  readonly last?: ChainTail;
  /** The clock went back, which is no fault of the chain: its order is that of the numbers. */
  readonly clock?: ClockSteps;
};

export type Verification = Intact | Broken;

export type KeptFingerprint = Pick<ChainTail, 'sequence' | 'fingerprint'>;

export type VerifyOptions = {
  /** The record before the first line, for a range or a later file. Without it the file must begin at record 1. */
  readonly after?: KeptFingerprint;
  /** Trust the first line's link: proves a range that was cut out of a longer file. */
  readonly anyStart?: boolean;
  /** Asked about the first record when it is not record 1: does somebody vouch for the one before it? */
  readonly vouched?: (before: KeptFingerprint) => boolean;
  /** Fingerprints that were kept elsewhere: the chain must reach and match them, but for those before its first record. */
  readonly kept?: readonly KeptFingerprint[];
  /** Only these records, both included; others are not looked at. */
  readonly from?: number;
  readonly to?: number;
};

export type Verifier = {
  /** The first thing wrong, or undefined: stop at the first. */
  check(line: string): Broken | undefined;
  /** The lines of this file come next, counted from 1 again. */
  beginFile(path: string): void;
  /** Nothing that follows is asked for. */
  readonly isDone: boolean;
  readonly records: number;
  end(): Verification;
};

/** Lines that are looked through for a record that is not in its place: is it gone, or has it been moved? */
const MAX_SEARCHED_LINES = 10_000;

type Gap = { readonly broken: Broken; searched: number };

/** Feeds on one line at a time, so that files of any size are proved in little memory. */
export function createVerifier(options: VerifyOptions): Verifier {
  const { after, anyStart = false, vouched, kept = [], from = 1, to = Infinity } = options;
  const wanted = new Map(kept.map(({ sequence, fingerprint }) => [sequence, fingerprint]));
  const clock = createClockWatch();
  let last: Pick<ReadLine, 'sequence' | 'fingerprint'> | undefined = after;
  let tail: ChainTail | undefined;
  let first: number | undefined;
  let file: string | undefined;
  let lines = 0;
  let records = 0;
  let gap: Gap | undefined;

  /** The number that the next record has to have. */
  const next = (): number => (last === undefined ? from : last.sequence + 1);

  const broken = (reason: BrokenBecause, message: string, sequence = next()): Broken => ({
    ok: false,
    reason,
    sequence,
    line: lines,
    ...(file !== undefined && { file }),
    message,
  });

  /** Whether the first line may begin a chain that nothing before it is known of. */
  const mayBegin = ({ sequence, previous }: ReadLine): boolean => {
    if (last !== undefined) return false;
    if (anyStart || (from > 1 && sequence === from)) return true;
    return previous !== undefined && vouched?.({ sequence: sequence - 1, fingerprint: previous }) === true;
  };

  const misplaced = (record: ReadLine): Broken | undefined => {
    if (mayBegin(record)) return undefined;
    const expected = next();
    if (record.sequence > expected) return broken('missing', missing(expected, record.sequence - 1, lines));
    if (record.sequence < expected) {
      const what = `Line ${lines} should be record ${expected}, but it is record ${record.sequence}`;
      return broken('out-of-place', `${what}: it was inserted, repeated or moved.`);
    }
    if (record.previous !== last?.fingerprint) {
      const before = `Record ${expected} (line ${lines}) does not follow the record before it`;
      return broken('out-of-place', `${before}: one of the two was exchanged.`);
    }
    return undefined;
  };

  const compare = ({ sequence, fingerprint }: ReadLine): Broken | undefined => {
    const expected = wanted.get(sequence);
    if (expected === undefined || expected === fingerprint) return undefined;
    const text = `Record ${sequence} is not the one whose fingerprint was kept: the chain was written anew, at least up to here.`;
    return broken('rewritten', text, sequence);
  };

  /** A record that is not where it should be: it may follow further down. */
  const search = (line: string, at: Gap): Broken | undefined => {
    const { broken: absent } = at;
    if (at.searched >= MAX_SEARCHED_LINES) return absent;
    at.searched++;
    const record = readLine(line);
    if (record?.sequence !== absent.sequence) return undefined;
    const moved = `Record ${absent.sequence} is not in its place: another stands on line ${absent.line}, and it follows`;
    return { ...absent, reason: 'out-of-place', message: `${moved} on line ${lines}. Records were moved or inserted.` };
  };

  return {
    beginFile(path) {
      file = path;
      lines = 0;
    },
    get isDone() {
      return last !== undefined && last.sequence >= to && gap === undefined;
    },
    get records() {
      return records;
    },
    check(line) {
      lines++;
      if (gap !== undefined) return search(line, gap);
      const record = readLine(line);
      if (first === undefined && from > 1 && (record === undefined || record.sequence < from)) return undefined;
      if (record === undefined) return broken('malformed', `Line ${lines} is not an audit record.`);
      if (!record.intact) {
        return broken('altered', `The text on line ${lines} was altered: it does not match its fingerprint.`);
      }
      const fault = misplaced(record);
      if (fault?.reason === 'missing') {
        gap = { broken: fault, searched: 0 };
        return undefined;
      }
      if (fault !== undefined) return fault;
      first ??= record.sequence;
      last = record;
      tail = tailOf(record);
      records++;
      clock.take(record);
      return compare(record);
    },
    end() {
      if (gap !== undefined) return gap.broken;
      const beyond = [...wanted.keys()].filter((sequence) => sequence > (last?.sequence ?? 0) && sequence <= to);
      if (beyond.length > 0) {
        const ended = `The chain ends at record ${last?.sequence ?? 0}`;
        return broken('cut-off', `${ended}, but record ${Math.max(...beyond)} was written: its end was cut off.`);
      }
      const { steps } = clock;
      return {
        ok: true,
        records,
        ...(first !== undefined && { first }),
        ...(tail !== undefined && { last: tail }),
        ...(steps !== undefined && { clock: steps }),
      };
    },
  };
}

const tailOf = ({ sequence, uid, fingerprint }: ChainTail): ChainTail => ({ sequence, uid, fingerprint });

function missing(from: number, to: number, line: number): string {
  const which = from === to ? `Record ${from} is` : `Records ${from} to ${to} are`;
  return `${which} missing: line ${line} is record ${to + 1}.`;
}

/** Proves lines, in their order. */
export function verifyLines(lines: Iterable<string>, options: VerifyOptions = {}): Verification {
  const verifier = createVerifier(options);
  for (const line of lines) {
    const broken = verifier.check(line);
    if (broken !== undefined) return broken;
    if (verifier.isDone) break;
  }
  return verifier.end();
}

const NEWLINE = '\n';
/** Longer than any record can be: names and lists in it are all bounded. */
export const MAX_LINE_CHARS = 1_048_576;

export type FeedOptions = {
  /** After every piece that was read. */
  readonly onBytes?: (bytes: number) => void;
};

/**
 * Feeds an open file to a verifier, until something is wrong, and closes it. A last line without its end is not counted,
 * but given back.
 *
 * @throws the file system's error when the file cannot be read
 */
export async function feedFile(
  file: FileHandle,
  verifier: Verifier,
  { onBytes }: FeedOptions = {},
): Promise<{ readonly broken?: Broken; readonly rest: string }> {
  let rest = '';
  // Latin-1 keeps every byte apart: a flipped high bit stays visible instead of becoming U+FFFD.
  for await (const chunk of file.createReadStream({ encoding: 'latin1', highWaterMark: 262_144 })) {
    const lines = (rest + String(chunk)).split(NEWLINE);
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_CHARS) lines.push(rest);
    for (const line of lines) {
      const broken = verifier.check(line);
      if (broken !== undefined) return { broken, rest: '' };
      if (verifier.isDone) return { rest: '' };
    }
    onBytes?.(String(chunk).length);
  }
  return { rest };
}

/**
 * Proves one file. The gateway may be writing to it: a last line without its end is not counted.
 *
 * @throws the file system's error when the file cannot be read
 */
export async function verifyFile(path: string, options: VerifyOptions = {}): Promise<Verification> {
  const verifier = createVerifier(options);
  const { broken } = await feedFile(await open(path), verifier);
  return broken ?? verifier.end();
}
