/** The page of a run: one row for each requirement, one column for each pair of client and server era. */

import type { Impossible } from '../../test/matrix/impossible.ts';
import type { Cell, Ran } from './runs.ts';

export const PAGE_FILE = 'docs/compatibility.md';

export type Table = {
  readonly heading: string;
  readonly ran: readonly Ran[];
  /** By requirement: the page of the specification, and why it is not for every cell. */
  readonly notes: ReadonlyMap<string, { readonly cites?: string; readonly because?: string }>;
};

const CLIENTS: Readonly<Record<string, string>> = {
  'sdk-v1': 'SDK v1',
  'sdk-v1-sse': 'SDK v1, HTTP+SSE',
  'sdk-v2-legacy': 'SDK v2, 2025-11-25',
  'sdk-v2-modern': 'SDK v2, 2026-07-28',
};
const ERAS = { legacy: '2025-11-25', modern: '2026-07-28' } as const;
const TRANSPORTS: Readonly<Record<string, string>> = { http: 'HTTP', sse: 'HTTP+SSE', stdio: 'stdio' };
const ENDPOINTS = { server: '`/servers/{id}/mcp`', aggregate: '`/mcp`' } as const;

type Column = { readonly client: string; readonly era: Cell['era'] };

/** Numbers for the sentences below a table, each once. */
class Footnotes {
  readonly #numbers = new Map<string, number>();

  mark(sentence: string): string {
    const number = this.#numbers.get(sentence) ?? this.#numbers.size + 1;
    this.#numbers.set(sentence, number);
    return `<sup>${number}</sup>`;
  }

  lines(): readonly string[] {
    return [...this.#numbers].map(([sentence, number]) => `${number}. ${sentence}`);
  }
}

const placeOf = ({ transport, endpoint }: Cell): string => `${transport} ${endpoint ?? ''}`;
const unique = <T>(values: Iterable<T>): readonly T[] => [...new Set(values)];
const listed = (words: readonly string[]): string => words.join(' and ');

/** Those that anything ran in. */
function columnsOf(ran: readonly Ran[]): readonly Column[] {
  const clients = unique(ran.map(({ cell }) => cell.client));
  const all = clients.flatMap((client) => (['legacy', 'modern'] as const).map((era) => ({ client, era })));
  return all.filter(({ client, era }) => ran.some(({ cell }) => cell.client === client && cell.era === era));
}

/** Where it holds, in words, when that is not everywhere. */
function where(some: readonly Cell[], all: readonly Cell[]): string {
  const endpoints = unique(some.map(({ endpoint }) => endpoint));
  const transports = unique(some.map(({ transport }) => transport));
  const [endpoint] = endpoints;
  const parts: string[] = [];
  if (endpoints.length === 1 && endpoint !== undefined && all.some((cell) => cell.endpoint !== endpoint)) {
    parts.push(`on ${ENDPOINTS[endpoint]}`);
  }
  if (transports.length < unique(all.map(({ transport }) => transport)).length) {
    parts.push(`over ${listed(transports.map((transport) => TRANSPORTS[transport] ?? transport))}`);
  }
  return `Holds ${parts.length === 0 ? 'in a part of the cells' : parts.join(', ')} alone`;
}

function entry(requirement: string, { client, era }: Column, table: Table, footnotes: Footnotes): string {
  const isHere = ({ cell }: Ran): boolean => cell.client === client && cell.era === era;
  const all = table.ran.filter(isHere);
  const own = all.filter((one) => one.requirement === requirement);
  const because = table.notes.get(requirement)?.because;
  if (own.length === 0) return `–${footnotes.mark(because ?? 'The protocol has no such thing there.')}`;
  const failed = own.filter(({ passed }) => !passed);
  if (failed.length > 0) {
    const places = unique(failed.map(({ cell }) => TRANSPORTS[cell.transport] ?? cell.transport));
    return `**✗ fails** over ${listed(places)}`;
  }
  const places = unique(all.map(({ cell }) => placeOf(cell)));
  if (unique(own.map(({ cell }) => placeOf(cell))).length === places.length) return '✓';
  const part = where(
    own.map(({ cell }) => cell),
    all.map(({ cell }) => cell),
  );
  return `✓${footnotes.mark(because === undefined ? `${part}.` : `${part}: ${because}`)}`;
}

function tableText(table: Table): readonly string[] {
  const columns = columnsOf(table.ran);
  const footnotes = new Footnotes();
  const heads = columns.map(({ client, era }) => `${CLIENTS[client] ?? client}<br>→ ${ERAS[era]}`);
  const rows = unique(table.ran.map(({ requirement }) => requirement)).map((requirement) => {
    const cites = table.notes.get(requirement)?.cites;
    const named = `${requirement}${cites === undefined ? '' : `<br><sub>${cites}</sub>`}`;
    return [named, ...columns.map((column) => entry(requirement, column, table, footnotes))];
  });
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [
    `## ${table.heading}`,
    '',
    line(['client → server', ...heads]),
    line(['---', ...columns.map(() => ':-:')]),
    ...rows.map(line),
    '',
    ...footnotes.lines().flatMap((sentence, index, all) => (index === all.length - 1 ? [sentence, ''] : [sentence])),
  ];
}

export function compatibilityPage(tables: readonly Table[], impossible: readonly Impossible[]): string {
  const ran = tables.flatMap((table) => table.ran);
  const passed = ran.filter((one) => one.passed).length;
  const transports = unique(ran.map(({ cell }) => TRANSPORTS[cell.transport] ?? cell.transport));
  return [
    '<!-- Written by `npm run compatibility` from a run of the era matrix. Do not change it by hand. -->',
    '',
    '# Compatibility',
    '',
    'Every requirement, with every client, against servers of both eras. The clients and servers are the official SDKs (v1 speaks',
    '2025-11-25 and before, v2 both). ✓ means: it holds over every transport to the servers',
    `(${transports.join(', ')}), on \`/servers/{id}/mcp\` and on \`/mcp\`, unless a footnote says where. – means: there is no such`,
    'thing there.',
    '',
    `${passed} of ${ran.length} tests of this run passed.`,
    '',
    ...tables.flatMap(tableText),
    '## What cannot be translated',
    '',
    '| what | why | instead |',
    '|---|---|---|',
    ...impossible.map(({ what, why, instead }) => `| ${what} | ${why} | ${instead} |`),
    '',
  ].join('\n');
}

/** The requirements that a page has a row for, by the heading of their table. */
export function rowsOf(page: string, heading: string): readonly string[] {
  const [, section = ''] = page.split(`## ${heading}\n`);
  const [own = ''] = section.split('\n## ');
  const rows = own
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2);
  return rows.map((row) => row.slice(2).split(/<br>| \| /u, 1)[0] ?? '');
}
