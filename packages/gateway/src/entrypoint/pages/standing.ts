/**
 * Where an approval stands for whoever looks at it, so that the page can say what can be done. Only for the page: the rules
 * behind `authz/approvals.ts` judge each decision again, whatever was shown.
 */

import type { Approval, ApprovalNeed } from '../../authz/approval.ts';
import type { Principal } from '../../model/principal.ts';
import { statusOf } from '../api/approval-json.ts';

export type Standing =
  /** It waits for this person's word. */
  | { readonly kind: 'yours'; readonly need: ApprovalNeed }
  /** Somebody else's word is wanted, and this person asked for the call. */
  | { readonly kind: 'own-request' }
  /** Some needs are met; it waits for others. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'approved' | 'declined' | 'used' | 'expired' };

export function standingOf(approval: Approval, viewer: Principal, nowMs: number): Standing {
  const status = statusOf(approval, nowMs);
  if (status !== 'pending') return { kind: status };
  const asked = approval.requester === viewer.key;
  const open = approval.needs.filter(({ decision }) => decision === undefined);
  const need = open.find(({ by }) => (by.kind === 'caller' ? asked : !asked && viewer.groups.includes(by.group)));
  if (need !== undefined) return { kind: 'yours', need };
  return { kind: asked && open.length > 0 && approval.needs.length === open.length ? 'own-request' : 'waiting' };
}
