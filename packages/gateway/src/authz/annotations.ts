/** What a policy says about itself: `@id`, `@approval`, `@mode`, `@description`. Their names are checked in `policy-words.ts`. */

import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { Approver } from '../model/decision.ts';
import { parseApprover } from './approver.ts';

/** `observe`: it decides nothing, and what it would have done is told. */
export type PolicyMode = 'enforce' | 'observe';

export type Annotated = {
  readonly mode: PolicyMode;
  /** Who must approve. */
  readonly approval?: Approver;
  /** What a person who has to approve is told. */
  readonly description?: string;
};

export type ReadAnnotations = { readonly annotated: Annotated; readonly faults: readonly string[] };

export function readAnnotations({ annotations, effect }: PolicyJson): ReadAnnotations {
  // An annotation without a value has null here, whatever the type says.
  const approval: string | null | undefined = annotations?.approval;
  const mode: string | null | undefined = annotations?.mode;
  const description: string | null | undefined = annotations?.description;
  const approver = typeof approval === 'string' ? parseApprover(approval) : undefined;
  const faults: string[] = [];
  if (approval !== undefined && effect === 'forbid')
    faults.push('@approval belongs on a permit: a forbid cannot be approved');
  if (approval !== undefined && approver === undefined)
    faults.push('@approval must say who approves: @approval("caller") or @approval("group:dba")');
  // A misspelt mode must neither enforce what was to be tried out, nor let through what was to be enforced.
  if (mode !== undefined && mode !== 'observe')
    faults.push('@mode knows @mode("observe") only; leave it out to enforce the policy');
  return {
    annotated: {
      mode: mode === 'observe' ? 'observe' : 'enforce',
      ...(approver === undefined ? {} : { approval: approver }),
      ...(typeof description === 'string' && description !== '' ? { description } : {}),
    },
    faults,
  };
}
