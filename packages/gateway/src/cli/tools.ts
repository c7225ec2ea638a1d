/** `sallyport tools`: what there is, and with `--as` what somebody may use and which policy says so. */

import type { CedarAuthorizer, Explanation } from '../authz/cedar-authorizer.ts';
import { describeProblem } from '../authz/policy-problem.ts';
import type { ReportedEntry, StatusReport } from '../catalog/status-report.ts';
import type { Config } from '../config/config.ts';
import { authorizerOf } from '../composition/policy.ts';
import { nearestName } from '../model/nearest-name.ts';
import type { ToolEntry } from '../model/target.ts';
import { requireConfig } from './check.ts';
import { CommandError } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { principalOfKey } from './key-store.ts';
import { fetchStatus } from './operations.ts';
import { table } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export type ToolsOptions = {
  readonly url: string;
  /** Default: the file that the running gateway was started with. */
  readonly config?: string;
  readonly as?: string;
  readonly server?: string;
  readonly json: boolean;
};

type Row = {
  readonly tool: Pick<ReportedEntry, 'server' | 'name' | 'traits'> & { readonly aggregateName?: string };
  readonly explanation?: Explanation;
  /** The operator's own word, which stands above every policy. */
  readonly withheld?: string;
};

/** Words of `Withholding`. */
const WITHHELD: Readonly<Record<string, string>> = {
  hidden: 'it is hidden (tools: hidden), which no policy lifts',
  'server-read-only': 'a ceiling: its server is readOnly and this tool is not',
  'aggregate-read-only': 'a ceiling: /mcp is readOnly and this tool is not; see the endpoint of its server',
};

export async function tools(context: CommandContext, options: ToolsOptions): Promise<ExitCode> {
  const { terminal } = context;
  const report = await fetchStatus(options.url);
  const known = report.servers.map((server) => server.id);
  if (options.server !== undefined && !known.includes(options.server)) {
    const near = nearestName(options.server, known);
    const hint = near === undefined ? `There is: ${known.join(', ')}.` : `Did you mean ${near}?`;
    throw new CommandError(`There is no server "${options.server}".`, EXIT.usage, hint);
  }
  const explain =
    options.as === undefined
      ? undefined
      : await explainer(context, options.as, options.config ?? report.configFile, report);
  const rows = [
    ...report.entries
      .filter(({ kind, server }) => kind === 'tool' && (options.server ?? server) === server)
      .map((tool): Row => (explain === undefined ? { tool } : { tool, explanation: explain(tool) })),
    ...report.withheld
      .filter(({ server }) => (options.server ?? server) === server)
      .map(({ why, ...tool }): Row => ({ tool, withheld: WITHHELD[why] ?? why })),
  ];
  if (options.json) terminal.out(JSON.stringify(rows.map(plain), null, 2));
  else print(rows, options.as, terminal);
  return EXIT.done;
}

function print(rows: readonly Row[], as: string | undefined, terminal: Terminal): void {
  const head = as === undefined ? ['tool', 'reads', 'risk'] : ['tool', 'reads', 'risk', as, 'because of'];
  const cells = rows.map(({ tool, explanation, withheld }) => {
    const about = [`${tool.server}/${tool.name}`, tool.traits.readOnly ? 'only' : '-', tool.traits.risk];
    if (withheld !== undefined) return as === undefined ? about : [...about, 'no', withheld];
    return explanation === undefined ? about : [...about, explanation.allowed ? 'yes' : 'no', reason(explanation)];
  });
  for (const [index, line] of table([head, ...cells]).entries()) {
    const row = rows[index - 1];
    const allowed = row?.withheld === undefined && (row?.explanation?.allowed ?? true);
    terminal.out(index === 0 || !allowed ? terminal.dim(line) : line);
  }
  const allowed = rows.filter(({ explanation }) => explanation?.allowed === true).length;
  terminal.out('');
  terminal.out(
    as === undefined
      ? `${rows.length} tools. With --as <name>: what somebody may use, and which policy says so.`
      : `${as} may use ${allowed} of ${rows.length} tools; policies that read arguments decide again on each call.`,
  );
}

/** The policies that decided, or why none did. */
function reason({ allowed, grounds, applicable }: Explanation): string {
  if (grounds.errors.length > 0) return `an error in a policy: ${grounds.errors.join('; ')}`;
  if (grounds.policies.length > 0) return grounds.policies.join(', ');
  if (allowed) return 'a policy that reads arguments';
  return applicable.length === 0 ? 'no policy speaks of it' : 'no policy allows it';
}

const plain = ({ tool, explanation, withheld }: Row): object => ({
  tool: `${tool.server}/${tool.name}`,
  ...(tool.aggregateName === undefined ? {} : { aggregateName: tool.aggregateName }),
  traits: tool.traits,
  ...(withheld === undefined ? {} : { allowed: false, because: withheld }),
  ...(explanation === undefined ? {} : { allowed: explanation.allowed, because: reason(explanation) }),
});

/** Decides as the gateway would, for the API key of a name. */
async function explainer(
  context: CommandContext,
  name: string,
  file: string,
  report: StatusReport,
): Promise<(tool: ReportedEntry) => Explanation> {
  const loaded = requireConfig(context, file);
  const principal = await principalOfKey(loaded, name);
  const authorizer = requireAuthorizer(loaded.config);
  const client = { era: 'modern', revision: '2026-07-28', capabilities: {}, address: '127.0.0.1' } as const;
  return (tool) => authorizer.explain({ principal, client }, entryOf(tool, report));
}

function requireAuthorizer(config: Config): CedarAuthorizer {
  const authorizer = authorizerOf(config);
  if (authorizer.ok) return authorizer.value;
  throw new CommandError(
    authorizer.error.map(describeProblem).join('\n'),
    EXIT.failed,
    'Mend the policies and try again.',
  );
}

/** What policy can see of a tool: everything but its definition, which no policy reads. */
function entryOf({ server, name, aggregateName, traits }: ReportedEntry, report: StatusReport): ToolEntry {
  const reported = report.servers.find(({ id }) => id === server);
  return {
    kind: 'tool',
    server: {
      id: server,
      version: '',
      sharing: 'principal',
      ...(reported?.owner === undefined ? {} : { owner: reported.owner }),
      ...(reported?.title === undefined ? {} : { title: reported.title }),
    },
    name,
    aggregateName,
    definition: {},
    text: '{}',
    hash: '',
    traits,
    inputSchema: {},
  };
}
