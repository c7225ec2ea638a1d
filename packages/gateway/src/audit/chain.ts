/**
 * The hash chain that makes a record provable. Every record carries its sequence number, the fingerprint of the one
 * before it and its own, as OCSF's `record_integrity` profile has it: SHA-256 over the whole event, its reference to the
 * previous one included and its own fingerprint left out. Pure: text in, text out.
 *
 * One fingerprint per record, not per batch: an auditor is then told which record was touched, not which hundred, and it
 * costs about two microseconds. A chain shows any change but two: it cannot show that its newest records were cut off,
 * nor that everything was rewritten. For these there are signed checkpoints (`checkpoint.ts`), to be kept somewhere else.
 */

import { hash } from 'node:crypto';

import { isJsonObject } from '../model/json.ts';
import { quote } from './ascii-json.ts';
import type { Position, RecordText } from './record.ts';

/** The newest record of a chain: what the next one continues. */
export type ChainTail = {
  readonly sequence: number;
  /** `metadata.uid` of the record. */
  readonly uid: string;
  /** SHA-256, lower-case hex. */
  readonly fingerprint: string;
};

const OPEN_FINGERPRINT = '"fingerprint":{"algorithm_id":3,"value":"';
const ENDING = '"}}]}';
const HEX_CHARS = 64;
/** Every line ends in its fingerprint, so that the text it covers is found without parsing. */
const FINGERPRINT_CHARS = 1 + OPEN_FINGERPRINT.length + HEX_CHARS + ENDING.length;
const CLOSING = '}]}';
const ENDING_CHARS = FINGERPRINT_CHARS + 1;

export type Chain = {
  /** Builds the next record at the position the chain gives it, and closes it with its attestation and a newline. */
  append(build: (at: Position) => RecordText): { readonly line: Buffer; readonly sequence: number };
  tail(): ChainTail | undefined;
};

export type ChainOptions = {
  /** Names this writer's part of the chain: one per start. Short printable ASCII. */
  readonly chainUid: string;
  /** Who attests: the replica. */
  readonly authority: string;
  /** The newest record of the file that is continued. */
  readonly previous?: ChainTail | undefined;
};

/** Continues a chain, or begins one at sequence 1. */
export function createChain({ chainUid, authority, previous }: ChainOptions): Chain {
  const opening = `,"attestation_list":[{"authority_uid":${quote(authority)},"chain_uid":${quote(chainUid)}`;
  const slab = createSlab();
  let tail = previous;
  return {
    append(build) {
      const sequence = (tail?.sequence ?? 0) + 1;
      const uid = `${chainUid}-${sequence}`;
      const covered = slab.write([...build({ sequence, uid }), opening, reference(tail), CLOSING], ENDING_CHARS);
      const fingerprint = hash('sha256', covered);
      tail = { sequence, uid, fingerprint };
      return { line: slab.extend(covered, CLOSING.length, `,${OPEN_FINGERPRINT}${fingerprint}${ENDING}\n`), sequence };
    },
    tail: () => tail,
  };
}

const SLAB_BYTES = 65_536;

/**
 * Records are written one behind the other into large buffers and hashed where they stand: half the cost of making a
 * string of each. A buffer is let go when its last line has been written to the file.
 */
function createSlab() {
  let buffer = Buffer.alloc(0);
  let used = 0;
  return {
    /** The pieces as bytes, with room for `spare` more behind them. */
    write(pieces: RecordText, spare: number): Buffer {
      let length = spare;
      for (const piece of pieces) length += piece.length;
      if (used + length > buffer.length) {
        buffer = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, length));
        used = 0;
      }
      const start = used;
      for (const piece of pieces) used += buffer.write(piece, used, 'latin1');
      return buffer.subarray(start, used);
    },
    /** Replaces the last `drop` bytes of what was written last by `ending`. */
    extend(written: Buffer, drop: number, ending: string): Buffer {
      const start = used - written.length;
      used += buffer.write(ending, used - drop, 'latin1') - drop;
      return buffer.subarray(start, used);
    },
  };
}

const reference = (previous: ChainTail | undefined): string =>
  previous === undefined ? '' : `,"prev_event":{"uid":"${previous.uid}",${OPEN_FINGERPRINT}${previous.fingerprint}"}}`;

const closed = (covered: string, fingerprint: string): string =>
  `${covered.slice(0, -CLOSING.length)},${OPEN_FINGERPRINT}${fingerprint}${ENDING}`;

/** One line of a file, taken apart. `intact` says that its own fingerprint is right; links are for the verifier. */
export type ReadLine = ChainTail & {
  readonly chainUid: string;
  /** As the writer's clock had it; zero where the record has none. */
  readonly timeMs: number;
  /** `intent`, `outcome`, or what the writer says of itself. */
  readonly event: string;
  readonly previous: string | undefined;
  readonly intact: boolean;
};

const PREVIOUS = /,"prev_event":\{"uid":"[^"\\]*","fingerprint":\{"algorithm_id":3,"value":"([0-9a-f]{64})"\}\}$/;

/** Undefined when the line is not a record of ours at all. Never throws. */
export function readLine(line: string): ReadLine | undefined {
  const covered = line.slice(0, -FINGERPRINT_CHARS);
  const fingerprint = line.slice(-(HEX_CHARS + ENDING.length), -ENDING.length);
  if (!/^[0-9a-f]{64}$/.test(fingerprint) || closed(covered + CLOSING, fingerprint) !== line) return undefined;
  const position = positionOf(line);
  if (position === undefined) return undefined;
  const intact = hash('sha256', covered + CLOSING) === fingerprint;
  return { ...position, fingerprint, previous: PREVIOUS.exec(covered)?.[1], intact };
}

function positionOf(line: string): Pick<ReadLine, 'sequence' | 'uid' | 'chainUid' | 'timeMs' | 'event'> | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isJsonObject(parsed) || !isJsonObject(parsed.metadata) || !Array.isArray(parsed.attestation_list))
    return undefined;
  const { sequence, uid } = parsed.metadata;
  const attestation: unknown = parsed.attestation_list[0];
  const chainUid = isJsonObject(attestation) ? attestation.chain_uid : undefined;
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence)) return undefined;
  if (typeof uid !== 'string' || typeof chainUid !== 'string') return undefined;
  const event = isJsonObject(parsed.unmapped) ? parsed.unmapped.event : undefined;
  const timeMs = typeof parsed.time === 'number' ? parsed.time : 0;
  return { sequence, uid, chainUid, timeMs, event: typeof event === 'string' ? event : '' };
}
