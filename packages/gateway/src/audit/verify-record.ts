/**
 * Proves a whole record, or a range of it: all its files in the order of the chain, against the checkpoints beside it and
 * those that somebody kept elsewhere. Offline, with no key but the public one.
 */

import { open, type FileHandle } from 'node:fs/promises';

import { checkSignature, type Checkpoint } from './checkpoint.ts';
import { hasCode } from './error-code.ts';
import type { VerifyingKey } from './signing-key.ts';
import { segmentsOf } from './segments.ts';
import {
  createVerifier,
  feedFile,
  type Broken,
  type Intact,
  type KeptFingerprint,
  type Verification,
  type Verifier,
} from './verify.ts';

export type CheckpointSource = {
  readonly checkpoint: Checkpoint;
  /** `kept` was given by whoever asks; `beside` lies with the record, within reach of whoever can change it. */
  readonly from: 'kept' | 'beside';
};

export type VerifyRecordOptions = {
  /** `record`: the configured path, with all its segments. `files`: these, in this order, from wherever they begin. */
  readonly of: { readonly record: string } | { readonly files: readonly string[] };
  readonly checkpoints: readonly CheckpointSource[];
  /** Without any, signatures cannot be checked. */
  readonly keys: readonly VerifyingKey[];
  /** Trust where it begins. */
  readonly anyStart?: boolean;
  readonly from?: number;
  readonly to?: number;
  readonly onProgress?: (progress: { readonly records: number; readonly bytes: number; readonly file: string }) => void;
};

export type RecordVerification = {
  readonly ok: boolean;
  readonly files: readonly string[];
  readonly records: number;
  readonly result: Verification;
  /** How it is known that nothing before the first record is missing. */
  readonly begins: 'at record 1' | 'at a checkpoint' | 'as asked';
  readonly checkpoints: CheckpointFindings;
  /** The newest file ends in an unfinished line. */
  readonly unfinished: boolean;
};

export type CheckpointFindings = {
  /** Whose record was seen, with the right fingerprint. */
  readonly matched: number;
  readonly newest: CheckpointSource | undefined;
  /** Signed with a good key's name, and not by it. */
  readonly forged: readonly CheckpointSource[];
  /** Beside the record, by a key that is not known here: nothing is concluded from them. */
  readonly unknownKey: number;
  /** Compared, without their signatures: no public key was there. */
  readonly unsigned: number;
};

/** @throws the file system's error when a file cannot be read */
export async function verifyRecord(options: VerifyRecordOptions): Promise<RecordVerification> {
  const judged = judge(options.checkpoints, options.keys);
  let isVouched = false;
  const verifier = createVerifier({
    kept: judged.usable.map(({ checkpoint }) => checkpoint),
    vouched: (before) => (isVouched = vouches(judged.vouching, before)),
    ...(options.anyStart !== undefined && { anyStart: options.anyStart }),
    ...(options.from !== undefined && { from: options.from }),
    ...(options.to !== undefined && { to: options.to }),
  });
  const { files, broken, rest } = await feedAll(options, verifier);
  const ended = broken ?? verifier.end();
  const result = ended.ok ? ended : told(ended, files);
  const { forged, unknownKey } = judged;
  const seen = result.ok ? seenOf(judged.usable, result) : [];
  return {
    ok: result.ok && forged.length === 0,
    files,
    records: verifier.records,
    result,
    begins: result.ok && result.first === 1 ? 'at record 1' : isVouched ? 'at a checkpoint' : 'as asked',
    checkpoints: {
      matched: seen.length,
      newest: seen.toSorted((a, b) => a.checkpoint.sequence - b.checkpoint.sequence).at(-1),
      forged,
      unknownKey,
      unsigned: options.keys.length === 0 ? seen.length : 0,
    },
    unfinished: rest !== '',
  };
}

const seenOf = (usable: readonly CheckpointSource[], { first, last }: Intact): readonly CheckpointSource[] =>
  usable.filter(
    ({ checkpoint: { sequence } }) =>
      first !== undefined && last !== undefined && sequence >= first && sequence <= last.sequence,
  );

type Judged = {
  /** What the record is compared with. */
  readonly usable: readonly CheckpointSource[];
  /** What a record may begin at. */
  readonly vouching: readonly Checkpoint[];
  readonly forged: readonly CheckpointSource[];
  readonly unknownKey: number;
};

/** A checkpoint that somebody kept is believed for where it was kept; one beside the record for its signature alone. */
function judge(sources: readonly CheckpointSource[], keys: readonly VerifyingKey[]): Judged {
  const usable: CheckpointSource[] = [];
  const vouching: Checkpoint[] = [];
  const forged: CheckpointSource[] = [];
  let unknownKey = 0;
  for (const source of sources) {
    const { checkpoint, from } = source;
    const key = keys.find(({ id }) => id === checkpoint.key);
    const signature = key === undefined ? 'unknown-key' : checkSignature(checkpoint, key);
    if (signature === 'forged') {
      forged.push(source);
      continue;
    }
    if (signature === 'good' || from === 'kept') vouching.push(checkpoint);
    if (signature === 'unknown-key' && from === 'beside' && keys.length > 0) unknownKey++;
    else usable.push(source);
  }
  return { usable, vouching, forged, unknownKey };
}

const vouches = (checkpoints: readonly Checkpoint[], { sequence, fingerprint }: KeptFingerprint): boolean =>
  checkpoints.some((one) => one.sequence === sequence && one.fingerprint === fingerprint);

type Fed = { readonly files: readonly string[]; readonly broken?: Broken; readonly rest: string };

async function feedAll(options: VerifyRecordOptions, verifier: Verifier): Promise<Fed> {
  const read: string[] = [];
  let bytes = 0;
  let rest = '';
  for await (const { path, handle } of filesOf(options)) {
    // Only the newest file of a record may end in an unfinished line.
    if (rest !== '') {
      await handle.close();
      return { files: read, broken: unfinishedBefore(read.at(-1) ?? '', verifier), rest: '' };
    }
    verifier.beginFile(path);
    const fed = await feedFile(handle, verifier, {
      onBytes: (more) => options.onProgress?.({ records: verifier.records, bytes: (bytes += more), file: path }),
    });
    read.push(path);
    ({ rest } = fed);
    if (fed.broken !== undefined) return { files: read, broken: fed.broken, rest };
    if (verifier.isDone) break;
  }
  return { files: read, rest };
}

function unfinishedBefore(file: string, verifier: Verifier): Broken {
  const end = verifier.end();
  const sequence = end.ok ? (end.last?.sequence ?? 0) + 1 : end.sequence;
  const message = `Its last line is cut, and another file follows it: record ${sequence} was damaged.`;
  return { ok: false, reason: 'malformed', sequence, line: 0, message, file };
}

/** A gap between two files is a file that is gone. */
function told(broken: Broken, read: readonly string[]): Broken {
  if (broken.reason !== 'missing' || broken.line !== 1) return broken;
  const before = read[read.indexOf(broken.file ?? '') - 1];
  const where =
    before === undefined
      ? 'It is the first file: what was before it is gone, and no signed checkpoint stands for it.'
      : `The file before it is ${before}: a file between the two is gone, or one of them was cut.`;
  return { ...broken, message: `${broken.message} ${where}` };
}

type OpenFile = { readonly path: string; readonly handle: FileHandle };

/**
 * The segments are listed again once the newest file is open: a rotation in between would have made a segment of what was
 * listed as the newest.
 */
async function* filesOf({ of, from = 1 }: VerifyRecordOptions): AsyncGenerator<OpenFile> {
  if ('files' in of) {
    for (const path of of.files) yield { path, handle: await open(path) };
    return;
  }
  const done = new Set<string>();
  for (;;) {
    const newest = await openNewest(of.record);
    const segments = (await segmentsOf(of.record)).filter(({ first }) => first !== undefined);
    const wanted = segments.filter(
      ({ path }, index) => !done.has(path) && (segments[index + 1]?.first ?? Infinity) > from,
    );
    if (wanted.length === 0 && newest !== undefined) yield newest;
    else await newest?.handle.close();
    if (wanted.length === 0 && done.size === 0 && newest === undefined) await open(of.record);
    if (wanted.length === 0) return;
    for (const { path } of wanted) {
      done.add(path);
      yield { path, handle: await open(path) };
    }
  }
}

/** Undefined where there is none: a crash in the middle of a rotation leaves it so. */
async function openNewest(path: string): Promise<OpenFile | undefined> {
  try {
    return { path, handle: await open(path) };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
