import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMessageHead } from './message-head.ts';
import type { HeadScan } from './message-head.ts';

const encoder = new TextEncoder();
const idFirst = (size: number): Uint8Array =>
  encoder.encode(`{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","text":"${'x'.repeat(size)}"}}`);
const idLast = (size: number): Uint8Array =>
  encoder.encode(`{"result":{"text":"${'x'.repeat(size)}"},"jsonrpc":"2.0","id":1}`);

/** Feeds the message in pieces of `step` bytes until it is told; `bytes` is what had been collected by then. */
function feed(message: Uint8Array, step: number, maxBytes: number): { scan: HeadScan; bytes: number } {
  const head = createMessageHead({ era: 'modern', maxBytes, windowBytes: 100 });
  for (let at = 0; at < message.length; at += step) {
    const scan = head.push(message.subarray(at, at + step));
    if (scan.kind !== 'need-more') return { scan, bytes: head.size };
  }
  return { scan: head.end(), bytes: head.size };
}

describe('the head of a message', () => {
  test('is told as soon as a window is full, when the message says early what it is', () => {
    const { scan, bytes } = feed(idFirst(10_000), 30, 1000);
    expect(scan).toMatchObject({ kind: 'found', envelope: { kind: 'response', resultStart: 33 } });
    expect(bytes).toBeLessThanOrEqual(120);
  });

  test('is the whole message when that says late what it is', () => {
    const message = idLast(5000);
    const { scan, bytes } = feed(message, 64, 100_000);
    expect(scan).toMatchObject({ kind: 'found', envelope: { resultEnd: message.length - 24 } });
    expect(bytes).toBe(message.length);
  });

  test('is refused when it cannot be told within the bound, which is passed by no more than was collected', () => {
    const { scan, bytes } = feed(idLast(50_000), 64, 1000);
    expect(scan).toEqual({ kind: 'too-large' });
    expect(bytes).toBeLessThan(2200);
  });

  test('gives back every byte, however they came', () => {
    fc.assert(
      fc.property(fc.nat(400), fc.integer({ min: 1, max: 200 }), fc.boolean(), (size, step, isFirst) => {
        const message = isFirst ? idFirst(size) : idLast(size);
        const head = createMessageHead({ era: 'modern', maxBytes: 10_000, windowBytes: 100 });
        for (let at = 0; at < message.length; at += step) head.push(message.subarray(at, at + step));
        expect(head.bytes()).toEqual(message);
        expect(head.end().kind).toBe('found');
      }),
    );
  });
});
