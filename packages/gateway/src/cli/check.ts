/** `sallyport check`: is the configuration right, without starting anything. */

import { describeProblem } from '../authz/policy-problem.ts';
import { loadConfig } from '../config/load.ts';
import type { LoadedConfig } from '../config/load.ts';
import { formatProblem, isFatal } from '../config/problem.ts';
import type { ConfigProblem } from '../config/problem.ts';
import { authorizerOf } from '../composition/policy.ts';
import { patternProblems } from '../composition/redaction.ts';
import { CommandError } from './command.ts';
import { consentWarnings } from './consent-warnings.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import { privilegeWarnings } from './least-privilege.ts';
import type { ExitCode } from './exit-code.ts';
import { describePolicyProblems } from './policy-problems.ts';

export type CheckOptions = { readonly config: string };

export function check({ terminal, env }: CommandContext, { config: file }: CheckOptions): ExitCode {
  const loaded = loadConfig(file, { env });
  const problems = loaded.ok ? loaded.value.problems : loaded.error;
  for (const problem of problems) terminal.out(describe(problem));
  if (!loaded.ok) {
    terminal.err(`${file} cannot be used: ${count(problems.length, 'problem')}.`);
    return EXIT.failed;
  }
  const made = authorizerOf(loaded.value.config);
  const policyProblems = made.ok ? [] : made.error;
  if (!made.ok) terminal.out(describePolicyProblems(made.error, loaded.value.config, terminal));
  if (made.ok) for (const warning of made.value.warnings) terminal.out(`warning: ${describeProblem(warning)}`);
  const unusable = patternProblems(loaded.value.config.redaction);
  for (const problem of unusable) terminal.out(problem);
  for (const missing of missingVariables(loaded.value)) terminal.out(missing);
  for (const warning of [...privilegeWarnings(loaded.value), ...consentWarnings(loaded.value.config)])
    terminal.out(`warning: ${warning}`);
  const { servers, disabledServers, policies } = loaded.value.config;
  const found = problems.length + policyProblems.length + unusable.length;
  terminal.out(
    `${file}: ${count(servers.length, 'server')}, ${count(policies.length, 'policy file')}` +
      `${disabledServers.length === 0 ? '' : `, ${count(disabledServers.length, 'server')} disabled`}. ` +
      (found === 0 ? terminal.green('No problem found.') : terminal.red(`${count(found, 'problem')}.`)),
  );
  return found === 0 ? EXIT.done : EXIT.failed;
}

/** The configuration of a command that cannot work without one. Problems that keep nothing else from working are shown. */
export function requireConfig(
  { terminal, env }: CommandContext,
  file: string,
  overrides: { readonly listen?: string; readonly operations?: string } = {},
): LoadedConfig {
  const loaded = loadConfig(file, { env, overrides });
  if (loaded.ok) {
    for (const problem of loaded.value.problems) terminal.err(describe(problem));
    return loaded.value;
  }
  throw new CommandError(
    loaded.error.map(describe).join('\n'),
    EXIT.failed,
    `Mend ${file} and try again. It is explained in docs/configuration.md.`,
  );
}

function describe(problem: ConfigProblem): string {
  const text = formatProblem(problem);
  if (isFatal(problem)) return text;
  return problem.server === undefined ? text : `${text}\n    The server "${problem.server}" is disabled until then.`;
}

/** References that would fail now: said, but no problem of the file, which may be checked on another machine. */
function missingVariables({ config, env }: LoadedConfig): string[] {
  const isMissing = (name: string): boolean => (env[name] ?? '') === '';
  const { storage } = config;
  const ofStorage =
    storage.kind === 'reference' && storage.source.kind === 'env' && isMissing(storage.source.name)
      ? [`note: ${storage.source.name} is not set in this environment; storage.url needs it.`]
      : [];
  const ofServers = config.servers.flatMap(({ id, transport }) => {
    const values = Object.values(transport.kind === 'http' ? transport.headers : transport.env);
    return values.flatMap((value) =>
      value.kind === 'env' && isMissing(value.name)
        ? [`note: ${value.name} is not set in this environment; the server "${id}" needs it.`]
        : [],
    );
  });
  return [...ofStorage, ...ofServers];
}

const count = (number: number, noun: string): string =>
  `${number} ${number === 1 ? noun : noun.endsWith('y') ? `${noun.slice(0, -1)}ies` : `${noun}s`}`;
