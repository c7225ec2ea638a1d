/**
 * Which policies can matter to a question at all, by their scope (`principal`, `action`, `resource`) alone. The engine sees
 * only those: a thousand policies about other servers cost a call nothing. Exact for the entities we build, because the
 * lineage of both sides is known here.
 */

import type { EntityUidJson, PolicyJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import { uidText, type Subject } from './entities.ts';
import type { Policy } from './policy-set.ts';
import type { ActionName } from './vocabulary.ts';

export type Applicable = {
  /** Those that speak of everything first, then by principal, then by resource: so the longest common part stands in front. */
  readonly policies: readonly Policy[];
  /** Permits that would cover the question, were it not asked by a workload alone. */
  readonly withheld: readonly Policy[];
};

export type ScopeIndex = {
  applicable(principal: Subject, action: ActionName, resource: Subject): Applicable;
};

/** What a workload alone may do on what the operator did not mark as harmless, by a permit that does not name workloads. */
const OPEN_TO_WORKLOADS: ReadonlySet<ActionName> = new Set(['connect', 'askAccess']);

type Constraint = PolicyJson['principal'] | PolicyJson['resource'];

/** Each policy lies in one drawer: its resource's, else its principal's, else the one that is always opened. */
export function createScopeIndex(policies: readonly Policy[]): ScopeIndex {
  const byResource = new Map<string, Policy[]>();
  const byPrincipal = new Map<string, Policy[]>();
  const always: Policy[] = [];
  for (const policy of policies) {
    const resource = anchorOf(policy.json.resource);
    const principal = anchorOf(policy.json.principal);
    if (resource !== undefined) drawer(byResource, resource).push(policy);
    else if (principal !== undefined) drawer(byPrincipal, principal).push(policy);
    else always.push(policy);
  }
  return {
    applicable(principal, action, resource) {
      const found = [
        always,
        ...[...principal.lineage].map((uid) => byPrincipal.get(uid) ?? []),
        ...[...resource.lineage].map((uid) => byResource.get(uid) ?? []),
      ];
      const covering = found.flatMap((drawn) =>
        drawn.filter(
          ({ json }) =>
            matchesAction(json.action, action) &&
            matches(json.principal, principal) &&
            matches(json.resource, resource),
        ),
      );
      // The second layer is missing, and nobody said that this workload needs none.
      const isBarred = principal.type === 'Workload' && !resource.harmless && !OPEN_TO_WORKLOADS.has(action);
      if (!isBarred) return { policies: covering, withheld: [] };
      const counts = ({ effect, json }: Policy): boolean => effect === 'forbid' || namesWorkloads(json.principal);
      return { policies: covering.filter(counts), withheld: covering.filter((policy) => !counts(policy)) };
    },
  };
}

/** A permit of any tool to anybody, whatever is asked: no scope, no condition, nobody's approval. */
export const permitsEverything = ({ effect, mode, approval, builtIn, json }: Policy): boolean =>
  effect === 'permit' &&
  mode === 'enforce' &&
  approval === undefined &&
  builtIn !== true &&
  json.principal.op === 'All' &&
  json.resource.op === 'All' &&
  json.conditions.length === 0 &&
  matchesAction(json.action, 'callTool');

/** `principal is Workload`, `principal == Workload::"…"`; a group can have anybody in it. */
function namesWorkloads(constraint: Constraint): boolean {
  if (constraint.op === 'is') return constraint.entity_type === 'Workload';
  const entity = entityOf(constraint);
  return entity !== undefined && plainUid(entity).type === 'Workload';
}

function drawer(drawers: Map<string, Policy[]>, uid: string): Policy[] {
  const existing = drawers.get(uid);
  if (existing !== undefined) return existing;
  const created: Policy[] = [];
  drawers.set(uid, created);
  return created;
}

function anchorOf(constraint: Constraint): string | undefined {
  const entity = entityOf(constraint);
  return entity === undefined ? undefined : textOf(entity);
}

function entityOf(constraint: Constraint): EntityUidJson | undefined {
  if (constraint.op === '==' || constraint.op === 'in') return 'entity' in constraint ? constraint.entity : undefined;
  if (constraint.op === 'is' && constraint.in !== undefined && 'entity' in constraint.in) return constraint.in.entity;
  return undefined;
}

const textOf = (uid: EntityUidJson): string => uidText(plainUid(uid));

function plainUid(uid: EntityUidJson): TypeAndId {
  if (!('__entity' in uid)) return uid;
  const { __entity: plain } = uid;
  return plain;
}

function matches(constraint: Constraint, subject: Subject): boolean {
  const anchor = anchorOf(constraint);
  switch (constraint.op) {
    case 'All':
      return true;
    case '==':
      return anchor === uidText(subject.uid);
    case 'in':
      return anchor !== undefined && subject.lineage.has(anchor);
    case 'is':
      return constraint.entity_type === subject.type && (anchor === undefined || subject.lineage.has(anchor));
    default:
      // Refused when it was loaded.
      return false;
  }
}

function matchesAction(constraint: PolicyJson['action'], action: ActionName): boolean {
  const isIt = (uid: EntityUidJson): boolean => plainUid(uid).type === 'Action' && plainUid(uid).id === action;
  switch (constraint.op) {
    case 'All':
      return true;
    case '==':
      return 'entity' in constraint && isIt(constraint.entity);
    case 'in':
      return 'entities' in constraint ? constraint.entities.some(isIt) : isIt(constraint.entity);
    default:
      return false;
  }
}
