/** One frame of `sallyport top`, as lines of pieces: cut to the width of the screen before they are painted. */

import type { Counted, LiveNow, OldCall, ServerNow, ToolRate } from './live-report.ts';
import { duration, isWell } from './status.ts';
import { printable, table, type Terminal } from './terminal.ts';

export type FrameFacts = {
  readonly version: string;
  readonly url: string;
  readonly startedAtMs: number;
  readonly live: LiveNow;
};

export type FrameSize = { readonly columns: number; readonly rows: number };

type Paint = (text: string) => string;
type Piece = readonly [text: string, paint?: Paint];
type Line = readonly Piece[];

/** Less than this tells nothing; more scrolls away what matters. */
const MIN_ROWS = 3;

export function topFrame(facts: FrameFacts, { columns, rows }: FrameSize, terminal: Terminal): string[] {
  const { live } = facts;
  const head = [...summary(facts, terminal), []];
  const parts = [
    section('servers', serverLines(live, terminal), terminal),
    section('slowest tools, last 60 s', toolLines(live.last60s, terminal), terminal),
    section('in flight', flightLines(live, terminal), terminal),
    section('longest in flight', oldestLines(live.oldest, terminal), terminal),
  ].filter((lines) => lines.length > 0);
  const lines = [...head, ...fitted(parts, rows - head.length)];
  return lines.slice(0, Math.max(1, rows)).map((line) => painted(line, columns));
}

function summary({ version, url, startedAtMs, live }: FrameFacts, { bold, dim, red, yellow }: Terminal): Line[] {
  const calls = sum(live.last10s, ({ calls: count }) => count);
  const errors = sum(live.last10s, ({ errors: count }) => count);
  const refused = sum(live.last10s, ({ refused: count }) => count);
  const perSecond = sum(live.last10s, ({ perSecond: rate }) => rate);
  const { requests, awaitingApproval, connections, streams, sessions, openQuestions, parkedCalls } = live;
  return [
    [[`Sallyport ${version}`, bold], [` on ${url}, up ${duration(live.atMs - startedAtMs)}`]],
    [
      [`${rateText(perSecond)} calls/s`, bold],
      [`  ${sparkline(live.history.slice(-31, -1))}  `],
      flagged(`errors ${share(errors, calls)}`, errors > 0, red),
      flagged(`  refused ${share(refused, calls + refused)}`, refused > 0, yellow),
      ['   last 10 s', dim],
    ],
    [
      [`${requests} in flight`, bold],
      [
        `, ${awaitingApproval} await approval, ${openQuestions} questions open, ${parkedCalls} parked   ${connections} connections, ` +
          `${streams} streams, ${sessions} sessions`,
      ],
    ],
  ];
}

const flagged = (text: string, isBad: boolean, paint: Paint): Piece => (isBad ? [text, paint] : [text]);

function section(title: string, lines: readonly Line[], { dim }: Terminal): Line[] {
  return lines.length === 0 ? [] : [[[title.toUpperCase(), dim]], ...lines, []];
}

/** Each section has its heading and first lines before another has all of its own. */
function fitted(parts: readonly Line[][], rows: number): Line[] {
  let room = rows;
  const counts = parts.map((lines) => Math.min(lines.length, MIN_ROWS + 1));
  room -= counts.reduce((total, count) => total + count, 0);
  for (const [index, lines] of parts.entries()) {
    const more = Math.max(0, Math.min(room, lines.length - (counts[index] ?? 0)));
    counts[index] = (counts[index] ?? 0) + more;
    room -= more;
  }
  return parts.flatMap((lines, index) => lines.slice(0, counts[index]));
}

function serverLines({ last10s, last60s, byServer, atMs, ...live }: LiveNow, terminal: Terminal): Line[] {
  // What is wrong must not be cut off.
  const servers = live.servers.toSorted((a, b) => Number(isWell(a.state)) - Number(isWell(b.state)));
  const inFlight = new Map(byServer.map(({ name, count }) => [name, count]));
  const most = Math.max(1, ...inFlight.values());
  const rows = servers.map(({ id, state, sinceMs }) => {
    const recent = last10s.filter(({ server }) => server === id);
    const minute = last60s.filter(({ server }) => server === id);
    const calls = sum(recent, (one) => one.calls);
    const flying = inFlight.get(id) ?? 0;
    return [
      id,
      state,
      isWell(state) ? '' : duration(atMs - sinceMs),
      rateText(sum(recent, (one) => one.perSecond)),
      rateText(sum(minute, (one) => one.perSecond)),
      share(
        sum(recent, (one) => one.errors),
        calls,
      ),
      String(flying),
      '▪'.repeat(Math.ceil((10 * flying) / most)),
    ];
  });
  if (rows.length === 0) return [];
  const head = ['server', 'state', 'since', 'calls/s', 'over 60 s', 'errors', 'in flight', ''];
  const [first = '', ...lines] = table([head, ...rows], new Set([3, 4, 5, 6]));
  return [[[first, terminal.dim]], ...lines.flatMap((line, index) => serverLine(line, servers[index], terminal))];
}

/** The state in its colour, and below it why. */
function serverLine(line: string, server: ServerNow | undefined, { green, red, yellow }: Terminal): Line[] {
  if (server === undefined) return [[[line]]];
  const { id, state, reason } = server;
  const at = line.indexOf(state, id.length);
  const paint = isWell(state) ? green : state === 'starting' || state === 'degraded' ? yellow : red;
  const told: Line = [[line.slice(0, at)], [state, paint], [line.slice(at + state.length)]];
  return reason === '' ? [told] : [told, [[`    ${printable(reason)}`, paint]]];
}

const MAX_TOOLS = 15;

function toolLines(rates: readonly ToolRate[], terminal: Terminal): Line[] {
  const slowest = rates.toSorted((a, b) => b.p95Ms - a.p95Ms).slice(0, MAX_TOOLS);
  if (slowest.length === 0) return [];
  const rows = slowest.map((rate) => [
    `${rate.server}/${rate.tool}`,
    rateText(rate.perSecond),
    share(rate.errors, rate.calls),
    String(rate.refused),
    rate.calls === 0 ? '-' : msText(rate.p50Ms),
    rate.calls === 0 ? '-' : msText(rate.p95Ms),
  ]);
  const head = ['tool', 'calls/s', 'errors', 'refused', 'p50', 'p95'];
  const [first = '', ...lines] = table([head, ...rows], new Set([1, 2, 3, 4, 5]));
  return [
    [[first, terminal.dim]],
    ...lines.map((line, index): Line => ((slowest[index]?.errors ?? 0) > 0 ? [[line, terminal.red]] : [[line]])),
  ];
}

const MAX_NAMES = 10;

function flightLines({ byUser, byClient }: LiveNow, terminal: Terminal): Line[] {
  if (byUser.length === 0) return [];
  const users = byUser.slice(0, MAX_NAMES);
  const clients = byClient.slice(0, MAX_NAMES);
  const cell = (one: Counted | undefined): readonly [string, string] =>
    one === undefined ? ['', ''] : [one.name, String(one.count)];
  const rows = Array.from({ length: Math.max(users.length, clients.length) }, (_, index) => [
    ...cell(users[index]),
    '  ',
    ...cell(clients[index]),
  ]);
  const [first = '', ...lines] = table([['user', 'calls', '  ', 'client', 'calls'], ...rows], new Set([1, 4]));
  return [[[first, terminal.dim]], ...lines.map((line): Line => [[line]])];
}

const MAX_OLDEST = 10;
/** As long as people wait before they ask. */
const LONG_MS = 10_000;

function oldestLines(oldest: readonly OldCall[], terminal: Terminal): Line[] {
  const shown = oldest.slice(0, MAX_OLDEST);
  if (shown.length === 0) return [];
  const rows = shown.map(({ what, who, client, step, forMs }) => [msText(forMs), what, who, client, step]);
  const [first = '', ...lines] = table([['for', 'what', 'who', 'client', 'step'], ...rows], new Set([0]));
  return [
    [[first, terminal.dim]],
    ...lines.map((line, index): Line => ((shown[index]?.forMs ?? 0) >= LONG_MS ? [[line, terminal.yellow]] : [[line]])),
  ];
}

function painted(line: Line, columns: number): string {
  let room = columns;
  let text = '';
  for (const [part, paint] of line) {
    const cut = part.slice(0, Math.max(0, room));
    room -= cut.length;
    text += cut === '' || paint === undefined ? cut : paint(cut);
  }
  return text.trimEnd();
}

const LEVELS = '▁▂▃▄▅▆▇█';

export function sparkline(values: readonly number[]): string {
  const most = Math.max(1, ...values);
  return values.map((value) => LEVELS[Math.round((7 * value) / most)] ?? '').join('');
}

const sum = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((total, one) => total + of(one), 0);

const share = (part: number, whole: number): string => `${whole === 0 ? '0.0' : ((100 * part) / whole).toFixed(1)} %`;

const rateText = (perSecond: number): string =>
  perSecond >= 100 ? String(Math.round(perSecond)) : perSecond.toFixed(1);

const msText = (ms: number): string => {
  if (ms < 10) return `${Number(ms.toFixed(1))} ms`;
  if (ms < 10_000) return `${Math.round(ms)} ms`;
  return ms < 120_000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms);
};
