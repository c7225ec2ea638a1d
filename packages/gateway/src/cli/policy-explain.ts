/** `sallyport policy explain`: what is decided, by which policies, and why. Decides here, as the gateway would. */

import type { CedarAuthorizer } from '../authz/cedar-authorizer.ts';
import type { StatusReport } from '../catalog/status-report.ts';
import { authorizerOf, loadArgumentParsers } from '../composition/policy.ts';
import type { Config } from '../config/config.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { Entry } from '../model/target.ts';
import { requireConfig } from './check.ts';
import { CommandError } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { fetchSchemas, fetchStatus } from './operations.ts';
import { callerOf, spokenCaller } from './policy-callers.ts';
import { entryFinder, type Subject } from './policy-entries.ts';
import { gatherEvidence, isOpen, nearMisses } from './policy-evidence.ts';
import { printExplanation, type PolicyExplanation } from './policy-explain-report.ts';
import { describePolicyProblems } from './policy-problems.ts';
import { createAsking } from './policy-question.ts';

export type PolicyExplainOptions = {
  readonly as: string;
  readonly tool?: string;
  readonly prompt?: string;
  readonly resource?: string;
  readonly server?: string;
  /** JSON, or `-` for standard input. */
  readonly args?: string;
  readonly group: readonly string[];
  readonly surface?: string;
  readonly workload?: string;
  readonly now?: string;
  readonly config?: string;
  readonly url: string;
  readonly json: boolean;
};

/** Exit code 4 when it is refused, so that a script can ask. */
export async function policyExplain(context: CommandContext, options: PolicyExplainOptions): Promise<ExitCode> {
  const { terminal } = context;
  const subject = subjectOf(options);
  const args = await argumentsOf(options, context);
  const clock = clockOf(options);
  const running = await runningGateway(options);
  const loaded = requireConfig(context, options.config ?? running?.report.configFile ?? '');
  const { config } = loaded;
  await loadArgumentParsers(config);
  const made = authorizerOf(config, clock);
  if (!made.ok) throw new CommandError(describePolicyProblems(made.error, config, terminal), EXIT.failed);
  const entry = findEntry(config, subject, running);
  const { words, notes } = await spokenCaller(options, loaded);
  const asking = createAsking();
  try {
    const question = { caller: callerOf(words), entry, args };
    const ruling = await asking.ask(made.value, question);
    const { applicable } = made.value.explain(question.caller, entry, args);
    const explanation: PolicyExplanation = {
      caller: words,
      subject,
      args,
      ruling,
      evidence: gatherEvidence(applicable, question, clock),
      nearest: isOpen(ruling) ? [] : await nearMisses(config, made.value, question, asking),
      policies: { version: made.value.version, count: made.value.policyCount },
      notes: [...notes, ...schemaNotes(options, running), ...driftNotes(made.value, running)],
    };
    if (options.json) terminal.out(JSON.stringify(explanation, null, 2));
    else printExplanation(explanation, entry, terminal);
    return isOpen(ruling) ? EXIT.done : EXIT.refused;
  } finally {
    await asking.close();
  }
}

function subjectOf({ tool, prompt, resource, server }: PolicyExplainOptions): Subject {
  const named: readonly (readonly [Subject['kind'], string | undefined])[] = [
    ['tool', tool],
    ['prompt', prompt],
    ['resource', resource],
    ['server', server],
  ];
  const [only, another] = named.flatMap(([kind, address]) => (address === undefined ? [] : [{ kind, address }]));
  if (only !== undefined && another === undefined) return only;
  throw new CommandError('Name exactly one of --tool, --prompt, --resource and --server.', EXIT.usage);
}

async function argumentsOf(
  { args }: PolicyExplainOptions,
  { readInput }: CommandContext,
): Promise<JsonObject | undefined> {
  if (args === undefined) return undefined;
  const text = args === '-' ? await readInput() : args;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (isJsonObject(value)) return value;
  throw new CommandError('--args is not a JSON object.', EXIT.usage, `For example: --args '{"path": "a.txt"}'`);
}

function clockOf({ now }: PolicyExplainOptions): () => number {
  if (now === undefined) return Date.now;
  const atMs = Date.parse(now);
  if (!Number.isNaN(atMs)) return () => atMs;
  throw new CommandError('--now is not a date and time, such as 2027-01-31T22:00:00Z.', EXIT.usage);
}

type Running = { readonly report: StatusReport; readonly schemas: ReadonlyMap<string, JsonObject> };

/** Undefined when none answers and the configuration was named: then there are no schemas to go by. */
async function runningGateway({ url, config }: PolicyExplainOptions): Promise<Running | undefined> {
  try {
    const report = await fetchStatus(url);
    return { report, schemas: await fetchSchemas(url) };
  } catch (error) {
    if (config === undefined) throw error;
    return undefined;
  }
}

/** With the traits that are in force in the gateway, where one runs. */
function findEntry(config: Config, subject: Subject, running: Running | undefined): Entry {
  const unknown: ReadonlyMap<string, JsonObject> = new Map([[subject.address, { type: 'object' }]]);
  const found = entryFinder(config, running?.schemas ?? unknown)(subject);
  if (!found.ok) throw new CommandError(found.error, EXIT.usage);
  const reported = running?.report.entries.find(
    ({ kind, server, name }) => kind === found.value.kind && `${server}/${name}` === subject.address,
  );
  return reported === undefined ? found.value : { ...found.value, traits: reported.traits };
}

function schemaNotes({ url, args }: PolicyExplainOptions, running: Running | undefined): readonly string[] {
  if (running !== undefined || args === undefined) return [];
  return [
    `No gateway answers at ${url}, so the tool's schema is unknown and the arguments were not checked against it.`,
  ];
}

function driftNotes({ version }: CedarAuthorizer, running: Running | undefined): readonly string[] {
  if (running === undefined || running.report.policyVersion === version) return [];
  return ['The running gateway has another set of policies in force than the files say: see "sallyport status".'];
}
