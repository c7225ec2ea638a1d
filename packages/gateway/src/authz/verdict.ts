/** What came out of a question, and what it means: grounds, obligations, and what observed policies would have changed. */

import type { AuthorizationError } from '@cedar-policy/cedar-wasm/nodejs';
import { approverText, type Grounds, type Obligation, type Observed } from '../model/decision.ts';
import type { Slice } from './slices.ts';

/** Before a permit is minted from it. */
export type Verdict = {
  readonly allowed: boolean;
  readonly grounds: Grounds;
  readonly obligations: readonly Obligation[];
};

const MAX_ERRORS = 8;
const MAX_WITHHELD = 8;
const NO_OBLIGATIONS: readonly Obligation[] = Object.freeze([]);

export function allowed(slice: Slice, policies: readonly string[]): Verdict {
  return {
    allowed: true,
    grounds: { policies: [...policies].sort(), policyVersion: slice.policyVersion, errors: [] },
    obligations: obligationsOf(slice, policies),
  };
}

/**
 * Of all determining permits: one that demands nothing does not lift what another demands. One for each approver. Except
 * beside our own permits, which are for administrative acts alone: an approval to give an approval has no end.
 */
function obligationsOf(slice: Slice, policies: readonly string[]): readonly Obligation[] {
  if (policies.some((id) => slice.byId.get(id)?.builtIn === true)) return NO_OBLIGATIONS;
  const demanded = new Map<string, Obligation>();
  for (const id of [...policies].sort()) {
    const policy = slice.byId.get(id);
    if (policy?.approval === undefined) continue;
    const key = approverText(policy.approval);
    if (demanded.has(key)) continue;
    const { description } = policy;
    const told = description === undefined ? {} : { description };
    demanded.set(key, { kind: 'approval', by: policy.approval, policy: id, ...told });
  }
  return demanded.size === 0 ? NO_OBLIGATIONS : [...demanded.values()];
}

type Basis = Pick<Slice, 'policyVersion' | 'withheld'>;

export function denied(
  { policyVersion, withheld }: Basis,
  policies: readonly string[],
  errors: readonly string[],
): Verdict {
  return {
    allowed: false,
    grounds: {
      policies: [...policies].sort(),
      policyVersion,
      errors: errors.slice(0, MAX_ERRORS),
      ...(withheld.length === 0 ? {} : { withheld: withheld.slice(0, MAX_WITHHELD) }),
    },
    obligations: NO_OBLIGATIONS,
  };
}

export const errored = (slice: Slice, errors: readonly AuthorizationError[]): Verdict =>
  denied(
    slice,
    errors.map(({ policyId }) => policyId),
    errors.map(({ policyId, error }) => `${policyId}: ${quiet(error.message, slice)}`),
  );

/** Cedar quotes values in backticks. Arguments can be secrets, so nothing quoted is told when policies read them. */
export const quiet = (message: string, slice: Slice): string =>
  slice.reads.arguments ? message.replace(/`.*`/s, '`…`') : message;

/**
 * The verdict, with what the trial (the same question to the same policies and the observed ones) would have changed. Told
 * are outcome and approvals: that another policy would have decided the same way is no news.
 */
export function withTrial(verdict: Verdict, trial: Verdict, slice: Slice): Verdict {
  const asked = new Set(verdict.obligations.map(({ by }) => approverText(by)));
  const approvals = trial.obligations.map(({ by }) => approverText(by)).filter((by) => !asked.has(by));
  if (trial.allowed === verdict.allowed && approvals.length === 0) return verdict;
  const observed: Observed = {
    effect: trial.allowed ? 'allow' : 'deny',
    policies: trial.grounds.policies.filter((id) => slice.byId.get(id)?.mode === 'observe'),
    approvals,
  };
  return { ...verdict, grounds: { ...verdict.grounds, observed } };
}
