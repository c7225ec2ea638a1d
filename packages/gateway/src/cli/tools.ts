/** `sallyport tools`: what there is, and with `--as` what somebody may use and which policy says so. */

import type { Explanation } from '../authz/cedar-authorizer.ts';
import type { ReportedEntry, StatusReport } from '../catalog/status-report.ts';
import { authorizerOf } from '../composition/policy.ts';
import { nearestName } from '../model/nearest-name.ts';
import type { ToolEntry } from '../model/target.ts';
import { requireConfig } from './check.ts';
import { CommandError } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { fetchStatus } from './operations.ts';
import { callerOf, spokenCaller, type SpokenCaller } from './policy-callers.ts';
import { describePolicyProblems } from './policy-problems.ts';
import { table } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export type ToolsOptions = {
  readonly url: string;
  /** Default: the file that the running gateway was started with. */
  readonly config?: string;
  readonly as?: string;
  readonly group: readonly string[];
  readonly workload?: string;
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
  const { as } = options;
  const file = options.config ?? report.configFile;
  const asked = as === undefined ? undefined : await explainer(context, file, { ...options, as }, report);
  const rows = [
    ...report.entries
      .filter(({ kind, server }) => kind === 'tool' && (options.server ?? server) === server)
      .map((tool): Row => (asked === undefined ? { tool } : { tool, explanation: asked.explain(tool) })),
    ...report.withheld
      .filter(({ server }) => (options.server ?? server) === server)
      .map(({ why, ...tool }): Row => ({ tool, withheld: WITHHELD[why] ?? why })),
  ];
  if (options.json) terminal.out(JSON.stringify(rows.map(plain), null, 2));
  else print(rows, options.as, terminal);
  for (const note of asked?.notes ?? []) terminal.err(note);
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
  const { withheld = [] } = grounds;
  if (grounds.errors.length > 0) return `an error in a policy: ${grounds.errors.join('; ')}`;
  if (grounds.policies.length > 0) return grounds.policies.join(', ');
  if (allowed) return 'a policy that reads arguments';
  if (withheld.length > 0) return `a workload alone; ${withheld.join(', ')} would have to name workloads`;
  return applicable.length === 0 ? 'no policy speaks of it' : 'no policy allows it';
}

const plain = ({ tool, explanation, withheld }: Row): object => ({
  tool: `${tool.server}/${tool.name}`,
  ...(tool.aggregateName === undefined ? {} : { aggregateName: tool.aggregateName }),
  traits: tool.traits,
  ...(withheld === undefined ? {} : { allowed: false, because: withheld }),
  ...(explanation === undefined ? {} : { allowed: explanation.allowed, because: reason(explanation) }),
});

type Explain = { readonly explain: (tool: ReportedEntry) => Explanation; readonly notes: readonly string[] };

/** Decides as the gateway would. */
async function explainer(
  context: CommandContext,
  file: string,
  spoken: SpokenCaller,
  report: StatusReport,
): Promise<Explain> {
  const loaded = requireConfig(context, file);
  const { config } = loaded;
  const { words, notes } = await spokenCaller(spoken, loaded);
  const caller = callerOf(words);
  const made = authorizerOf(config);
  if (!made.ok) {
    const problems = describePolicyProblems(made.error, config, context.terminal);
    throw new CommandError(problems, EXIT.failed, 'Mend the policies and try again.');
  }
  return { explain: (tool) => made.value.explain(caller, entryOf(tool, report)), notes };
}

/** What policy can see of a tool: everything but its definition, which no policy reads. */
function entryOf({ server, name, aggregateName, traits }: ReportedEntry, report: StatusReport): ToolEntry {
  const { owner, title, environment, classification, tags } = report.servers.find(({ id }) => id === server) ?? {};
  return {
    kind: 'tool',
    server: {
      id: server,
      version: '',
      sharing: 'principal',
      ...(owner === undefined ? {} : { owner }),
      ...(title === undefined ? {} : { title }),
      ...(environment === undefined ? {} : { environment }),
      ...(classification === undefined ? {} : { classification }),
      ...(tags === undefined ? {} : { tags }),
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
