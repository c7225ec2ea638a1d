import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { createChain, readLine, type ChainTail } from './chain.ts';
import { outcomeRecord, recordContext } from './record.ts';
import { inbound, outcome } from './testing.ts';
import { verifyLines, type BrokenBecause } from './verify.ts';

const context = recordContext('1.2.3');

function records(count: number, previous?: ChainTail): { lines: string[]; tail: ChainTail | undefined } {
  const chain = createChain({ chainUid: previous === undefined ? 'first' : 'second', authority: 'r-1', previous });
  const lines: string[] = [];
  for (let index = 0; index < count; index++) {
    const { line } = chain.append((at) => outcomeRecord(outcome(`r-${index}`), at, context));
    lines.push(line.toString('latin1', 0, line.length - 1));
    expect(line.at(-1)).toBe(0x0a);
  }
  return { lines, tail: chain.tail() };
}

const { lines, tail } = records(8);

/** The line with one character exchanged, somewhere. */
const flipped = (line: string, index: number): string =>
  line.slice(0, index) + String.fromCharCode(line.charCodeAt(index) ^ 1) + line.slice(index + 1);

/** A record that somebody made with the right fingerprint, in place of record `sequence`. */
function forged(sequence: number): string {
  const previous = readLine(lines[sequence - 2] ?? '');
  const chain = createChain({ chainUid: 'first', authority: 'r-1', previous });
  return chain
    .append((at) => outcomeRecord(outcome('forged'), at, context))
    .line.toString('latin1')
    .trimEnd();
}

describe('a chain', () => {
  it('verifies, and tells where it ends', () => {
    expect(verifyLines(lines)).toEqual({ ok: true, records: 8, first: 1, last: tail });
    expect(verifyLines([])).toEqual({ ok: true, records: 0 });
  });

  it('goes on over a restart of the writer', () => {
    expect(verifyLines([...lines, ...records(3, tail).lines])).toMatchObject({ ok: true, records: 11 });
  });

  it('can be proved in part: after a known record, or from where a range begins', () => {
    const range = lines.slice(3);
    expect(verifyLines(range)).toMatchObject({ ok: false, reason: 'missing', sequence: 1 });
    expect(verifyLines(range, { anyStart: true })).toMatchObject({ ok: true, first: 4, records: 5 });
    const third = records(3).tail;
    if (third === undefined) throw new Error('three records have a tail');
    expect(verifyLines(range, { after: third })).toMatchObject({ ok: true, first: 4 });
    expect(verifyLines(range, { after: { ...third, fingerprint: '0'.repeat(64) } })).toMatchObject({
      ok: false,
      reason: 'out-of-place',
      sequence: 4,
    });
  });

  const without = (index: number): string[] => lines.toSpliced(index, 1);
  const tampered: readonly [string, readonly string[], BrokenBecause, number][] = [
    ['a flipped bit in a name', lines.with(3, (lines[3] ?? '').replace('alice', 'blice')), 'altered', 4],
    ['a flipped bit in the last record', lines.with(7, flipped(lines[7] ?? '', 40)), 'altered', 8],
    ['a deleted record', without(3), 'missing', 4],
    ['the first record deleted', without(0), 'missing', 1],
    ['an inserted copy', lines.toSpliced(3, 0, lines[5] ?? ''), 'out-of-place', 4],
    ['a repeated record', lines.toSpliced(3, 0, lines[2] ?? ''), 'out-of-place', 4],
    ['two records exchanged', lines.with(3, lines[4] ?? '').with(4, lines[3] ?? ''), 'out-of-place', 4],
    ['the last two exchanged', lines.with(6, lines[7] ?? '').with(7, lines[6] ?? ''), 'out-of-place', 7],
    ['the last but one deleted', without(6), 'missing', 7],
    ['a forged record in place of one', lines.with(3, forged(4)), 'out-of-place', 5],
    ['a forged record between two', lines.toSpliced(3, 0, forged(4)), 'out-of-place', 5],
    ['an inserted blank line', lines.toSpliced(3, 0, ''), 'malformed', 4],
    ['other text', lines.with(3, '{"hello":"world"}'), 'malformed', 4],
    ['a cut line', lines.with(3, (lines[3] ?? '').slice(0, -10)), 'malformed', 4],
    ['text behind a record', lines.with(3, `${lines[3]} `), 'malformed', 4],
  ];

  it.each(tampered)('shows %s, and names the first broken record', (_, changed, reason, sequence) => {
    expect(verifyLines(changed)).toMatchObject({ ok: false, reason, sequence, line: sequence });
  });

  it('shows that its end was cut off, or all of it written anew, when the tail was kept elsewhere', () => {
    if (tail === undefined) throw new Error('eight records have a tail');
    expect(verifyLines(lines, { kept: [tail] })).toMatchObject({ ok: true });
    expect(verifyLines(lines.slice(0, 5), { kept: [tail] })).toMatchObject({
      ok: false,
      reason: 'cut-off',
      sequence: 6,
      message: 'The chain ends at record 5, but record 8 was written: its end was cut off.',
    });
    const other = { ...tail, fingerprint: 'f'.repeat(64) };
    expect(verifyLines(lines, { kept: [other] })).toMatchObject({ ok: false, reason: 'rewritten', sequence: 8 });
  });

  it('can be proved between two numbers, whatever is wrong outside of them', () => {
    const changed = lines.with(1, 'garbage').with(6, 'garbage');
    expect(verifyLines(changed, { from: 3, to: 6 })).toMatchObject({ ok: true, first: 3, records: 4 });
    expect(verifyLines(changed, { from: 3, to: 7 })).toMatchObject({ ok: false, reason: 'malformed', sequence: 7 });
    expect(verifyLines(lines, { from: 9 })).toEqual({ ok: true, records: 0 });
  });

  it('may begin later when somebody vouches for the record before its first', () => {
    const third = readLine(lines[2] ?? '')?.fingerprint;
    const vouched = ({ sequence, fingerprint }: { sequence: number; fingerprint: string }) =>
      sequence === 3 && fingerprint === third;
    expect(verifyLines(lines.slice(3), { vouched })).toMatchObject({ ok: true, first: 4 });
    expect(verifyLines(lines.slice(4), { vouched })).toMatchObject({ ok: false, reason: 'missing', sequence: 1 });
  });

  it('tells of a clock that went back, which is no fault of the record', () => {
    const chain = createChain({ chainUid: 'clock', authority: 'r-1' });
    const day = 86_400_000;
    const written = [5 * day, 5 * day + 9, 3 * day, 3 * day + 500, 3 * day + 1, 2 * day].map((timeMs) =>
      chain
        .append((at) => outcomeRecord(outcome('r', { request: inbound({ receivedAtMs: timeMs }) }), at, context))
        .line.toString('latin1')
        .trimEnd(),
    );
    expect(verifyLines(written)).toMatchObject({ ok: true, clock: { times: 2, backMs: 2 * day + 9, sequence: 3 } });
  });

  it('shows any change of any character', () => {
    const all = lines.join('\n');
    fc.assert(
      fc.property(fc.nat(all.length - 1), fc.integer({ min: 1, max: 255 }), (index, mask) => {
        const changed = all.slice(0, index) + String.fromCharCode(all.charCodeAt(index) ^ mask) + all.slice(index + 1);
        expect(verifyLines(changed.split('\n')).ok).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('fills buffers of any size with records of any size', () => {
    const chain = createChain({ chainUid: 'sizes', authority: 'r-1' });
    const written: string[] = [];
    for (const size of [0, 1, 60_000, 5, 65_536, 200_000, 3]) {
      const filler = `"filler":"${'x'.repeat(size)}"`;
      const build = (at: { sequence: number; uid: string }) => [
        `{${filler},"metadata":{"uid":"${at.uid}","sequence":${at.sequence}}`,
      ];
      written.push(chain.append(build).line.toString('latin1').trimEnd());
    }
    expect(verifyLines(written)).toMatchObject({ ok: true, records: 7 });
  });
});
