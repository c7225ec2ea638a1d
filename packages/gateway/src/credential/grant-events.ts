/** What the record is told of grants: whose, for what, until when. Never a token, nor anything made from one. */

import type { ChangeEvent } from '../model/event.ts';
import type { Grant, GrantKey } from './grant.ts';

export type GrantChange = 'obtain' | 'renew' | 'refuse' | 'revoke';

const ACTIVITIES: Readonly<Record<GrantChange, ChangeEvent['activity']>> = {
  obtain: 'create',
  renew: 'update',
  refuse: 'update',
  revoke: 'delete',
};

export type GrantChangeFacts = {
  readonly by: string;
  readonly grant?: Pick<Grant, 'issuer' | 'scopes' | 'expiresAtMs'>;
  /** The issuer's own word, or what it did. */
  readonly why?: string;
};

export function grantChanged(change: GrantChange, key: GrantKey, { by, grant, why }: GrantChangeFacts): ChangeEvent {
  const { tenant, principal, server } = key;
  return {
    kind: 'change',
    operation: `credentials/${change}`,
    activity: ACTIVITIES[change],
    entity: { type: 'grant', name: `${principal} at ${server}` },
    by,
    tenant,
    ...(change === 'refuse' ? { refused: [why ?? 'refused'] } : {}),
    facts: {
      server,
      principal,
      ...(grant === undefined ? {} : { issuer: grant.issuer, scopes: [...grant.scopes] }),
      ...(grant?.expiresAtMs === undefined ? {} : { expires: new Date(grant.expiresAtMs).toISOString() }),
      ...(why === undefined ? {} : { why }),
    },
  };
}
