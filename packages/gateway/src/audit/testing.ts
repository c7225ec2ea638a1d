/** Requests, principals and disks for the tests of this folder. */

import type { Permit } from '../model/decision.ts';
import type { JsonObject } from '../model/json.ts';
import { somebody } from '../model/principal.fixture.ts';
import type { ApprovedRequest, InboundRequest } from '../model/request.ts';
import { UNKNOWN_TRAITS, type ToolEntry } from '../model/target.ts';
import type { AuditEvent } from './audit-log.ts';

export const alice = somebody('alice', { groups: ['engineering'], claims: { email: 'alice@example.com' } });

export function tool(name: string, readOnly: boolean): ToolEntry {
  return {
    kind: 'tool',
    server: { id: 'files', version: 'v1', owner: 'platform', sharing: 'shared' },
    name,
    aggregateName: `files_${name}`,
    definition: {},
    text: '{}',
    hash: 'ab'.repeat(32),
    traits: { ...UNKNOWN_TRAITS, readOnly },
    inputSchema: {},
  };
}

export const GROUNDS = { policies: ['files.allow[0]'], policyVersion: 'p1', errors: [] } as const;

type RequestFacts = {
  readonly id?: string;
  readonly args?: JsonObject;
  readonly name?: string;
  readonly receivedAtMs?: number;
};

export function inbound({
  id = 'r-1',
  args = { path: 'a.txt' },
  name = 'tool',
  receivedAtMs = 1_790_000_000_000,
}: RequestFacts = {}): Omit<InboundRequest, 'presented'> {
  return {
    id,
    receivedAtMs,
    startedMs: 0,
    endpoint: { kind: 'server', server: 'files' },
    client: { era: 'modern', revision: '2026-07-28', capabilities: {}, address: '127.0.0.1' },
    operation: { kind: 'call-tool', name, arguments: args },
    meta: { vendor: {} },
    sealedFor: [],
  };
}

export function outcome(id: string, more: Partial<AuditEvent> = {}): AuditEvent {
  return {
    request: inbound({ id }),
    outcome: 'ok',
    durationMs: 2,
    principal: alice,
    entry: tool('read', true),
    ...more,
  };
}

/** A permit cannot be made outside `authz`; a test of the record needs one all the same. */
export function authorized(id: string, readOnly: boolean, args?: JsonObject): ApprovedRequest {
  const { operation, ...rest } = inbound({ id, ...(args && { args }) });
  const target = { endpoint: rest.endpoint, entries: [tool('write', readOnly)] as const };
  const look = { principal: alice, operation, target, obligations: [], grounds: GROUNDS };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { ...rest, principal: alice, permit: look as unknown as Permit, approval: undefined };
}
