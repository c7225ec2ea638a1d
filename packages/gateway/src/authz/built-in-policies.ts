/**
 * What holds without an operator's word, as policies like any other: they show in explanations and records, and an
 * operator's `forbid` wins over them. They only open the desk. What somebody may read and decide there is the rules' matter
 * (`approvals.ts`), and asking about others needs a permit of the operator.
 */

import type { PolicyText } from './policy-set.ts';

const onGateway = (action: string): string =>
  `permit (principal, action == Action::"${action}", resource == Gateway::"sallyport");`;

export const BUILT_IN_POLICIES: readonly PolicyText[] = [
  { id: 'builtin.ask-about-yourself', text: onGateway('askAccess'), builtIn: true },
  { id: 'builtin.read-approvals', text: onGateway('readApprovals'), builtIn: true },
  { id: 'builtin.decide-approval', text: onGateway('decideApproval'), builtIn: true },
];
