/** Reads a file of policy tests, and the configuration that it is about: its own servers and policies, or another file's. */

import path from 'node:path';

import { err, ok, type Result } from '../model/result.ts';
import { parseConfigDocument, type Place } from './document.ts';
import { explainIssues } from './explain.ts';
import { loadConfig, type Environment, type LoadedConfig } from './load.ts';
import { policyTestSchema, type ParsedPolicyTest } from './policy-test-schema.ts';
import { readText } from './policy-sources.ts';
import { isFatal, type ConfigProblem } from './problem.ts';

export type PolicyTestFile = {
  readonly file: string;
  readonly test: ParsedPolicyTest;
  readonly loaded: LoadedConfig;
  /** Where the case at an index stands. */
  placeOf(index: number): Place;
};

export type PolicyTestOptions = {
  readonly env: Environment;
  /** For files that bring no servers and policies of their own. */
  readonly config?: string;
};

export function loadPolicyTest(
  file: string,
  { env, config }: PolicyTestOptions,
): Result<PolicyTestFile, readonly ConfigProblem[]> {
  const text = readText(file);
  if (!text.ok) return err([{ file, line: 0, column: 0, path: '', message: text.error }]);
  const document = parseConfigDocument(text.value);
  if (document.faults.length > 0) {
    return err(document.faults.map(({ place, message }) => ({ file, ...place, path: '', message })));
  }
  const context = { file, document, base: [], schema: policyTestSchema };
  const parsed = policyTestSchema.safeParse(document.value ?? {});
  if (!parsed.success) return err(explainIssues(parsed.error.issues, context));
  const test = parsed.data;
  const isWhole = test.policies !== undefined || test.servers !== undefined;
  const named = test.config === undefined ? config : path.resolve(path.dirname(file), test.config);
  if (!isWhole && named === undefined) {
    const message = 'names no policies: write policies and servers, or config, or type -c sallyport.yaml.';
    return err([{ file, line: 1, column: 1, path: '', message }]);
  }
  const loaded = isWhole || named === undefined ? loadConfig(file, { env, reshape }) : loadConfig(named, { env });
  if (!loaded.ok) return err(loaded.error);
  // A server that is left out would only make cases fail for another reason.
  const problems = loaded.value.problems.filter((problem) => isFatal(problem) || isWhole);
  if (problems.length > 0) return err(problems);
  return ok({ file, test, loaded: loaded.value, placeOf: (index) => document.place(['cases', index]) });
}

/** Never called: where a server would be is no matter for its policies. */
const NOWHERE = 'http://127.0.0.1:9';

function reshape(value: unknown): unknown {
  const { policies, servers } = isRecord(value) ? value : {};
  const reachable = Object.entries(isRecord(servers) ? servers : {}).map(([id, server]) => {
    const settings = isRecord(server) ? server : {};
    return [id, 'url' in settings || 'command' in settings ? settings : { ...settings, url: NOWHERE }];
  });
  return { ...(policies === undefined ? {} : { policies }), servers: Object.fromEntries(reachable) };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
