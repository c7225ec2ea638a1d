/**
 * What stands behind a decision: each policy that covers the question with whether it was satisfied, and, where nothing
 * allows, what would. The engine answers all of it: each policy is asked alone, and the caller is asked for again with one
 * group more.
 */

import type { Caller } from '../authz/authorizer.ts';
import type { CedarAuthorizer, Explanation } from '../authz/cedar-authorizer.ts';
import { authorizerOf } from '../composition/policy.ts';
import type { Config } from '../config/config.ts';
import type { Asking, PolicyQuestion, Ruling } from './policy-question.ts';

type Applicable = Explanation['applicable'][number];

export type Evidence = Pick<Applicable, 'id' | 'effect' | 'mode' | 'source' | 'line' | 'text'> & {
  /** `depends`: on the arguments, which are not known. */
  readonly outcome: 'satisfied' | 'not satisfied' | 'depends' | 'error';
  readonly error?: string;
};

/** Every policy whose scope covers the question, those that matter first. */
export function gatherEvidence(
  applicable: readonly Applicable[],
  question: PolicyQuestion,
  clock: () => number,
): readonly Evidence[] {
  const rank = ({ outcome }: Evidence): number => ORDER.indexOf(outcome);
  return applicable
    .map((policy): Evidence => {
      const { id, effect, mode, source, line, text } = policy;
      return { id, effect, mode, source, line, text, ...judgedAlone(policy, question, clock) };
    })
    .toSorted((one, other) => rank(one) - rank(other));
}

const ORDER: readonly Evidence['outcome'][] = ['error', 'satisfied', 'depends', 'not satisfied'];

const ALONE = 'asked-alone';
const EVERYTHING = 'everything';

function judgedAlone(
  { text, effect, reads }: Applicable,
  { caller, entry, args }: PolicyQuestion,
  clock: () => number,
): Pick<Evidence, 'outcome' | 'error'> {
  if (args === undefined && reads.arguments) return { outcome: 'depends' };
  const policies = [
    { name: `${ALONE}.cedar`, text: unnamed(text) },
    // A forbid is asked about only where something permits.
    ...(effect === 'forbid' ? [{ name: `${EVERYTHING}.cedar`, text: 'permit (principal, action, resource);' }] : []),
  ];
  const made = authorizerOf({ policies, servers: [] }, clock);
  if (!made.ok) return { outcome: 'error', error: made.error.map(({ message }) => message).join('; ') };
  const { grounds } = made.value.explain(caller, entry, args);
  const [error] = grounds.errors;
  if (error !== undefined) return { outcome: 'error', error: error.replace(`${ALONE}: `, '') };
  const named = [...grounds.policies, ...(grounds.withheld ?? [])];
  return { outcome: named.includes(ALONE) ? 'satisfied' : 'not satisfied' };
}

/** Under the name of its file, and enforced whatever its mode: whether it is satisfied is asked, not what follows. */
const unnamed = (text: string): string => text.replaceAll(/@(?:id|mode)\s*\(\s*"(?:[^"\\]|\\.)*"\s*\)/g, '');

/** What one group more would change. */
export type NearMiss = { readonly group: string; readonly policies: readonly string[] };

/** Groups beyond these are not tried. */
const MAX_GROUPS = 200;

/** Groups that would let the caller through, with the policies that would do it. */
export async function nearMisses(
  config: Pick<Config, 'policies' | 'servers'>,
  authorizer: CedarAuthorizer,
  question: PolicyQuestion,
  asking: Asking,
): Promise<readonly NearMiss[]> {
  const { principal, client } = question.caller;
  const found: NearMiss[] = [];
  for (const group of groupsOf(config).slice(0, MAX_GROUPS)) {
    if (principal.groups.includes(group)) continue;
    const caller: Caller = { client, principal: { ...principal, groups: [...principal.groups, group] } };
    const ruling = await asking.ask(authorizer, { ...question, caller });
    if (isOpen(ruling)) found.push({ group, policies: ruling.grounds.policies });
  }
  return found;
}

export const isOpen = ({ effect }: Ruling): boolean =>
  effect === 'allow' || effect === 'approval' || effect === 'listed';

function groupsOf({ policies, servers }: Pick<Config, 'policies' | 'servers'>): readonly string[] {
  const allowed = servers.flatMap(({ allow }) => allow.flatMap(({ who }) => (who.kind === 'group' ? [who.name] : [])));
  const named = policies.flatMap(({ text }) =>
    [...text.matchAll(/\bGroup::"((?:[^"\\]|\\.)*)"/g)].map(([, name]) => name ?? ''),
  );
  return [...new Set([...allowed, ...named])];
}
