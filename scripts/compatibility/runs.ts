/** What a run of the era matrix says: each test that ran, by its requirement and its cell. */

export type Cell = {
  readonly client: string;
  readonly era: 'legacy' | 'modern';
  readonly transport: string;
  /** Undefined where the suite does not tell the endpoints apart. */
  readonly endpoint?: 'server' | 'aggregate';
};

export type Ran = { readonly requirement: string; readonly cell: Cell; readonly passed: boolean };

/** As vitest's JSON reporter writes it. */
export type Report = {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly {
      readonly ancestorTitles: readonly string[];
      readonly title: string;
      readonly status: string;
    }[];
  }[];
};

type ReadCell = (ancestors: readonly string[]) => Cell | undefined;

export type Suite = {
  readonly heading: string;
  readonly file: string;
  /** Undefined for what is no part of the matrix. */
  readonly cell: ReadCell;
};

const upstreamOf = (name: string): Pick<Cell, 'era' | 'transport'> => {
  const [era, transport] = name.split('-');
  // A plain name is that of a server of 2026-07-28.
  return transport === undefined || era !== 'legacy'
    ? { era: 'modern', transport: transport ?? name }
    : { era, transport };
};

const readMatrix: ReadCell = ([pair = '', path = '']) => {
  const { client, upstream } = /^(?<client>\S+) client to (?<upstream>\S+) server$/u.exec(pair)?.groups ?? {};
  if (client === undefined || upstream === undefined) return undefined;
  return { client, ...upstreamOf(upstream), endpoint: path === '/mcp' ? 'aggregate' : 'server' };
};

const askedBy =
  (who: RegExp): ReadCell =>
  ([client = '', server = '']) => {
    const kind = who.exec(client)?.[1];
    const upstream = /\bover (\S+)$/u.exec(server)?.[1];
    return kind === undefined || upstream === undefined ? undefined : { client: kind, ...upstreamOf(upstream) };
  };

export const SUITES: readonly Suite[] = [
  { heading: 'Calls, lists and notices', file: 'test/era-matrix.test.ts', cell: readMatrix },
  { heading: 'Questions to the person', file: 'test/questions.test.ts', cell: askedBy(/^a client of (\S+)$/u) },
  {
    heading: 'Questions that a server of 2025-11-25 asks in the middle of a call',
    file: 'test/questions.test.ts',
    cell: askedBy(/^a client of (\S+) and a server that asks in the middle of a call$/u),
  },
];

export function ranOf(report: Report, { file, cell }: Suite): readonly Ran[] {
  const own = report.testResults.filter(({ name }) => name.endsWith(file));
  return own.flatMap(({ assertionResults }) =>
    assertionResults.flatMap(({ ancestorTitles, title, status }) => {
      const at = cell(ancestorTitles);
      if (at === undefined) return [];
      // The citation stands in brackets at the end of a test's name.
      return [{ requirement: title.replace(/ \[[^\]]*\]$/u, ''), cell: at, passed: status === 'passed' }];
    }),
  );
}
