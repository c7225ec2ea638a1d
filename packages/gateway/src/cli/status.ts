/** `sallyport status`: what a running gateway is doing. */

import type {
  ReportedAudit,
  ReportedCredential,
  ReportedDependency,
  ReportedFailure,
  ReportedGrants,
  ReportedPolicies,
  ReportedServer,
  ReportedSink,
} from '../catalog/status-report.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { fetchStatus } from './operations.ts';
import { printable, table } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export type StatusOptions = { readonly url: string; readonly json: boolean };

/** Exit code 1 when something is wrong, so that a script can ask. */
export async function status({ terminal }: CommandContext, { url, json }: StatusOptions): Promise<ExitCode> {
  const report = await fetchStatus(url);
  const { refused } = report.policies;
  const unwell = report.servers.some(({ state }) => !isWell(state));
  const unrecorded = report.audit?.state === 'failing' || report.sinks.some(({ state }) => state === 'failing');
  const away = report.dependencies.some(({ up }) => !up) || unrecorded;
  const wrong = report.problems.length > 0 || unwell || away || refused !== undefined;
  if (json) {
    terminal.out(JSON.stringify(report, null, 2));
    return wrong ? EXIT.failed : EXIT.done;
  }
  terminal.out(`Sallyport ${report.version} on ${report.url}, up ${duration(report.uptimeMs)}`);
  terminal.out(terminal.dim(`catalog ${short(report.catalogVersion)}  policies ${short(report.policyVersion)}`));
  const now = report.startedAtMs + report.uptimeMs;
  printPolicies(report.policies, now, terminal);
  printAudit(report.audit, terminal);
  printSinks(report.sinks, now, terminal);
  printDependencies(report.dependencies, now, terminal);
  printCredentials(report.credentials, now, terminal);
  printGrants(report.grants, terminal);
  terminal.out('');
  const head = ['server', 'state', 'since', 'era', 'tools', 'prompts', 'resources', 'owner'];
  const lines = table([head, ...report.servers.map((server) => row(server, now))]);
  for (const [index, line] of lines.entries()) {
    const server = report.servers[index - 1];
    terminal.out(server === undefined ? terminal.dim(line) : paintState(line, server.state, terminal));
    if (server?.reason !== undefined) terminal.out(`    ${server.reason}`);
    const { lastFailure } = server ?? {};
    if (lastFailure !== undefined) terminal.out(terminal.dim(`    ${failureLine(lastFailure, server?.reason, now)}`));
  }
  if (report.servers.length === 0) terminal.out('No server is configured.');
  for (const problem of report.problems) {
    terminal.out(`${terminal.yellow(problem.code)}  ${problem.server ?? ''}  ${problem.message}`);
  }
  return wrong ? EXIT.failed : EXIT.done;
}

/** Nothing when all is well: the version in the line above says which set decides. */
function printPolicies({ version, refused, restart }: ReportedPolicies, nowMs: number, terminal: Terminal): void {
  if (refused !== undefined) {
    const since = duration(nowMs - refused.sinceMs);
    terminal.out(terminal.red(`policies: refused since ${since}, still in force: version ${short(version)}`));
    for (const problem of refused.problems) terminal.out(`    ${problem}`);
  }
  if (restart !== undefined) {
    terminal.out(terminal.yellow(`The configuration file has changes that take a restart: ${restart.join(', ')}`));
  }
}

/** Nothing when all is well. */
function printAudit(audit: ReportedAudit | undefined, terminal: Terminal): void {
  if (audit?.state !== 'failing') return;
  const { reason = 'unknown', backlogRecords } = audit;
  terminal.out(terminal.red(`audit: the file cannot be written (${reason}); ${backlogRecords} records wait for it`));
}

/** One line while all of them answer. */
function printDependencies(all: readonly ReportedDependency[], nowMs: number, terminal: Terminal): void {
  const up = all.filter((one) => one.up).map(({ name }) => printable(name));
  if (up.length > 0) terminal.out(terminal.dim(`answering: ${up.join(', ')}`));
  for (const { name, kind, sinceMs, reason, up: answers } of all) {
    if (answers) continue;
    const what = kind === 'server' ? 'needed by a server' : kind;
    terminal.out(terminal.red(`${what} away since ${duration(nowMs - sinceMs)}: ${printable(name)}`));
    if (reason !== undefined) terminal.out(`    ${printable(reason)}`);
  }
}

const SOON_MS = 30 * 86_400_000;
const MAX_CREDENTIALS = 10;

function printCredentials(all: readonly ReportedCredential[], nowMs: number, terminal: Terminal): void {
  // Leases end within hours by nature, and are renewed.
  const soon = all.filter(({ kind, expiresAtMs }) => kind !== 'secret-lease' && expiresAtMs - nowMs < SOON_MS);
  for (const { credential, kind, expiresAtMs } of soon.slice(0, MAX_CREDENTIALS)) {
    const name = `${kind} ${printable(credential)}`;
    const left = expiresAtMs - nowMs;
    if (left > 0) terminal.out(terminal.yellow(`expires in ${duration(left)}: ${name}`));
    else terminal.out(terminal.red(`expired since ${duration(-left)}: ${name}`));
  }
  if (soon.length > MAX_CREDENTIALS) terminal.out(`and ${soon.length - MAX_CREDENTIALS} more within 30 days`);
}

/** One line for each server that people consented to, yellow while some of them have to log in again: each is asked at their next call. */
function printGrants(all: readonly ReportedGrants[], terminal: Terminal): void {
  for (const { server, good, needsLogin } of all.slice(0, MAX_CREDENTIALS)) {
    const line = `people logged in to ${printable(server)}: ${good}`;
    if (needsLogin === 0) terminal.out(terminal.dim(line));
    else terminal.out(terminal.yellow(`${line}; ${needsLogin} ${needsLogin === 1 ? 'has' : 'have'} to log in again`));
  }
  if (all.length > MAX_CREDENTIALS) terminal.out(`and ${all.length - MAX_CREDENTIALS} more servers`);
}

/** One line for each place that the audit record goes to, red while it does not get there. */
function printSinks(sinks: readonly ReportedSink[], nowMs: number, terminal: Terminal): void {
  for (const { name, state, sinceMs, reason, lagRecords, lagSeconds, missed } of sinks) {
    const lag = lagRecords === 0 ? '' : `, ${lagRecords} records and ${duration(lagSeconds * 1000)} behind`;
    const gone = missed === 0 ? '' : `, ${missed} records missed`;
    const line = `audit sink ${name}: ${state} since ${duration(nowMs - sinceMs)}${lag}${gone}`;
    terminal.out(state === 'failing' ? terminal.red(line) : terminal.dim(line));
    if (reason !== undefined) terminal.out(`    ${printable(reason)}`);
  }
}

function row(server: ReportedServer, nowMs: number): string[] {
  const count = (kind: string): string => String(server.counts[kind] ?? 0);
  return [
    server.id,
    server.state,
    duration(nowMs - server.sinceMs),
    server.era ?? '-',
    count('tools'),
    count('prompts'),
    count('resources'),
    server.owner ?? '-',
  ];
}

/** A server that nobody needs has no process, and is as well as one that runs. */
export const isWell = (state: string): boolean => state === 'healthy' || state === 'stopped';

const paintState = (line: string, state: string, terminal: Terminal): string =>
  line.replace(state, isWell(state) ? terminal.green(state) : terminal.red(state));

/** What stands in the reason already is not said twice. */
function failureLine(
  { stage, code, message, atMs }: ReportedFailure,
  reason: string | undefined,
  nowMs: number,
): string {
  const words = reason?.includes(message) === true ? '' : `: ${printable(message)}`;
  return `last failure ${duration(nowMs - atMs)} ago, at ${printable(stage)}: ${printable(code)}${words}`;
}

const short = (digest: string): string => digest.slice(0, 12);

/** `3 d 4 h`, `12 min`, `8 s`: two units are enough to tell a restart from a Tuesday. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
