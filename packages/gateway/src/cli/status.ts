/** `sallyport status`: what a running gateway is doing. */

import type { ReportedAudit, ReportedPolicies, ReportedServer } from '../catalog/status-report.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { fetchStatus } from './operations.ts';
import { table } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export type StatusOptions = { readonly url: string; readonly json: boolean };

/** Exit code 1 when something is wrong, so that a script can ask. */
export async function status({ terminal }: CommandContext, { url, json }: StatusOptions): Promise<ExitCode> {
  const report = await fetchStatus(url);
  const { refused } = report.policies;
  const unwell = report.servers.some((server) => server.state !== 'healthy');
  const wrong = report.problems.length > 0 || unwell || refused !== undefined || report.audit?.state === 'failing';
  if (json) {
    terminal.out(JSON.stringify(report, null, 2));
    return wrong ? EXIT.failed : EXIT.done;
  }
  terminal.out(`Sallyport ${report.version} on ${report.url}, up ${duration(report.uptimeMs)}`);
  terminal.out(terminal.dim(`catalog ${short(report.catalogVersion)}  policies ${short(report.policyVersion)}`));
  const now = report.startedAtMs + report.uptimeMs;
  printPolicies(report.policies, now, terminal);
  printAudit(report.audit, terminal);
  terminal.out('');
  const head = ['server', 'state', 'since', 'era', 'tools', 'prompts', 'resources', 'owner'];
  const lines = table([head, ...report.servers.map((server) => row(server, now))]);
  for (const [index, line] of lines.entries()) {
    const server = report.servers[index - 1];
    terminal.out(server === undefined ? terminal.dim(line) : paintState(line, server.state, terminal));
    if (server?.reason !== undefined) terminal.out(`    ${server.reason}`);
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

const paintState = (line: string, state: string, terminal: Terminal): string =>
  line.replace(state, state === 'healthy' ? terminal.green(state) : terminal.red(state));

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
