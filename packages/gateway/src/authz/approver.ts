/** The value of `@approval`: who has to agree to a call that is otherwise permitted. */

import type { Approver } from '../model/decision.ts';

const CALLER: Approver = { kind: 'caller' };
const GROUP_PREFIX = 'group:';

/** Undefined for anything but `caller` and `group:<name>`. */
export function parseApprover(text: string): Approver | undefined {
  if (text === 'caller') return CALLER;
  const group = text.startsWith(GROUP_PREFIX) ? text.slice(GROUP_PREFIX.length) : '';
  return group === '' ? undefined : { kind: 'group', group };
}
