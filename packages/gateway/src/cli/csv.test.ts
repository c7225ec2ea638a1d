import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { csv } from './csv.ts';

describe('rows for spreadsheets', () => {
  it('are those of RFC 4180', () => {
    expect(
      csv([
        ['a', 1],
        ['say "hi"', ''],
        ['a,b', 'c\nd'],
      ]),
    ).toBe('a,1\r\n"say ""hi""",\r\n"a,b","c\nd"\r\n');
  });

  it.each(['=1+1', '+1', '-1', '@sum', '\tx', '\rx'])('show %j as a text', (text) => {
    expect(csv([[text]])).toMatch(/^"?'/);
  });

  it('never begin a cell like a formula, whatever a name holds', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(csv([['x', text]])).not.toMatch(/^x,"?[=+\-@\t\r](?!\n$)/);
      }),
    );
  });
});
