import { describe, expect, it } from 'vitest';

import { approvalRecord } from './approval-record.ts';
import type { ApprovalWord } from './audit-log.ts';
import { lifecycleRecord } from './lifecycle-record.ts';
import { recordContext, type RecordText } from './record.ts';
import { alice } from './testing.ts';

const context = recordContext('1.2.3');
const at = { sequence: 7, uid: 'c0ffee-7' };
const parsed = (record: RecordText): unknown => JSON.parse(`${record.join('')}}`);

describe("somebody's word on an approval", () => {
  const word: ApprovalWord = {
    timeMs: 1_790_000_000_000,
    by: { ...alice, credential: { kind: 'browser' } },
    verdict: 'approved',
    how: 'browser',
    approval: {
      id: 'a1',
      status: 'approved',
      kind: 'tool',
      address: 'db/drop',
      risk: 'high',
      requestedBy: 'bob',
      argumentsDigest: 'ab'.repeat(32),
      requestId: 'r-9',
    },
  };

  it('tells who said what to whose call, and which records of the call it belongs to', () => {
    expect(parsed(approvalRecord(word, at, context))).toMatchObject({
      class_uid: 6003,
      status: 'Success',
      actor: { user: { uid: 'alice' } },
      resources: [{ type: 'tool', uid: 'db/drop', criticality: 'high' }],
      api: { service: { name: 'db' }, operation: 'approvals/decide', request: { uid: 'r-9' } },
      metadata: { correlation_uid: 'r-9', tenant_uid: 'default' },
      unmapped: {
        event: 'approval',
        outcome: 'approved',
        approval: { id: 'a1', state: 'approved', verdict: 'approved', how: 'browser', requested_by: 'bob' },
        arguments: `sha256:${'ab'.repeat(32)}`,
        credential: 'browser',
      },
    });
  });

  it('tells of a word that was not theirs to say', () => {
    expect(parsed(approvalRecord({ ...word, fault: 'own-request' }, at, context))).toMatchObject({
      severity_id: 2,
      status: 'Failure',
      status_code: 'own-request',
    });
  });
});

describe("the writer's own record", () => {
  it('is an OCSF Application Lifecycle event', () => {
    const event = { event: 'opened', timeMs: 5, facts: { pid: 1, host: 'h\n' } } as const;
    expect(parsed(lifecycleRecord(event, at, context))).toMatchObject({
      class_uid: 6002,
      activity_id: 3,
      type_uid: 600203,
      app: { name: 'Sallyport', version: '1.2.3' },
      unmapped: { event: 'opened', pid: 1, host: 'h\n' },
    });
  });
});
