/** The policies of a configuration, asked without a running gateway: for `check` and `tools --as`. */

import { hash } from 'node:crypto';
import { setImmediate as yieldNow } from 'node:timers/promises';

import { createAuthorizer } from '../authz/cedar-authorizer.ts';
import type { CedarAuthorizer } from '../authz/cedar-authorizer.ts';
import { describeProblem } from '../authz/policy-problem.ts';
import type { PolicyProblem } from '../authz/policy-problem.ts';
import type { Config } from '../config/config.ts';
import type { Result } from '../model/result.ts';

/** The authorizer that the gateway would decide with. */
export function authorizerOf(config: Config): Result<CedarAuthorizer, readonly PolicyProblem[]> {
  return createAuthorizer({
    policies: config.policies.map(({ name, text }) => ({ file: name, text })),
    shorthand: config.servers.map(({ id, allow }) => ({ server: id, rules: allow })),
    clock: Date.now,
    monotonic: () => performance.now(),
    yieldNow,
    digest: (text) => hash('sha256', text),
  });
}

/** What is wrong with the policies, a line each. */
export function checkPolicies(config: Config): readonly string[] {
  const authorizer = authorizerOf(config);
  return authorizer.ok ? [] : authorizer.error.map(describeProblem);
}
