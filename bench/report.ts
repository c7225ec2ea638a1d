/** The table: Markdown in `bench/results/<date>.md`, and the same on the terminal. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { CONNECTIONS } from './load.ts';
import { isInstalled, isPinning, versionOf } from './processes.ts';

const RESULTS = fileURLToPath(new URL('./results/', import.meta.url));

export type Row = {
  readonly scenario: string;
  readonly via: string;
  readonly cpuMicroseconds: number;
  readonly perSecond: number;
  readonly timesNginx?: number;
};

export type Report = {
  readonly rows: readonly Row[];
  readonly rounds: number;
  readonly seconds: number;
  readonly latency?: { readonly rate: number; readonly p50Ms: number; readonly p99Ms: number };
  readonly memory?: { readonly idleMegabytes: number; readonly loadedMegabytes: number };
};

export function writeReport(report: Report, say: (text: string) => void): void {
  const date = new Date().toISOString().slice(0, 10);
  const text = markdown(report, date);
  mkdirSync(RESULTS, { recursive: true });
  const file = `${RESULTS}${date}.md`;
  writeFileSync(file, text);
  say(`\n${text}\nwritten to ${relative(process.cwd(), file)}`);
}

function markdown({ rows, rounds, seconds, latency, memory }: Report, date: string): string {
  const table = [
    ['scenario', 'through', 'CPU us/call', 'calls/s', 'x nginx'],
    ...rows.map((row) => [
      row.scenario,
      row.via,
      row.cpuMicroseconds.toFixed(1),
      Math.round(row.perSecond).toLocaleString('en'),
      row.timesNginx?.toFixed(1) ?? '',
    ]),
  ];
  return [
    `# Bench of ${date}`,
    '',
    machine(),
    '',
    `\`tools/call\` of about 300 bytes, answer of about 300, ${CONNECTIONS} keep-alive connections, ${rounds} alternating ` +
      `rounds of ${seconds} s, medians. CPU is user and system time of the process in the row.`,
    '',
    ...aligned(table),
    '',
    ...(latency === undefined ? [] : [latencyLine(latency), '']),
    ...(memory === undefined ? [] : [memoryLine(memory), '']),
  ].join('\n');
}

const latencyLine = ({ rate, p50Ms, p99Ms }: NonNullable<Report['latency']>): string =>
  `Added latency at half of capacity (${rate.toLocaleString('en')} calls/s asked for): p50 ${p50Ms.toFixed(2)} ms, ` +
  `p99 ${p99Ms.toFixed(2)} ms.`;

const memoryLine = ({ idleMegabytes, loadedMegabytes }: NonNullable<Report['memory']>): string =>
  `Resident memory of the gateway: ${idleMegabytes.toFixed(0)} MB idle, ${loadedMegabytes.toFixed(0)} MB after the run.`;

function machine(): string {
  const [cpu] = cpus();
  const versions = [
    `Node ${process.versions.node}`,
    ...(isInstalled('nginx') ? [versionOf('nginx', '-v').replace('nginx version: ', '')] : []),
    ...(isInstalled('haproxy') ? [versionOf('haproxy', '-v').split(' ').slice(0, 3).join(' ')] : []),
  ];
  const pinning = isPinning
    ? 'what is measured on a core of its own, servers and load on what is left'
    : 'no processes pinned to cores';
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  return `${cpus().length} x ${cpu?.model ?? 'unknown CPU'}, ${memory} GB, Linux ${release()}; ${versions.join(', ')}; ${pinning}.`;
}

/** Text to the left, figures to the right, in the source as in the rendered page. */
function aligned(table: readonly (readonly string[])[]): string[] {
  const [head = []] = table;
  const widths = head.map((_, column) => Math.max(...table.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = `| ${widths.map((width, column) => (column < 2 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(head), rule, ...table.slice(1).map(line)];
}
