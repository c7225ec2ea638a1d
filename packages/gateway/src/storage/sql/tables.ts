/**
 * The tables as Kysely sees them: one type for every database. Times are milliseconds since the epoch. What is looked up by
 * is a column; the rest of an approval is one sealed text.
 */

import type { ApprovalStatus } from '../../authz/approval.ts';

export type ApiKeyTable = {
  id: string;
  tenant: string;
  name: string;
  hash: string;
  hint: string;
  /** A JSON list of texts. */
  group_names: string;
  created_at_ms: number;
  expires_at_ms: number | null;
  revoked_at_ms: number | null;
  last_used_at_ms: number | null;
};

/** Who changed what with the command line: the audit file belongs to the running gateway, which takes these over. */
export type KeyEventTable = {
  id: string;
  at_ms: number;
  actor: string;
  action: string;
  tenant: string;
  name: string;
  /** Until when a gateway is about to record it. */
  claimed_until_ms: number | null;
  recorded_at_ms: number | null;
};

export type ApprovalTable = {
  id: string;
  tenant: string;
  /** Unique while the approval is open for its binding; null from then on. */
  open_binding: string | null;
  status: ApprovalStatus;
  /** The approval itself, sealed: arguments, people, needs and decisions. */
  content: string;
  /** Counts the changes of `content`: a change is written only over the version that it was made from. */
  version: number;
  created_at_ms: number;
  expires_at_ms: number;
  used_at_ms: number | null;
};

/** Redacted arguments and results of one call. */
export type AuditBodyTable = {
  request_id: string;
  tenant: string;
  /** Everything else, sealed: whose call it was, salt and bodies. */
  content: string;
  expires_at_ms: number;
};

/** A legacy session that was ended before its id expired. */
export type EndedSessionTable = {
  nonce: string;
  at_ms: number;
  until_ms: number;
};

/** One line of the audit record, and what it is looked for by. */
export type AuditRecordTable = {
  uid: string;
  authority: string;
  chain: string;
  sequence: number;
  time_ms: number;
  class: string;
  event: string;
  tenant: string;
  who: string;
  client: string;
  client_id: string;
  kind: string;
  server: string;
  target: string;
  decision: string;
  outcome: string;
  result: string;
  request_id: string;
  run_id: string;
  /** 1 for an intent whose outcome is there, too. */
  is_closed: number;
  line: string;
};

/** How far each audit file is indexed. */
export type AuditPositionTable = {
  source: string;
  sequence: number;
  uid: string;
  first_in_file: number;
  at_byte: number;
  missed: number;
};

/** What a person's consent gave: everything that opens something is in `content`, encrypted under a data key of its own. */
export type GrantTable = {
  /** A digest of tenant, principal and server. */
  id: string;
  tenant: string;
  principal: string;
  server: string;
  version: number;
  /** Which key wraps the data key. */
  key_id: string;
  wrapped_key: string;
  content: string;
  /** A JSON list of texts. */
  scopes: string;
  obtained_at_ms: number;
  written_at_ms: number;
  expires_at_ms: number | null;
  refused_at_ms: number | null;
  last_used_at_ms: number | null;
  failed_at_ms: number | null;
  failure: string | null;
  lease_holder: string | null;
  lease_until_ms: number | null;
};

/** What was revoked: one row for each time, with what it was about. */
export type GrantRemovalTable = {
  id: string;
  at_ms: number;
  tenant: string | null;
  principal: string | null;
  server: string | null;
};

export type Tables = {
  api_keys: ApiKeyTable;
  key_events: KeyEventTable;
  approvals: ApprovalTable;
  audit_bodies: AuditBodyTable;
  ended_sessions: EndedSessionTable;
  grants: GrantTable;
  grant_removals: GrantRemovalTable;
  audit_records: AuditRecordTable;
  audit_positions: AuditPositionTable;
};
