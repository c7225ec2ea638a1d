/** Who may do what: the authorizer that a configuration asks for. The running gateway has one, the command line makes another. */

import { hash } from 'node:crypto';
import { setImmediate as yieldNow } from 'node:timers/promises';

import { loadSqlParser } from '../authz/argument-kinds/sql-parsers.ts';
import { createAuthorizer, type CedarAuthorizer } from '../authz/cedar-authorizer.ts';
import { describeProblem, type PolicyProblem } from '../authz/policy-problem.ts';
import type { Config } from '../config/config.ts';
import type { Result } from '../model/result.ts';
import type { Logger } from '../telemetry/logger.ts';

/** The policies cannot be used; nothing was started. */
export class PolicyError extends Error {
  readonly problems: readonly PolicyProblem[];

  constructor(problems: readonly PolicyProblem[]) {
    super(`The policies cannot be used:\n${problems.map(describeProblem).join('\n')}`);
    this.name = 'PolicyError';
    this.problems = problems;
  }
}

/**
 * The authorizer that the configuration asks for; the command line asks it too.
 *
 * @param clock Milliseconds since the epoch: `context.now`.
 */
export function authorizerOf(
  config: Pick<Config, 'policies' | 'servers'>,
  clock: () => number = Date.now,
): Result<CedarAuthorizer, readonly PolicyProblem[]> {
  return createAuthorizer({
    policies: config.policies.map(({ name, text }) => ({ file: name, text })),
    shorthand: config.servers.map(({ id, allow }) => ({ server: id, rules: allow })),
    clock,
    monotonic: () => performance.now(),
    yieldNow: () => yieldNow(),
    digest: (text) => hash('sha256', text),
  });
}

export function logWarnings({ warnings }: CedarAuthorizer, logger: Logger): void {
  for (const warning of warnings) logger.warn({}, describeProblem(warning));
}

/** The SQL parsers that the configuration's arguments are declared for: judging arguments does not wait. */
export async function loadArgumentParsers(config: Config): Promise<void> {
  const kinds = config.servers.flatMap(({ traits }) => traits.flatMap(({ declared = [] }) => declared));
  const dialects = new Set(kinds.flatMap(({ kind }) => (kind.kind === 'sql' ? [kind.dialect] : [])));
  await Promise.all([...dialects].map(loadSqlParser));
}

/** @throws PolicyError */
export function unwrapPolicies(made: Result<CedarAuthorizer, readonly PolicyProblem[]>): CedarAuthorizer {
  if (!made.ok) throw new PolicyError(made.error);
  return made.value;
}
