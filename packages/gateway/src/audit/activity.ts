/** What the record makes of an operation: its OCSF activity, what is digested, whether its intent must be durable first. */

import type { AdministrativeAct } from '../model/administration.ts';
import type { JsonObject } from '../model/json.ts';
import type { Operation, OperationKind } from '../model/operation.ts';
import type { Entry } from '../model/target.ts';

/** OCSF API Activity, `activity_id`. We cannot know whether a tool creates, updates or deletes: that is `other`. */
export const ACTIVITY = { read: 2, other: 99 } as const;

/** Reads by the protocol's own definition. Prompts and resources run a server's code: there the operator's word decides. */
const ALWAYS_READ: Readonly<Record<Exclude<OperationKind, 'administer'>, boolean>> = {
  discover: true,
  ping: true,
  list: true,
  listen: true,
  subscribe: true,
  unsubscribe: true,
  'complete-argument': true,
  notify: true,
  'end-session': true,
  'set-log-level': true,
  'call-tool': false,
  'get-prompt': false,
  'read-resource': false,
  task: false,
  extension: false,
};

/** Everything that is not a read is recorded durably before it leaves. */
export function isReadOnly(operation: Operation, entry: Entry | undefined): boolean {
  if (operation.kind === 'task') return operation.verb === 'get';
  if (operation.kind === 'administer') return !mustBeKnownFirst(operation.act);
  return ALWAYS_READ[operation.kind] || (entry?.traits.readOnly ?? false);
}

/** A decision changes what happens; and whoever reads what others said is on record before they have read it. */
function mustBeKnownFirst(act: AdministrativeAct): boolean {
  const { name } = act.name === 'readAllTenants' ? act.of : act;
  return name === 'decideApproval' || name === 'readAuditBodies' || name === 'revokeCredentials';
}

/** What is digested: the part of the request that says what exactly was asked for. */
export function argumentsOf(operation: Operation): JsonObject | undefined {
  if ('arguments' in operation) return operation.arguments;
  if ('params' in operation) return operation.params;
  if ('argument' in operation) return operation.argument;
  return undefined;
}
