import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { failure } from '../model/failure.ts';
import { digestOf } from './argument-digest.ts';
import type { AuditEvent } from './audit-log.ts';
import { intentRecord, outcomeRecord, recordContext, type RecordText } from './record.ts';
import { alice, authorized, inbound, outcome, tool } from './testing.ts';

const context = recordContext('1.2.3');
const redacting = recordContext('1.2.3', (text) => ({ value: text, rules: [] }));
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

  it('names who acts on behalf of the user, and says what the client claims of its run', () => {
    const vendor = { 'io.sallyport/run': 'nightly-42', 'io.sallyport/purpose': 'Close the month, key hunter2' };
    const event: AuditEvent = {
      ...outcome('r'),
      request: { ...inbound(), meta: { vendor } },
      principal: {
        ...alice,
        actors: [{ subject: 'agent', issuer: 'https://idp', clientId: 'c1' }, { subject: 'planner' }],
      },
    };
    const redactText = (text: string) => ({ value: text.replace('hunter2', '***'), rules: ['password'] });
    expect(parsed(outcomeRecord(event, at, recordContext('1', redactText)))).toMatchObject({
      unmapped: {
        actors: [{ uid: 'agent', idp: 'https://idp', client: 'c1' }, { uid: 'planner' }],
        claimed: { run: 'nightly-42', purpose: 'Close the month, key ***' },
      },
    });
    // Where nobody redacts, prose is withheld.
    expect(parsed(outcomeRecord(event, at, context))).toMatchObject({
      unmapped: { claimed: { purpose: '[withheld]' } },
    });
  });

  it('tells each attempt with its time, its end, its credential and the server that was reached', () => {
    const upstream = { revision: '2025-11-25', transport: 'stdio', name: 'files', version: '3.1' } as const;
    const event = outcome('r', {
      request: { ...inbound(), startedMs: 100 },
      attempts: [
        { startedMs: 100.25, endedMs: 101, outcome: 'server-unavailable' },
        { startedMs: 102, endedMs: 103.5, outcome: 'ok', credential: 'environment', upstream },
      ],
      attempted: 3,
    });
    expect(parsed(outcomeRecord(event, at, context))).toMatchObject({
      unmapped: {
        attempts: [
          { at_us: 250, us: 750, outcome: 'server-unavailable' },
          { at_us: 2000, us: 1500, outcome: 'ok', credential: 'environment', upstream },
        ],
        attempted: 3,
      },
    });
  });

  it('tells the steps of what did not work or was slow, and in which it ended', () => {
    const steps = [
      { step: 'authenticate', atMs: 100 },
      { step: 'authorize', atMs: 100.5 },
    ] as const;
    const of = (more: Partial<AuditEvent>): unknown =>
      parsed(outcomeRecord(outcome('r', { request: { ...inbound(), startedMs: 100 }, steps, ...more }), at, context));
    const told = { unmapped: { steps: ['authenticate', 0, 'authorize', 500] } };
    expect(of({ durationMs: 300 })).toMatchObject(told);
    expect(of({ outcome: 'refused', failure: failure('forbidden') })).toMatchObject({
      unmapped: { ...told.unmapped, stage: 'authorize' },
    });
    expect(of({ durationMs: 3 })).not.toHaveProperty('unmapped.steps');
  });

  it('says when it came from a cache, and what exactly was passed on where that is wanted', () => {
    const event = outcome('r', { cached: { ageMs: 1200.4 }, resultDigest: 'sha256:ab' });
    expect(parsed(outcomeRecord(event, at, context))).toMatchObject({
      unmapped: { cached: { age_ms: 1200 }, result: 'sha256:ab' },
    });
  });

  it('names permits that did not count', () => {
    const decision = { effect: 'deny', grounds: { ...grounds, policies: [], withheld: ['anyone'] } } as const;
    expect(parsed(outcomeRecord(outcome('r', { decision }), at, context))).toMatchObject({
      unmapped: { withheld: ['anyone'] },
    });
  });

  it('is the same whether or not the same caller was recorded before', () => {
    const say = (name: string, run: string): string => {
      const { client, ...rest } = inbound();
      const request = {
        ...rest,
        client: { ...client, info: { name, version: '1' } },
        meta: { vendor: { 'io.sallyport/run': run } },
      };
      return outcomeRecord(outcome('r', { request }), at, context).join('');
    };
    const first = [say('a', '1'), say('b', '1'), say('a', '2')];
    expect([say('a', '1'), say('b', '1'), say('a', '2')]).toEqual(first);
    expect(new Set(first).size).toBe(3);
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
        const principal = { ...alice, subject, name, groups: [name, subject], actors: [{ subject: name }] };
        const vendor = { 'io.sallyport/run': name, 'io.sallyport/purpose': subject, baggage: name };
        const upstream = { revision: '2026-07-28', transport: 'http', name, version: subject } as const;
        const client = { ...inbound().client, info: { name, version: subject }, session: name };
        const event: AuditEvent = {
          ...outcome(name, {
            principal,
            entry: tool(name, true),
            decision: {
              effect: 'deny',
              grounds: { ...grounds, policies: [name], errors: [subject], withheld: [name] },
            },
            outcome: 'failed',
            failure: failure('upstream-error', {
              reason: name,
              upstream: { code: 1, message: name, data: value },
            }),
            attempts: [{ startedMs: 0, endedMs: 1, outcome: 'upstream-error', upstream, stderr: [name, subject] }],
            attempted: 1,
          }),
          request: {
            ...inbound({ id: subject, args: { [name]: JSON.parse(JSON.stringify(value)) } }),
            client,
            meta: { vendor },
          },
        };
        const record = outcomeRecord(event, at, redacting).join('');
        expect(record).toMatch(/^[\x20-\x7e]*$/);
        expect(record.length).toBeLessThan(80_000);
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
      actor: { user: { uid: 'alice' }, authorizations: [{ decision: 'allowed', policy: { uid: 'files.allow[0]' } }] },
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
});
