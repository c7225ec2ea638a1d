/** `sallyport policy test`: what policies decide, against what a file says they should. Needs no gateway. */

import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';

import type { CedarAuthorizer } from '../authz/cedar-authorizer.ts';
import { authorizerOf, loadArgumentParsers } from '../composition/policy.ts';
import { loadPolicyTest, type PolicyTestFile } from '../config/policy-test-file.ts';
import type { TestCase } from '../config/policy-test-schema.ts';
import { formatProblem } from '../config/problem.ts';
import type { JsonObject } from '../model/json.ts';
import { nearestName } from '../model/nearest-name.ts';
import { CommandError } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { callerOf, NOBODY_IN_PARTICULAR } from './policy-callers.ts';
import { entryFinder, type EntryFinder, type Subject } from './policy-entries.ts';
import { describePolicyProblems } from './policy-problems.ts';
import { createAsking, rulingText, type Asking, type Ruling } from './policy-question.ts';
import { printReport, type CaseReport, type FileReport } from './policy-test-report.ts';

export type PolicyTestOptions = {
  readonly place: string;
  readonly config?: string;
  readonly json: boolean;
};

/** Exit code 1 when a case failed, or nothing could be tested. */
export async function policyTest(context: CommandContext, options: PolicyTestOptions): Promise<ExitCode> {
  const { terminal, env } = context;
  const { config } = options;
  const asking = createAsking();
  try {
    const reports: FileReport[] = [];
    for (const file of testFiles(options.place)) {
      const loaded = loadPolicyTest(file, { env, ...(config === undefined ? {} : { config }) });
      if (!loaded.ok) throw new CommandError(loaded.error.map(formatProblem).join('\n'), EXIT.failed);
      reports.push({ file, cases: await runFile(loaded.value, context, asking) });
    }
    if (options.json) terminal.out(JSON.stringify(reports, null, 2));
    else printReport(reports, terminal);
    const failed = reports.flatMap(({ cases }) => cases).filter(({ passed }) => !passed);
    return failed.length === 0 ? EXIT.done : EXIT.failed;
  } finally {
    await asking.close();
  }
}

const TEST_FILE = /\.test\.ya?ml$/;

/** The file itself, or every `*.test.yaml` of a folder. @throws CommandError when there is none. */
function testFiles(place: string): readonly string[] {
  const stats = statSync(place, { throwIfNoEntry: false });
  if (stats === undefined) throw new CommandError(`${place} does not exist.`, EXIT.usage);
  if (!stats.isDirectory()) return [place];
  const names = readdirSync(place, { recursive: true, encoding: 'utf8' })
    .filter((name) => TEST_FILE.test(name) && !name.split(path.sep).includes('node_modules'))
    .toSorted();
  if (names.length === 0) throw new CommandError(`${place} holds no file called *.test.yaml.`, EXIT.usage);
  return names.map((name) => path.join(place, name));
}

async function runFile(file: PolicyTestFile, context: CommandContext, asking: Asking): Promise<readonly CaseReport[]> {
  const { config } = file.loaded;
  await loadArgumentParsers(config);
  let now = Date.now;
  const made = authorizerOf(config, () => now());
  if (!made.ok) throw new CommandError(describePolicyProblems(made.error, config, context.terminal), EXIT.failed);
  const authorizer = made.value;
  const schemas = new Map(Object.entries(file.test.tools).map(([address, schema]) => [address, schema]));
  const find = entryFinder(config, schemas);
  const faults = Object.keys(file.test.tools).flatMap((address) => unusable(find, { kind: 'tool', address }));
  if (faults.length > 0)
    throw new CommandError(faults.map((fault) => `${file.file}: ${fault}`).join('\n'), EXIT.failed);
  const reports: CaseReport[] = [];
  for (const [index, one] of file.test.cases.entries()) {
    const atMs = one.now === undefined ? undefined : Date.parse(one.now);
    now = atMs === undefined ? Date.now : () => atMs;
    const { line, column } = file.placeOf(index);
    const at = { where: `${file.file}:${line}:${column}`, line };
    reports.push(await runCase({ one, at, file, find, authorizer, asking }));
  }
  return reports;
}

const unusable = (find: EntryFinder, subject: Subject): readonly string[] => {
  const found = find(subject);
  return found.ok ? [] : [found.error];
};

type CaseParts = {
  readonly one: TestCase;
  readonly at: { readonly where: string; readonly line: number };
  readonly file: PolicyTestFile;
  readonly find: EntryFinder;
  readonly authorizer: CedarAuthorizer;
  readonly asking: Asking;
};

async function runCase({ one, at, file, find, authorizer, asking }: CaseParts): Promise<CaseReport> {
  const subject = subjectOf(one);
  const entry = find(subject);
  if (!entry.ok) throw new CommandError(`${at.where}: ${entry.error}`, EXIT.failed, describeTools(subject));
  const caller = callerOf(callerWords(one, at.where, file));
  const asksForList = one.expect === 'listed' || one.expect === 'hidden';
  const question = { caller, entry: entry.value, args: asksForList ? undefined : argumentsOf(one) };
  const ruling = await asking.ask(authorizer, question);
  const { applicable } = authorizer.explain(caller, entry.value, question.args);
  const places = new Map(applicable.map(({ id, source, line }) => [id, `${source}:${line}`]));
  const expected = expectationText(one);
  return {
    name: one.name,
    line: at.line,
    as: one.as,
    subject: subject.address,
    passed: passes(one, ruling),
    expected,
    got: gotText(one, ruling),
    decided: ruling.grounds.policies.map((id) => ({ id, ...(places.has(id) ? { place: places.get(id) ?? '' } : {}) })),
    errors: [...(ruling.invalid === undefined ? [] : [ruling.invalid]), ...ruling.grounds.errors],
    withheld: ruling.grounds.withheld ?? [],
  };
}

const describeTools = ({ kind }: Subject): string | undefined =>
  kind === 'tool' ? 'Every tool of the cases stands under `tools`, with its input schema.' : undefined;

function subjectOf({ tool, prompt, resource, server }: TestCase): Subject {
  if (tool !== undefined) return { kind: 'tool', address: tool };
  if (prompt !== undefined) return { kind: 'prompt', address: prompt };
  return resource === undefined ? { kind: 'server', address: server ?? '' } : { kind: 'resource', address: resource };
}

// The schema took JSON only.
const argumentsOf = ({ args }: TestCase): JsonObject => args;

/** A caller of the file, else an API key of the configuration. */
function callerWords({ as, surface }: TestCase, where: string, { test, loaded }: PolicyTestFile) {
  const own = test.callers[as];
  const key = loaded.config.identity.apiKeys.find(({ name }) => name === as);
  const said = surface === undefined ? {} : { surface };
  if (own !== undefined) return { name: as, ...own, ...said };
  if (key !== undefined) return { ...NOBODY_IN_PARTICULAR, name: as, groups: key.groups, tenant: key.tenant, ...said };
  const known = [...Object.keys(test.callers), ...loaded.config.identity.apiKeys.map(({ name }) => name)];
  const near = nearestName(as, known);
  throw new CommandError(
    `${where}: There is no caller ${JSON.stringify(as)} under callers, and no API key of that name.`,
    EXIT.failed,
    near === undefined ? undefined : `Did you mean ${near}?`,
  );
}

function passes({ expect, by, observed }: TestCase, ruling: Ruling): boolean {
  const effect = typeof expect === 'string' ? expect : 'approval';
  const approvals = typeof expect === 'string' ? [] : expect.approval;
  return (
    effect === ruling.effect &&
    sameNames(approvals, ruling.approvals) &&
    (by === undefined || sameNames(by, ruling.grounds.policies)) &&
    (observed === undefined || sameNames(observed, ruling.grounds.observed?.policies ?? []))
  );
}

const sameNames = (one: readonly string[], other: readonly string[]): boolean =>
  JSON.stringify(one.toSorted()) === JSON.stringify(other.toSorted());

function expectationText({ expect, by, observed }: TestCase): string {
  const text = typeof expect === 'string' ? expect : rulingText({ effect: 'approval', approvals: expect.approval });
  return `${text}${decidedText(by)}${observedText(observed)}`;
}

/** Names what the case asks for, and no more. */
function gotText({ by, observed }: TestCase, ruling: Ruling): string {
  const { policies, observed: noticed } = ruling.grounds;
  const decided = by === undefined ? '' : decidedText(policies);
  return `${rulingText(ruling)}${decided}${observed === undefined ? '' : observedText(noticed?.policies ?? [])}`;
}

const decidedText = (policies: readonly string[] | undefined): string =>
  policies === undefined ? '' : `, decided by ${namesOrNone(policies)}`;

const observedText = (policies: readonly string[] | undefined): string =>
  policies === undefined ? '' : `, observed by ${namesOrNone(policies)}`;

const namesOrNone = (policies: readonly string[]): string =>
  policies.length === 0 ? 'no policy' : policies.join(', ');
