import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { failure } from '../model/failure.ts';
import { digestOf } from './argument-digest.ts';
import type { ApprovalWord, AuditEvent } from './audit-log.ts';
import {
  approvalRecord,
  lifecycleRecord,
  intentRecord,
  outcomeRecord,
  recordContext,
  type RecordText,
} from './record.ts';
import { alice, authorized, inbound, outcome, tool } from './testing.ts';

const context = recordContext('1.2.3');
const at = { sequence: 7, uid: 'c0ffee-7' };

/** What a reader of the record gets; the chain closes the brace. */
const parsed = (record: RecordText): unknown => JSON.parse(`${record.join('')}}`);

const grounds = { policies: ['files.allow[0]'], policyVersion: 'p1', errors: [] };

describe('the record of a call', () => {
  it('names the trace that the call was part of, before it left and after', () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const event = { ...outcome('r-1'), request: { ...inbound(), traceId } };
    const intended = { ...authorized('r-1', false, {}), traceId };
    for (const record of [outcomeRecord(event, at, context), intentRecord(intended, at, context)]) {
      expect(parsed(record)).toMatchObject({ unmapped: { trace: { uid: traceId } } });
    }
    expect(parsed(outcomeRecord(outcome('r-1'), at, context))).not.toHaveProperty('unmapped.trace');
  });

  it('is an OCSF API Activity with every field an incident needs', () => {
    const entry = tool('read_text_file', true);
    const client = { ...inbound().client, info: { name: 'bench', version: '2' }, session: 's-digest' };
    const event: AuditEvent = {
      ...outcome('r-1', { entry, resultBytes: 292, durationMs: 12.4 }),
      request: { ...inbound(), client },
      principal: { ...alice, clientId: 'vscode' },
      decision: { effect: 'deny', grounds },
    };
    expect(parsed(outcomeRecord(event, at, context))).toEqual({
      class_uid: 6003,
      category_uid: 6,
      activity_id: 2,
      type_uid: 600302,
      severity_id: 1,
      time: 1_790_000_000_012,
      duration: 12,
      status_id: 1,
      status: 'Success',
      ai_agent: { uid: 'vscode', type_id: 0 },
      actor: {
        user: { uid: 'alice', name: 'alice', type: 'user', groups: [{ name: 'engineering' }] },
        idp: { uid: 'api-key' },
        authorizations: [{ decision: 'denied', policy: { uid: 'files.allow[0]', version: 'p1' } }],
      },
      resources: [
        {
          type: 'tool',
          uid: 'files/read_text_file',
          version: `sha256:${entry.hash}`,
          criticality: 'medium',
          owner: { name: 'platform' },
        },
      ],
      api: {
        operation: 'tools/call',
        service: { name: 'files', version: 'v1' },
        request: { uid: 'r-1' },
      },
      src_endpoint: { ip: '127.0.0.1' },
      metadata: {
        version: '1.9.0',
        profiles: ['ai_operation', 'record_integrity'],
        product: { name: 'Sallyport', vendor_name: 'Sallyport', version: '1.2.3' },
        uid: 'c0ffee-7',
        sequence: 7,
        tenant_uid: 'default',
        correlation_uid: 'r-1',
      },
      unmapped: {
        event: 'outcome',
        outcome: 'ok',
        arguments: digestOf({ path: 'a.txt' }),
        result_bytes: 292,
        revision: '2026-07-28',
        session: 's-digest',
        credential: 'api-key',
        claimed: { client_name: 'bench', client_version: '2' },
      },
    });
  });

  it('names the workload beside the user', () => {
    const workload = { id: 'spiffe://example.org/agent', trustDomain: 'example.org', credential: 'mtls' } as const;
    const event: AuditEvent = {
      request: inbound(),
      outcome: 'ok',
      durationMs: 1,
      principal: { ...alice, workload },
    };
    expect(parsed(outcomeRecord(event, at, context))).toMatchObject({
      actor: { user: { name: alice.name } },
      unmapped: { credential: 'api-key', workload: { uid: workload.id, credential: 'mtls' } },
    });
  });

  it('refused before anyone was known names the failure and an unauthenticated actor', () => {
    const event: AuditEvent = {
      request: inbound(),
      outcome: 'refused',
      durationMs: 0.1,
      failure: failure('invalid-credential', { message: 'The key sk-live-1 is wrong.' }),
    };
    const record = outcomeRecord(event, at, context);
    expect(parsed(record)).toMatchObject({
      activity_id: 99,
      severity_id: 2,
      status_id: 2,
      status_code: 'invalid-credential',
      actor: { app_name: 'unauthenticated' },
      api: { service: { name: 'files' }, response: { code: 401, error: 'invalid-credential' } },
      unmapped: { sent: 'no' },
    });
    expect(record.join('')).not.toContain('sk-live');
  });

  it('says how many minutes a successful call saved, as the owner estimated when it was made', () => {
    const entry = tool('read', true);
    const valued = { ...entry, traits: { ...entry.traits, minutesSaved: 2.5 } };
    expect(parsed(outcomeRecord(outcome('r', { entry: valued }), at, context))).toMatchObject({
      unmapped: { minutes_saved: 2.5 },
    });
    const failed = parsed(outcomeRecord(outcome('r', { entry: valued, outcome: 'tool_error' }), at, context));
    expect(failed).not.toHaveProperty('unmapped.minutes_saved');
  });

  it('points at its intent, which holds the digest', () => {
    const record = parsed(outcomeRecord(outcome('r', { intentSequence: 6, entry: tool('write', false) }), at, context));
    expect(record).toMatchObject({ activity_id: 99, type_uid: 600399, unmapped: { intent_sequence: 6 } });
    expect(record).not.toHaveProperty('unmapped.arguments');
  });

  it('keeps an upstream error code and no word of what the server said', () => {
    const upstream = { code: -32_000, message: 'password hunter2', data: { token: 'hunter2' } };
    const event = outcome('r', { outcome: 'failed', failure: failure('upstream-error', { sent: 'yes', upstream }) });
    const record = outcomeRecord(event, at, context);
    expect(parsed(record)).toMatchObject({ api: { response: { code: -32_000, error: 'upstream-error' } } });
    expect(record.join('')).not.toContain('hunter2');
  });

  it('names the default when no policy decided, and what policies could not evaluate', () => {
    const decision = {
      effect: 'deny',
      grounds: { policies: [], policyVersion: 'p1', errors: ['no such attribute'] },
    } as const;
    expect(parsed(outcomeRecord(outcome('r', { decision }), at, context))).toMatchObject({
      actor: { authorizations: [{ decision: 'denied', policy: { name: 'default', version: 'p1' } }] },
      unmapped: { policy_errors: ['no such attribute'] },
    });
  });

  it('tells what policies in observe mode would have changed', () => {
    const observed = { effect: 'allow', policies: ['try'], approvals: ['group:dba'] } as const;
    const decision = { effect: 'deny', grounds: { ...grounds, observed } } as const;
    expect(parsed(outcomeRecord(outcome('r', { decision }), at, context))).toMatchObject({ unmapped: { observed } });
  });

  it('is printable ASCII, one line, bounded and strict JSON, whatever names and arguments hold', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 2000 }),
      fc.constant('\ud800'),
      fc.constant('a"}\n{"b'),
    );
    fc.assert(
      fc.property(text, text, fc.jsonValue(), (name, subject, value) => {
        const principal = { ...alice, subject, name, groups: [name, subject] };
        const event: AuditEvent = {
          ...outcome(name, {
            principal,
            entry: tool(name, true),
            decision: { effect: 'deny', grounds: { ...grounds, policies: [name] } },
          }),
          request: inbound({ id: subject, args: { [name]: JSON.parse(JSON.stringify(value)) } }),
        };
        const record = outcomeRecord(event, at, context).join('');
        expect(record).toMatch(/^[\x20-\x7e]*$/);
        expect(record.length).toBeLessThan(40_000);
        expect(JSON.stringify(parsed([record]))).not.toMatch(/\\ud[89a-f]/);
        expect(parsed([record])).toMatchObject({ metadata: { sequence: 7 } });
      }),
      { numRuns: 40 },
    );
  });
});

describe('the record of an intent', () => {
  it('says what is about to leave, with the digest of its arguments', () => {
    expect(parsed(intentRecord(authorized('r-9', false, { b: 1, a: [true, null] }), at, context))).toMatchObject({
      class_uid: 6003,
      activity_id: 99,
      status_id: 99,
      status: 'intended',
      actor: { user: { uid: 'alice' } },
      resources: [{ uid: 'files/write' }],
      unmapped: { event: 'intent', arguments: digestOf({ a: [true, null], b: 1 }) },
    });
  });
});

describe('the record of an approval', () => {
  const decisions = [{ by: 'dan', issuer: 'https://idp', need: 'group:dba', how: 'browser', verdict: 'approved' }];
  const approval = { id: 'a1', state: 'used', decisions } as const;

  it('is named by the intent and by the outcome of the call that was made on it, with whose word stands', () => {
    const request = { ...authorized('r-9', false), approval };
    expect(parsed(intentRecord(request, at, context))).toMatchObject({ unmapped: { event: 'intent', approval } });
    expect(parsed(outcomeRecord(outcome('r-9', { approval }), at, context))).toMatchObject({
      unmapped: { event: 'outcome', approval },
    });
  });

  it('says why a call was refused in words that its caller did not get', () => {
    const refused = failure('invalid-state', { reason: 'the state is forged' });
    const record = parsed(outcomeRecord(outcome('r', { outcome: 'refused', failure: refused }), at, context));
    expect(record).toMatchObject({ status_code: 'invalid-state', unmapped: { reason: 'the state is forged' } });
  });

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

describe('the digest of arguments', () => {
  it('is SHA-256 over canonical JSON, so the order of keys does not matter', () => {
    // printf '{"a":[1,"€"],"b":{"c":true,"d":null}}' | sha256sum
    const expected = 'sha256:b42fc5b5547c30ec0b7a4b3633037f3da591a73bc6a325f9049e80d2f702cfb6';
    expect(digestOf({ b: { d: null, c: true }, a: [1, '€'] })).toBe(expected);
    expect(digestOf({ a: [1, '€'], b: { c: true, d: null } })).toBe(expected);
  });

  it('agrees with a plain canonical serialization of any JSON', async () => {
    const { createHash } = await import('node:crypto');
    const canonical = (value: unknown): string => {
      if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
      if (typeof value !== 'object' || value === null) return JSON.stringify(value);
      const members = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
      return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(',')}}`;
    };
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const args = JSON.parse(JSON.stringify(value)) as never;
        const expected = createHash('sha256').update(canonical(args)).digest('hex');
        expect(digestOf(args)).toBe(`sha256:${expected}`);
      }),
    );
  });

  const bounds = { maxChars: 1000, maxSortedKeys: 50, maxDepth: 20 };
  let nested: object = {};
  for (let depth = 0; depth < 10_000; depth++) nested = { nested };
  const large: readonly [string, object][] = [
    ['a long string', { text: 'x'.repeat(5_000_000) }],
    ['many keys', Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`k${index}`, index]))],
    ['a long list', { list: Array.from({ length: 100_000 }, () => 1) }],
    ['deep nesting', nested],
  ];

  it.each(large)('of %s covers how they begin, says so, and is the same each time', (_, value) => {
    const args = value as never;
    expect(digestOf(args, bounds)).toMatch(/^sha256-first-1000:[0-9a-f]{64}$/);
    expect(digestOf(args, bounds)).toBe(digestOf(args, bounds));
  });
});
