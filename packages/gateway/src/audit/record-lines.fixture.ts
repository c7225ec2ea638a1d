/** Lines of a record, made as the gateway makes them: a call with its intent, a refusal, a start of the writer. */

import type { Permit } from '../model/decision.ts';
import { principalKey, type Principal } from '../model/principal.ts';
import type { AuditEvent } from './audit-log.ts';
import { createChain } from './chain.ts';
import { lifecycleRecord } from './lifecycle-record.ts';
import { intentRecord, outcomeRecord, recordContext, type Position } from './record.ts';
import { alice, authorized, inbound, tool } from './testing.ts';

export type Told = {
  readonly id: string;
  readonly timeMs: number;
  readonly who?: string;
  readonly tenant?: string;
  readonly tool?: string;
  readonly outcome?: AuditEvent['outcome'];
  /** It named nothing that exists. */
  readonly unresolved?: true;
  readonly more?: Partial<AuditEvent>;
};

export type RecordLines = {
  readonly lines: string[];
  /** Of a call that is not read-only. Its number is what the outcome names as `intent`. */
  intent(of: Told): number;
  outcome(of: Told & { readonly intent?: number }): number;
  /** A writer's start: what was begun before it is over. */
  opened(timeMs: number): number;
};

export const person = (name: string, tenant = 'default'): Principal => ({
  ...alice,
  name,
  subject: name,
  tenant,
  key: principalKey(tenant, alice.issuer, name),
});

export function recordLines(): RecordLines {
  const lines: string[] = [];
  const context = recordContext('1.2.3');
  const chain = createChain({ chainUid: 'c0ffee', authority: 'gateway-1' });
  const add = (build: (at: Position) => readonly string[]): number => {
    const { line, sequence } = chain.append(build);
    lines.push(line.toString('latin1').trimEnd());
    return sequence;
  };
  return {
    lines,
    intent: ({ id, timeMs, who = 'alice', tenant = 'default' }) => {
      const request = authorized(id, false);
      const { operation, target, obligations, grounds } = request.permit;
      const look = { operation, target, obligations, grounds, principal: person(who, tenant) };
      // Only `authz` makes permits; a test of reading needs the record of one all the same.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      const permit = look as unknown as Permit;
      return add((at) => intentRecord({ ...request, permit, receivedAtMs: timeMs }, at, context));
    },
    outcome: ({ id, timeMs, who = 'alice', tenant = 'default', tool: name = 'read', ...rest }) => {
      const { outcome = 'ok', intent, unresolved, more = {} } = rest;
      return add((at) =>
        outcomeRecord(
          {
            request: { ...inbound({ id }), receivedAtMs: timeMs },
            principal: person(who, tenant),
            ...(unresolved === true ? {} : { entry: tool(name, true) }),
            outcome,
            durationMs: 0,
            ...(intent === undefined ? {} : { intentSequence: intent }),
            ...more,
          },
          at,
          context,
        ),
      );
    },
    opened: (timeMs) => add((at) => lifecycleRecord({ event: 'opened', timeMs, facts: {} }, at, context)),
  };
}
