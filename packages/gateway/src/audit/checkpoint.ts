/**
 * A checkpoint: the writer's signed word that its chain had reached a record, by sequence number and fingerprint. Kept
 * somewhere else, it shows later what a chain alone cannot: that its end was cut off, or that all of it was written anew.
 */

import { sign, verify } from 'node:crypto';

import { isJsonObject } from '../model/json.ts';
import { asciiJson } from './ascii-json.ts';
import type { ChainTail } from './chain.ts';
import type { SigningKey, VerifyingKey } from './signing-key.ts';

export type Checkpoint = ChainTail & {
  /** Whose chain: the replica. */
  readonly authority: string;
  readonly timeMs: number;
  /** The id of the key that signed it. */
  readonly key: string;
  /** Ed25519, base64url. */
  readonly signature: string;
};

type Unsigned = Omit<Checkpoint, 'signature'>;

/** Before everything that is signed, so that a signature can never pass for one over something else. */
const DOMAIN = 'sallyport-audit-checkpoint-v1';

const covered = ({ authority, sequence, uid, fingerprint, timeMs, key }: Unsigned): Buffer =>
  Buffer.from(JSON.stringify([DOMAIN, authority, sequence, uid, fingerprint, timeMs, key]));

export type CheckpointOf = { readonly tail: ChainTail; readonly authority: string; readonly timeMs: number };

export function signCheckpoint({ tail, authority, timeMs }: CheckpointOf, key: SigningKey): Checkpoint {
  const { sequence, uid, fingerprint } = tail;
  const unsigned = { authority, sequence, uid, fingerprint, timeMs: Math.round(timeMs), key: key.id };
  return { ...unsigned, signature: sign(null, covered(unsigned), key.privateKey).toString('base64url') };
}

/** `unknown-key`: signed with another key than this one, so that nothing is known of it. */
export function checkSignature(checkpoint: Checkpoint, key: VerifyingKey): 'good' | 'forged' | 'unknown-key' {
  if (checkpoint.key !== key.id) return 'unknown-key';
  const { signature, ...unsigned } = checkpoint;
  return verify(null, covered(unsigned), key.publicKey, Buffer.from(signature, 'base64url')) ? 'good' : 'forged';
}

/** One line without a space, so that it survives mails and tickets that break lines. */
export function checkpointLine(checkpoint: Checkpoint): string {
  const { authority, sequence, uid, fingerprint, timeMs, key, signature } = checkpoint;
  const time = new Date(timeMs).toISOString();
  const told = { checkpoint: DOMAIN, authority, sequence, uid, fingerprint, time, key, signature };
  return asciiJson(told).replaceAll(' ', String.raw`\u0020`);
}

/** Undefined when the text is no checkpoint. Line breaks and spaces that it got on its way are ignored. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replaceAll(/\s+/g, ''));
  } catch {
    return undefined;
  }
  if (!isJsonObject(parsed) || parsed.checkpoint !== DOMAIN) return undefined;
  const { authority, sequence, uid, fingerprint, time, key, signature } = parsed;
  const timeMs = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence < 1 || Number.isNaN(timeMs)) {
    return undefined;
  }
  if (typeof fingerprint !== 'string' || !/^[0-9a-f]{64}$/.test(fingerprint)) return undefined;
  if (typeof authority !== 'string' || typeof uid !== 'string') return undefined;
  if (typeof key !== 'string' || typeof signature !== 'string') return undefined;
  return { authority, sequence, uid, fingerprint, timeMs, key, signature };
}
