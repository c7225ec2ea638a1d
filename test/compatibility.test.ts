/** The page of compatibility is generated from a run that takes minutes. This sees, without one, that it is not out of date. */

import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { compatibilityPage, PAGE_FILE, rowsOf, type Table } from '../scripts/compatibility/page.ts';
import { ranOf, SUITES, type Ran, type Report } from '../scripts/compatibility/runs.ts';
import { IMPOSSIBLE } from './matrix/impossible.ts';
import { REQUIREMENTS } from './matrix/requirements.ts';

const page = readFileSync(PAGE_FILE, 'utf8');
const AGAIN = 'npm run compatibility';

/** Of all tables that a file's tests are in. */
const rowsFrom = (file: string): readonly string[] =>
  SUITES.filter((suite) => suite.file === file).flatMap(({ heading }) => rowsOf(page, heading));

describe('the page of compatibility', () => {
  it('has a row for each requirement of the matrix, and no other', () => {
    const titles = REQUIREMENTS.map(({ title }) => title);
    expect(rowsFrom('test/era-matrix.test.ts').toSorted(), AGAIN).toEqual(titles.toSorted());
  });

  it('has a row for each question, and no other', () => {
    const file = 'test/questions.test.ts';
    const [inCells = ''] = readFileSync(file, 'utf8').split("\ndescribe('");
    const names = [...inCells.matchAll(/\bit(?:\.each\([^)]*\)(?: as const)?\)?)?\(\s*'([^']+)'/gu)].map(
      ([, name = '']) => name,
    );
    expect(names.length).toBeGreaterThan(10);
    const patterns = names.map((name) => new RegExp(`^${name.replaceAll('%s', '.+')}$`, 'u'));
    const rows = rowsFrom(file);
    expect(
      names.filter((_, index) => !rows.some((row) => patterns[index]?.test(row))),
      AGAIN,
    ).toEqual([]);
    expect(
      rows.filter((row) => !patterns.some((pattern) => pattern.test(row))),
      AGAIN,
    ).toEqual([]);
  });

  it('says what cannot be translated, and shows no failure', () => {
    for (const { what } of IMPOSSIBLE) expect(page, AGAIN).toContain(what);
    expect(page).not.toContain('✗');
    expect(page).toMatch(/^(\d+) of \1 tests of this run passed\.$/mu);
  });
});

const cellsOf = (requirement: string, passed = true): readonly Ran[] =>
  ['http', 'stdio'].flatMap((transport) =>
    (['server', 'aggregate'] as const).map((endpoint) => ({
      requirement,
      cell: { client: 'sdk-v1', era: 'legacy' as const, transport, endpoint },
      passed,
    })),
  );

describe('a row', () => {
  const table = (ran: readonly Ran[], notes: Table['notes'] = new Map()): string =>
    compatibilityPage([{ heading: 'H', ran, notes }], []);

  it('says where something holds when that is not everywhere, with the reason', () => {
    const part = cellsOf('part').filter(({ cell }) => cell.endpoint === 'server' && cell.transport === 'stdio');
    const text = table([...cellsOf('whole'), ...part], new Map([['part', { because: 'So it is.' }]]));
    expect(text).toContain('| whole | ✓ |');
    expect(text).toContain('| part | ✓<sup>1</sup> |');
    expect(text).toContain('1. Holds on `/servers/{id}/mcp`, over stdio alone: So it is.');
    expect(rowsOf(text, 'H')).toEqual(['whole', 'part']);
  });

  it('says why something is in no cell of a client', () => {
    const text = table([
      ...cellsOf('whole'),
      ...cellsOf('other').map((ran) => ({ ...ran, cell: { ...ran.cell, client: 'sdk-v2-modern' } })),
    ]);
    expect(text).toContain('| whole | ✓ | –<sup>1</sup> |');
    expect(text).toContain('1. The protocol has no such thing there.');
  });

  it('does not hide what fails', () => {
    expect(table(cellsOf('broken', false))).toContain('| broken | **✗ fails** over HTTP and stdio |');
  });
});

it('reads a run by the names of its tests', () => {
  const one = (ancestorTitles: readonly string[], title: string, status = 'passed') => ({
    ancestorTitles,
    title,
    status,
  });
  const report: Report = {
    testResults: [
      {
        name: '/somewhere/test/era-matrix.test.ts',
        assertionResults: [
          one(['sdk-v1 client to modern-stdio server', '/mcp'], 'it works [basic]'),
          one([], 'every requirement cites the specification'),
        ],
      },
      {
        name: '/somewhere/test/questions.test.ts',
        assertionResults: [
          one(['a client of sdk-v2-modern', 'and a server over http'], 'a form', 'failed'),
          one(['a client of sdk-v1 and a server that asks in the middle of a call', 'over legacy-stdio'], 'a prompt'),
        ],
      },
    ],
  };
  expect(SUITES.flatMap((of) => ranOf(report, of))).toEqual([
    {
      requirement: 'it works',
      cell: { client: 'sdk-v1', era: 'modern', transport: 'stdio', endpoint: 'aggregate' },
      passed: true,
    },
    { requirement: 'a form', cell: { client: 'sdk-v2-modern', era: 'modern', transport: 'http' }, passed: false },
    { requirement: 'a prompt', cell: { client: 'sdk-v1', era: 'legacy', transport: 'stdio' }, passed: true },
  ]);
});
