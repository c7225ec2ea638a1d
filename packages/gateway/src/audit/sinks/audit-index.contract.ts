/** What every index of the record does. Run on each adapter. What a search finds is what reading the files would have found. */

import { randomUUID } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { somebody } from '../../model/principal.fixture.ts';
import { createChain, type Chain } from '../chain.ts';
import { lifecycleRecord } from '../lifecycle-record.ts';
import { approvalRecord } from '../approval-record.ts';
import { intentRecord, outcomeRecord, recordContext, type Position } from '../record.ts';
import { createSearch, INTERRUPTED, type AuditQuery } from '../search.ts';
import { alice, authorized, inbound, outcome, tool } from '../testing.ts';
import type { AuditIndex } from './audit-index.ts';
import { createIndexReader } from './index-reader.ts';
import { lineFacts } from './followed-record.ts';
import type { SinkPosition } from './sink-position.ts';

const CONTEXT = recordContext('1.2.3');
const DAY_MS = 86_400_000;

/** Each test's records are a minute of their own, so that they may share a database. */
let minute = 30_000_000;

function newRecord(authority = 'gateway-1') {
  minute += 1;
  const startMs = minute * 60_000;
  const chain: Chain = createChain({ chainUid: randomUUID().slice(0, 16), authority });
  const lines: string[] = [];
  const add = (build: (at: Position) => readonly string[]): number => {
    const { line, sequence } = chain.append(build);
    lines.push(line.toString('latin1').trimEnd());
    return sequence;
  };
  const call = (more: Parameters<typeof outcome>[1] = {}, id = `r-${lines.length}`): number =>
    add((at) => {
      const event = outcome(id, { durationMs: 0, ...more });
      return outcomeRecord(
        { ...event, request: { ...event.request, receivedAtMs: startMs + at.sequence } },
        at,
        CONTEXT,
      );
    });
  const intent = (id: string): number =>
    add((at) => intentRecord({ ...authorized(id, false), receivedAtMs: startMs + at.sequence }, at, CONTEXT));
  const opened = (): number =>
    add((at) => lifecycleRecord({ event: 'opened', timeMs: startMs + at.sequence, facts: { pid: 1 } }, at, CONTEXT));
  const said = (): number =>
    add((at) => {
      const approval = {
        id: 'a-1',
        status: 'approved',
        kind: 'tool',
        address: 'files/write',
        risk: 'high',
        requestedBy: 'alice',
        argumentsDigest: 'ab'.repeat(32),
        requestId: 'r-9',
      } as const;
      const word = { timeMs: startMs + at.sequence, by: alice, verdict: 'approved', how: 'api', approval };
      return approvalRecord(word, at, CONTEXT);
    });
  return { lines, startMs, endMs: startMs + 60_000, call, intent, opened, said };
}

const newPosition = (sequence: number): SinkPosition => ({
  sequence,
  uid: `c-${sequence}`,
  file: 1,
  at: 10,
  missed: 0,
});

export function describeAuditIndex(adapter: string, indexOf: () => AuditIndex): void {
  const add = (lines: readonly string[], source: string = randomUUID()): Promise<void> =>
    indexOf().add(lines, { source, position: newPosition(lines.length) });
  const search = (query: AuditQuery, limit = 1000, after?: string) =>
    createIndexReader(indexOf()).search(query, { limit, ...(after !== undefined && { after }) });

  /** What the files would have told, newest first. */
  const fromFile = (lines: readonly string[], query: AuditQuery) => {
    const reading = createSearch(query);
    const found = [...lines.flatMap((line) => reading.take(line)), ...reading.end()];
    return found.toSorted((one, other) => other.record.timeMs - one.record.timeMs);
  };

  describe(`the audit index in ${adapter}`, () => {
    it('keeps its position for each file, written with the records', async () => {
      const [one, other] = [randomUUID(), randomUUID()];
      expect(await indexOf().position(one)).toBeUndefined();
      const record = newRecord();
      record.call();
      await add(record.lines, one);
      const moved = { sequence: 7, uid: 'c-7', file: 4, at: 9_000_000_000_000, missed: 12 };
      await indexOf().add([], { source: one, position: moved });
      expect(await indexOf().position(one)).toEqual(moved);
      expect(await indexOf().position(other)).toBeUndefined();
    });

    it('holds a record once, however often it is added', async () => {
      const record = newRecord();
      for (let count = 0; count < 60; count += 1) record.call();
      await add(record.lines);
      await Promise.all([add(record.lines), add(record.lines.slice(10, 40))]);
      const { found } = await search({ sinceMs: record.startMs, untilMs: record.endMs });
      expect(found.map(({ line }) => line)).toEqual(record.lines.toReversed());
    });

    it('finds what reading the files would find, for every question', async () => {
      const record = newRecord();
      const bob = somebody('bob', { tenant: 'acme', groups: [] });
      record.opened();
      record.call();
      record.call({ principal: bob, entry: tool('read_file', true) });
      record.call({ principal: bob, entry: tool('100%_done', false), outcome: 'tool_error' });
      const known = record.intent('r-known');
      record.call({ intentSequence: known }, 'r-known');
      record.intent('r-lost');
      record.said();
      record.call({ outcome: 'refused', failure: { code: 'forbidden', sent: 'no' } });
      const request = inbound({ id: 'r-claims' });
      record.call({
        request: { ...request, client: { ...request.client, info: { name: 'Évil\\%_ \u0000\ud800', version: '1' } } },
      });
      await add(record.lines);
      const range = { sinceMs: record.startMs, untilMs: record.endMs };
      const queries: readonly AuditQuery[] = [
        {},
        { who: 'bob' },
        { who: 'BOB' },
        { who: 'b?b' },
        { who: '*o*' },
        { who: 'b_b' },
        { who: '%' },
        { who: '' },
        { tool: 'files/read' },
        { tool: 'files/*' },
        { tool: 'FILES/*' },
        { tool: 'files/read_file' },
        { tool: 'files/read?file' },
        { tool: 'files/100%*' },
        { tool: 'files/100?_*' },
        { tool: String.raw`files\*` },
        { server: 'files' },
        { server: 'f*s' },
        { decision: 'denied' },
        { outcome: 'ok' },
        { outcome: 'tool_error' },
        { outcome: 'refused' },
        { outcome: 'forbidden' },
        { outcome: INTERRUPTED },
        { request: 'r-known' },
        { request: 'r-lost' },
        { request: 'r-\u0000' },
        { onlyTenant: 'acme' },
        { onlyTenant: 'ACME' },
        { onlyTenant: 'a*' },
        { onlyTenant: '%' },
        { onlyTenant: '' },
        { onlyTenant: 'acme', outcome: INTERRUPTED },
        { intents: true },
        { intents: true, request: 'r-known' },
        { intents: true, outcome: INTERRUPTED },
        { text: 'READ_FILE' },
        { text: '100%_d' },
        { text: 'reads_file' },
        { text: String.raw`vil\\` },
        { text: "'; drop table audit_records; --" },
        { who: 'bob', tool: '*done', outcome: 'tool_error', text: 'acme' },
        { sinceMs: record.startMs + 3, untilMs: record.startMs + 5 },
      ];
      for (const query of queries) {
        const { found } = await search({ ...range, ...query });
        expect({ query, found }).toEqual({ query, found: fromFile(record.lines, { ...range, ...query }) });
      }
    });

    it('keeps tenants apart whose names are the same where a column is cut', async () => {
      const record = newRecord();
      const cut = 't'.repeat(256);
      const [one, other] = [`${cut}a`, `${cut}b`];
      record.call({ principal: somebody('alice', { tenant: one }) });
      record.call({ principal: somebody('bob', { tenant: other }) });
      await add(record.lines);
      const { found } = await search({ sinceMs: record.startMs, untilMs: record.endMs, onlyTenant: cut });
      expect(found).toEqual([]);
    });

    it('gives pages that neither repeat nor leave out a record, while new ones come', async () => {
      const record = newRecord();
      for (let count = 0; count < 50; count += 1) record.call();
      await add(record.lines);
      const range = { sinceMs: record.startMs, untilMs: record.endMs };
      const seen: string[] = [];
      let after: string | undefined;
      do {
        const page = await search(range, 7, after);
        expect(page.found.length).toBeLessThanOrEqual(7);
        seen.push(...page.found.map(({ line }) => line));
        after = page.next;
        record.call();
        await add(record.lines.slice(-1));
      } while (after !== undefined);
      expect(seen).toEqual(record.lines.slice(0, 50).toReversed());
    });

    it('gives pages of records of one instant, of several gateways', async () => {
      const records = [newRecord('gateway-1'), newRecord('gateway-2')] as const;
      const atOnce = records[0].startMs;
      for (const record of records) {
        for (let count = 0; count < 20; count += 1) {
          const event = outcome('r', {});
          record.call({ request: { ...event.request, receivedAtMs: atOnce }, durationMs: 0 });
        }
      }
      await Promise.all(records.map(({ lines }) => add(lines)));
      const seen: string[] = [];
      const times = records.flatMap(({ lines }) => lines.map((line) => lineFacts(line)?.timeMs ?? 0));
      const range = { sinceMs: Math.min(...times), untilMs: Math.max(...times) + 1 };
      let after: string | undefined;
      do {
        const page = await search(range, 9, after);
        seen.push(...page.found.map(({ line }) => line));
        after = page.next;
      } while (after !== undefined);
      expect(seen.toSorted()).toEqual(records.flatMap(({ lines }) => lines).toSorted());
    });

    it('refuses a cursor that leads nowhere', async () => {
      for (const after of [
        '',
        'x',
        Buffer.from('[1,2]').toString('base64url'),
        Buffer.from('[1,"2","a b"]').toString('base64url'),
      ]) {
        await expect(search({}, 1, after)).rejects.toMatchObject({ failure: { code: 'invalid-cursor' } });
      }
    });

    it('gives every line of a time, intents too, oldest first', async () => {
      const record = newRecord();
      for (let count = 0; count < 600; count += 1) record.call({ intentSequence: record.intent(`r-${count}`) });
      for (let from = 0; from < record.lines.length; from += 100) await add(record.lines.slice(from, from + 100));
      const read: unknown[] = [];
      const reader = createIndexReader(indexOf());
      const range = { sinceMs: record.startMs, untilMs: record.endMs };
      for await (const line of reader.lines(range)) read.push(lineFacts(line)?.sequence);
      expect(read).toEqual(record.lines.map((_, index) => index + 1));
    });

    it('passes over what is no record, and keeps the rest and the position', async () => {
      const record = newRecord();
      record.call();
      const source = randomUUID();
      await add(['', 'no record', '{"metadata":{}}', '[]', ...record.lines], source);
      const { found } = await search({ sinceMs: record.startMs, untilMs: record.endMs });
      expect(found.map(({ line }) => line)).toEqual(record.lines);
      expect(await indexOf().position(source)).toMatchObject({ sequence: 5 });
    });

    it('deletes old records of one class in small pieces, and no others', async () => {
      const record = newRecord();
      for (let count = 0; count < 450; count += 1) record.call({ entry: tool('read', true) });
      record.call({ request: inbound(), entry: tool('write', false) });
      record.opened();
      record.said();
      for (let from = 0; from < record.lines.length; from += 150) await add(record.lines.slice(from, from + 150));
      const left = async (): Promise<number> =>
        (await search({ sinceMs: record.startMs - 1, untilMs: record.endMs + DAY_MS }, 10_000)).found.length;
      const before = await left();
      let rounds = 1;
      while (await indexOf().deleteSome('reads', record.startMs + 401)) rounds += 1;
      expect(rounds).toBeGreaterThan(1);
      const after = await search({ sinceMs: record.startMs, untilMs: record.endMs }, 10_000);
      expect(before - (await left())).toBeGreaterThanOrEqual(398);
      expect(after.found.filter(({ record: { event } }) => event !== 'outcome')).toHaveLength(2);
    });

    it('closes an intent whose outcome is added again after a restart of the index', async () => {
      const record = newRecord();
      const sequence = record.intent('r-twice');
      record.call({ intentSequence: sequence }, 'r-twice');
      await add(record.lines.slice(0, 1));
      const range = { sinceMs: record.startMs, untilMs: record.endMs };
      expect((await search(range)).found).toMatchObject([{ record: { outcome: INTERRUPTED } }]);
      await add(record.lines.slice(1));
      await add(record.lines);
      expect((await search(range)).found).toMatchObject([{ record: { event: 'outcome', outcome: 'ok' } }]);
    });
  });
}
