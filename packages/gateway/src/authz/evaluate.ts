/**
 * Questions to Cedar and their answers as verdicts. Default deny, forbid wins, and any evaluation error is a deny: Cedar
 * itself skips a policy that errors, so that a `forbid` on a missing attribute would forbid nothing.
 */

import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { EntityJson, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { approverText, type Grounds, type Obligation } from '../model/decision.ts';
import type { CedarRecord } from './cedar-values.ts';
import type { Subject } from './entities.ts';
import type { Policy } from './policy-set.ts';
import { preparedSet } from './prepared-sets.ts';
import type { ActionName } from './vocabulary.ts';

/** What came out, before a permit is minted from it. */
export type Verdict = {
  readonly allowed: boolean;
  readonly grounds: Grounds;
  readonly obligations: readonly Obligation[];
};

/** The policies whose scope covers a question. */
export type Slice = {
  readonly key: string;
  readonly policies: readonly Policy[];
  readonly byId: ReadonlyMap<string, Policy>;
  readonly policyVersion: string;
  /** The union of what its policies read. */
  readonly reads: Policy['reads'];
};

export type Question = {
  readonly principal: Subject;
  readonly action: ActionName;
  readonly resource: Subject;
  readonly slice: Slice;
  /** Both sides and those above them, with the attributes that the slice reads and no others: each costs the engine time. */
  readonly entities: EntityJson[];
};

export function questionOf(principal: Subject, action: ActionName, resource: Subject, slice: Slice): Question {
  const entities = [...principal.entities, ...resource.entities].map(({ uid, attrs, parents }): EntityJson => {
    const read = Object.entries(attrs).filter(([name]) => slice.reads.attributes.has(name));
    return { uid, attrs: Object.fromEntries(read), parents };
  });
  return { principal, action, resource, slice, entities };
}

const MAX_ERRORS = 8;
const NO_OBLIGATIONS: readonly Obligation[] = Object.freeze([]);

/** The full answer. */
export function evaluate(question: Question, context: CedarRecord): Verdict {
  const { slice } = question;
  // Nothing permits when no policy applies: the engine need not be asked.
  if (!slice.policies.some(isPermit)) return denied(slice, [], []);
  const answer = ask(question, context, preparation(slice, 'full'));
  if (typeof answer === 'string') return denied(slice, [], [answer]);
  const { decision, diagnostics } = answer;
  if (diagnostics.errors.length > 0) return errored(slice, diagnostics.errors);
  return decision === 'allow' ? allowed(slice, diagnostics.reason) : denied(slice, diagnostics.reason, []);
}

/**
 * The answer while the arguments are unknown: allowed unless it is certain that no arguments make it so. Permits that read
 * arguments stand in their optimistic form (`optimistic.ts`), forbids that read them are left out: either may go either
 * way. What it lets through is only shown; every call is then judged by `evaluate`.
 */
export function evaluateOptimistically(question: Question, context: CedarRecord): Verdict {
  const { slice } = question;
  if (!slice.reads.arguments) return evaluate(question, context);
  if (!slice.policies.some(isPermit)) return denied(slice, [], []);
  const answer = ask(question, context, preparation(slice, 'optimistic'));
  if (typeof answer === 'string') return denied(slice, [], [answer]);
  const { decision, diagnostics } = answer;
  // An optimistic form that errors says of its policy only that it cannot be satisfied.
  const certain = diagnostics.errors.filter(({ policyId }) => slice.byId.get(policyId)?.reads.arguments !== true);
  if (certain.length > 0) return errored(slice, certain);
  return decision === 'allow' ? allowed(slice, diagnostics.reason) : denied(slice, diagnostics.reason, []);
}

const isPermit = ({ effect }: Policy): boolean => effect === 'permit';

type Preparation = { readonly key: string; readonly policies: Readonly<Record<string, string | PolicyJson>> };

function preparation(slice: Slice, form: 'full' | 'optimistic'): Preparation {
  const chosen =
    form === 'full' ? slice.policies : slice.policies.filter((policy) => !policy.reads.arguments || isPermit(policy));
  return {
    key: `${slice.key}/${form}`,
    policies: Object.fromEntries(
      chosen.map((policy) => [policy.id, form === 'full' ? policy.text : (policy.optimistic ?? policy.text)]),
    ),
  };
}

/** The engine's response, or why there is none. */
function ask(question: Question, context: CedarRecord, { key, policies }: Preparation): cedar.Response | string {
  const { principal, action, resource, slice, entities } = question;
  try {
    const answer = cedar.statefulIsAuthorized({
      principal: principal.uid,
      action: { type: 'Action', id: action },
      resource: resource.uid,
      entities,
      context,
      preparsedPolicySetId: preparedSet(key, policies),
    });
    return answer.type === 'success'
      ? answer.response
      : `The question was refused: ${quiet(firstMessage(answer.errors), slice)}`;
  } catch (error) {
    return `The engine failed: ${error instanceof Error ? quiet(error.message, slice) : 'no reason given'}`;
  }
}

function allowed(slice: Slice, policies: readonly string[]): Verdict {
  return {
    allowed: true,
    grounds: { policies: [...policies].sort(), policyVersion: slice.policyVersion, errors: [] },
    obligations: obligationsOf(slice, policies),
  };
}

/** Of all determining permits: one that demands nothing does not lift what another demands. One for each approver. */
function obligationsOf(slice: Slice, policies: readonly string[]): readonly Obligation[] {
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

export function denied(
  slice: Pick<Slice, 'policyVersion'>,
  policies: readonly string[],
  errors: readonly string[],
): Verdict {
  return {
    allowed: false,
    grounds: {
      policies: [...policies].sort(),
      policyVersion: slice.policyVersion,
      errors: errors.slice(0, MAX_ERRORS),
    },
    obligations: NO_OBLIGATIONS,
  };
}

const errored = (slice: Slice, errors: readonly cedar.AuthorizationError[]): Verdict =>
  denied(
    slice,
    errors.map(({ policyId }) => policyId),
    errors.map(({ policyId, error }) => `${policyId}: ${quiet(error.message, slice)}`),
  );

/** Cedar quotes values in backticks. Arguments can be secrets, so nothing quoted is told when policies read them. */
const quiet = (message: string, slice: Slice): string =>
  slice.reads.arguments ? message.replace(/`.*`/s, '`…`') : message;

const firstMessage = (errors: readonly { readonly message: string }[]): string =>
  errors[0]?.message ?? 'no reason given';
