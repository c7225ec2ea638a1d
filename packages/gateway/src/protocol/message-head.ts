/**
 * Collects the beginning of a message until it is known what the message is. Nothing more is kept: the head of a large
 * result is handed on, and its rest flows past.
 */

import type { Era } from '../model/revision.ts';
import { scanEnvelope } from './envelope.ts';
import type { EnvelopeScan } from './envelope.ts';

/** A well-behaved server has said what a message is within this many bytes; only others are buffered beyond. */
export const HEAD_WINDOW_BYTES = 64 * 1024;

export type MessageHeadOptions = {
  readonly era: Era;
  /** A message that cannot be told within this many bytes is refused. */
  readonly maxBytes: number;
  /** When a first look is taken at a message that has not ended. Default `HEAD_WINDOW_BYTES`. */
  readonly windowBytes?: number;
};

export type HeadScan = EnvelopeScan | { readonly kind: 'too-large' };

export interface MessageHead {
  /** Bytes collected so far. */
  readonly size: number;
  /** Takes a piece and looks, once a window is full. The piece is kept, not copied: it must not be written to again. */
  push(piece: Uint8Array): HeadScan;
  /** There is no more: the message is whole. */
  end(): EnvelopeScan;
  /** All that was collected, in one array. */
  bytes(): Uint8Array;
}

export function concatBytes(pieces: readonly Uint8Array[], size: number): Uint8Array {
  const [first] = pieces;
  if (first !== undefined && pieces.length === 1) return first;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** A collector for one message. */
export function createMessageHead(options: MessageHeadOptions): MessageHead {
  const { era, maxBytes, windowBytes = HEAD_WINDOW_BYTES } = options;
  let pieces: Uint8Array[] = [];
  let size = 0;
  let lookAt = Math.min(windowBytes, maxBytes);

  const bytes = (): Uint8Array => {
    const whole = concatBytes(pieces, size);
    pieces = [whole];
    return whole;
  };

  return {
    get size() {
      return size;
    },
    push(piece) {
      pieces.push(piece);
      size += piece.length;
      if (size < lookAt) return { kind: 'need-more' };
      const scan = scanEnvelope(bytes(), { era, complete: false });
      // Each look starts over, so the next one waits until as much again has come.
      lookAt = size * 2;
      return scan.kind === 'need-more' && size > maxBytes ? { kind: 'too-large' } : scan;
    },
    end: () => scanEnvelope(bytes(), { era, complete: true }),
    bytes,
  };
}
