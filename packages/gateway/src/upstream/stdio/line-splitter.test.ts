import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLineSplitter } from './line-splitter.ts';
import type { OversizedLine } from './line-splitter.ts';

function split(chunks: readonly Uint8Array[], maxLineBytes = 1000, edgeBytes = 4) {
  const lines: string[] = [];
  const oversized: OversizedLine[] = [];
  const splitter = createLineSplitter({
    maxLineBytes,
    edgeBytes,
    onLine: (line) => lines.push(Buffer.from(line).toString('utf8')),
    onOversized: (line) => oversized.push(line),
  });
  let mostHeld = 0;
  for (const chunk of chunks) {
    splitter.push(chunk);
    mostHeld = Math.max(mostHeld, splitter.heldBytes());
  }
  return { lines, oversized, mostHeld };
}

/** Cuts bytes at the given places, whatever they hit. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  const edges = [0, ...sorted, bytes.length];
  return edges.slice(1).map((end, index) => bytes.subarray(edges[index], end));
}

describe('the line splitter', () => {
  it('gives the same lines however the bytes are cut, characters cut in half included', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => text.replace(/[\r\n]/g, ''))),
        fc.array(fc.nat()),
        (texts, places) => {
          const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
          expect(split(cut(bytes, places)).lines).toEqual(texts.filter((text) => text !== ''));
        },
      ),
    );
  });

  it('holds no more than the bound, whatever arrives', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (chunks) => {
        expect(split(chunks, 64, 8).mostHeld).toBeLessThanOrEqual(64);
      }),
    );
  });

  it('drops a carriage return at the end of a line', () => {
    expect(split([Buffer.from('a\r\nb\n')]).lines).toEqual(['a', 'b']);
  });

  it('keeps only the edges of a line beyond the bound, and goes on with the next', () => {
    const { lines, oversized } = split([Buffer.from('abcdef'), Buffer.from('ghij'), Buffer.from('kl\nok\n')], 8);
    expect(lines).toEqual(['ok']);
    expect(oversized.map(({ head, tail, bytes }) => [String(head), String(tail), bytes])).toEqual([
      ['abcd', 'ijkl', 12],
    ]);
  });

  it('takes a line of exactly the bound', () => {
    const { lines, oversized } = split([Buffer.from('12345678\n')], 8);
    expect(lines).toEqual(['12345678']);
    expect(oversized).toEqual([]);
  });

  it('says nothing of a line that has no end yet', () => {
    expect(split([Buffer.from('half')]).lines).toEqual([]);
  });
});
