/** Stories from files as they can be found: the records are made by the code that writes them. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { approvalRecord } from '../audit/approval-record.ts';
import type { AuditEvent } from '../audit/audit-log.ts';
import { createChain } from '../audit/chain.ts';
import { eventRecord } from '../audit/event-record.ts';
import { lifecycleRecord } from '../audit/lifecycle-record.ts';
import { intentRecord, outcomeRecord, recordContext, type Position, type RecordText } from '../audit/record.ts';
import { segmentPath } from '../audit/segments.ts';
import { alice, authorized, inbound, outcome, tool } from '../audit/testing.ts';
import { failure } from '../model/failure.ts';
import { runCommandLine } from './program.ts';
import { createTerminal } from './terminal.ts';

const CONTEXT = recordContext('1.2.3', (text) => ({ value: text, rules: [] }));
const GROUNDS = { policies: ['db.allow[0]'], policyVersion: 'ab'.repeat(32), errors: [] };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sallyport-trace-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Write = (at: Position) => RecordText;

let files = 0;
/** One file, or the oldest rotated away. */
function fileOf(records: readonly Write[], older = 0): string {
  const chain = createChain({ chainUid: 'c', authority: 'test' });
  const lines = records.map((record) => chain.append(record).line.toString());
  const file = path.join(folder, `audit-${(files += 1)}.jsonl`);
  if (older > 0) writeFileSync(segmentPath(file, 1), lines.slice(0, older).join(''));
  writeFileSync(file, lines.slice(older).join(''));
  return file;
}

async function trace(id: string, file: string, ...more: readonly string[]) {
  const written = { out: '', err: '' };
  const stream = (name: 'out' | 'err') => ({ write: (text: string) => (written[name] += text) });
  const terminal = createTerminal({ out: stream('out'), err: stream('err') }, {});
  const context = { terminal, env: {}, readInput: () => Promise.resolve('') };
  const code = await runCommandLine(['trace', id, '--file', file, ...more], context);
  return { code, ...written };
}

const ended =
  (event: AuditEvent): Write =>
  (at) =>
    outcomeRecord(event, at, CONTEXT);
const intended =
  (id: string): Write =>
  (at) =>
    intentRecord(authorized(id, false), at, CONTEXT);
const opened: Write = (at) => lifecycleRecord({ event: 'opened', timeMs: 5, facts: {} }, at, CONTEXT);

describe('the story of a call', () => {
  it('has the words on its approval, also where another request had asked for it', async () => {
    const approval = {
      id: 'a-17',
      state: 'used',
      decisions: [{ by: 'dan', issuer: 'https://idp', need: 'group:dba', how: 'browser', verdict: 'approved' }],
    } as const;
    const word: Write = (at) =>
      approvalRecord(
        {
          timeMs: 1_790_000_000_000,
          by: { ...alice, name: 'dan', credential: { kind: 'browser' } },
          verdict: 'approved',
          how: 'browser',
          approval: {
            id: 'a-17',
            status: 'approved',
            kind: 'tool',
            address: 'files/read',
            risk: 'high',
            requestedBy: 'alice',
            argumentsDigest: 'ab'.repeat(32),
            requestId: 'asked-first',
          },
        },
        at,
        CONTEXT,
      );
    const decision = { effect: 'deny', grounds: GROUNDS } as const;
    const file = fileOf([word, ended(outcome('again', { approval, decision }))], 1);
    const { out } = await trace('again', file);
    expect(out).toMatch(/approval +a-17 used\n +approved by dan for group:dba \(browser\)\n/u);
    expect(out).toMatch(/2026-09-21 [\d:.]+ {2}dan said approved \(browser\)\n/u);
    expect(out).toMatch(/record +1 \(approval\), 2 \(outcome\)\n/u);
  });

  it('of a fault of ours has its stack, and the step in which it happened', async () => {
    const cause = new TypeError('x is not a function');
    const steps = [{ step: 'validate', atMs: 0 }] as const;
    const fault = outcome('r', { outcome: 'failed', failure: { code: 'internal', sent: 'no', cause }, steps });
    const { out } = await trace('r', fileOf([ended(fault)]));
    expect(out).toMatch(/^tools\/call files\/read {2}failed: internal {2}in 2 ms\n/u);
    expect(out).toMatch(
      /failure +in the step validate; nothing reached the server\n +TypeError: x is not a function\n/u,
    );
    expect(out).toContain('src/cli/trace.test.ts:');
    expect(out).not.toContain(process.cwd());
  });

  it('says whether a call without an end can still have one', async () => {
    const running = await trace('r', fileOf([opened, intended('r')]));
    expect(running.out).toContain('not ended: it is running, or the gateway was killed');
    const interrupted = await trace('r', fileOf([opened, intended('r'), opened]));
    expect(interrupted.out).toContain('interrupted: it was about to be made when the gateway ended');
    expect(interrupted.out).toMatch(/decision +allowed by files\.allow\[0\]\n/u);
  });

  it('names everybody a call was made for and through', async () => {
    const principal = {
      ...alice,
      tenant: 'acme',
      clientId: 'vscode',
      actors: [{ subject: 'agent' }, { subject: 'planner' }],
      workload: { id: 'spiffe://example.org/agent', trustDomain: 'example.org', credential: 'mtls' },
    } as const;
    const { out } = await trace('r', fileOf([ended(outcome('r', { principal }))]));
    expect(out).toMatch(/who +alice \(user alice of api-key\) of acme in engineering\n/u);
    expect(out).toContain('acting for them: agent, before it planner\n');
    expect(out).toContain('from the workload spiffe://example.org/agent (mtls)\n');
    expect(out).toContain('through the OAuth client vscode\n');
  });

  it('says why what nobody understood was refused', async () => {
    const event = {
      kind: 'refused-early',
      stage: 'door',
      code: 'parse-error',
      method: 'POST',
      address: '127.0.0.1',
      requestId: 'early',
    } as const;
    const { out } = await trace('early', fileOf([(at) => eventRecord({ event, timeMs: 0 }, at, CONTEXT)]));
    expect(out).toMatch(/^POST Sallyport {2}refused: parse-error\n/u);
    expect(out).toMatch(/who +unauthenticated\n +from 127\.0\.0\.1\n/u);
  });

  it('lets nobody in it write to the terminal by themselves', async () => {
    const nasty = '\u001b[2J\u202e\r\nroot';
    const upstream = { code: -1, message: nasty, data: { [nasty]: nasty } };
    const event = outcome('r', {
      entry: tool(nasty, true),
      outcome: 'failed',
      failure: failure('upstream-error', { upstream, reason: nasty, message: nasty }),
      attempts: [{ startedMs: 0, endedMs: 1, outcome: 'upstream-error', stderr: [nasty] }],
      attempted: 1,
      request: {
        ...inbound(),
        id: 'r',
        meta: { vendor: { 'io.sallyport/run': nasty, 'io.sallyport/purpose': nasty } },
      },
    });
    const { out } = await trace('r', fileOf([ended(event)]));
    // oxlint-disable-next-line no-control-regex -- these are what must not be there
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/u);
    expect(out.split('\n').every((line) => !line.startsWith('root'))).toBe(true);
  });

  it('is not made of lines that only mention the id', async () => {
    const file = fileOf([
      ended(outcome('other', { request: inbound({ id: 'other', name: 'r' }), entry: tool('r', true) })),
    ]);
    expect((await trace('r', file)).code).toBe(1);
  });
});
