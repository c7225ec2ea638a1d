/** What every reader of the record does, wherever the record lies. Run on each adapter. */

import { describe, expect, it } from 'vitest';

import { Refusal } from '../model/failure.ts';
import type { AuditReader, FoundPage } from './audit-reader.ts';
import { recordLines } from './record-lines.fixture.ts';
import type { AuditQuery } from './search.ts';

const NOON = 1_790_000_000_000;

/** @param readerOf A reader of a record that holds these lines and nothing else. */
export function describeAuditReader(
  adapter: string,
  readerOf: (lines: readonly string[]) => Promise<AuditReader>,
): void {
  const idsOf = ({ found }: FoundPage): readonly string[] => found.map(({ record }) => record.requestId);

  async function ids(lines: readonly string[], query: AuditQuery): Promise<readonly string[]> {
    return idsOf(await (await readerOf(lines)).search(query, { limit: 100 }));
  }

  describe(`the record in ${adapter}`, () => {
    it('is searched from the newest record on, and a line comes back as it was written', async () => {
      const record = recordLines();
      for (const id of ['a', 'b', 'c']) record.outcome({ id, timeMs: NOON });
      const page = await (await readerOf(record.lines)).search({}, { limit: 2 });
      expect(idsOf(page)).toEqual(['c', 'b']);
      expect(page.found[0]?.line).toBe(record.lines[2]);
    });

    it('is told page by page, whole, without a repetition', async () => {
      const record = recordLines();
      const expected = Array.from({ length: 57 }, (_, index) => `r-${index}`);
      for (const [index, id] of expected.entries()) record.outcome({ id, timeMs: NOON + index });
      const reader = await readerOf(record.lines);
      const seen: string[] = [];
      let after: string | undefined;
      do {
        const page = await reader.search({}, { limit: 10, ...(after === undefined ? {} : { after }) });
        seen.push(...idsOf(page));
        after = page.next;
      } while (after !== undefined);
      expect(seen).toEqual(expected.toReversed());
    });

    it.each<[string, AuditQuery, readonly string[]]>([
      ['who', { who: 'b?b' }, ['b']],
      ['tool', { tool: 'files/wr*' }, ['c']],
      ['server', { server: 'files' }, ['d', 'c', 'b', 'a']],
      ['another server', { server: 'db' }, []],
      ['since, which is included', { sinceMs: NOON + 2 }, ['d', 'c']],
      ['until, which is not', { untilMs: NOON + 2 }, ['b', 'a']],
      ['outcome', { outcome: 'tool_error' }, ['d']],
      ['request', { request: 'b' }, ['b']],
      ['text, whatever its case', { text: 'FILES/WRITE' }, ['c']],
      ['tenant', { onlyTenant: 'acme' }, ['d']],
      ['a tenant that nobody is of', { onlyTenant: '' }, []],
      ['a tenant whose name is a pattern', { onlyTenant: '*' }, []],
    ])('is searched by %s', async (_, query, expected) => {
      const record = recordLines();
      record.outcome({ id: 'a', timeMs: NOON });
      record.outcome({ id: 'b', timeMs: NOON + 1, who: 'bob' });
      record.outcome({ id: 'c', timeMs: NOON + 2, tool: 'write' });
      record.outcome({ id: 'd', timeMs: NOON + 3, tenant: 'acme', outcome: 'tool_error' });
      expect(await ids(record.lines, query)).toEqual(expected);
    });

    it('gives a tenant none of the records of nobody, nor those that only mention the tenant', async () => {
      const record = recordLines();
      record.opened(NOON);
      record.outcome({ id: 'own', timeMs: NOON, tenant: 'acme' });
      record.outcome({ id: '"tenant_uid":"acme"', timeMs: NOON, who: 'acme', tenant: 'globex' });
      expect(await ids(record.lines, { onlyTenant: 'acme' })).toEqual(['own']);
      expect(await ids(record.lines, { onlyTenant: 'acme', text: 'globex' })).toEqual([]);
      expect(await ids(record.lines, { onlyTenant: 'acme', request: '"tenant_uid":"acme"' })).toEqual([]);
      expect(await ids(record.lines, {})).toHaveLength(3);
    });

    it('shows a call once, and one whose end nobody knows as interrupted', async () => {
      const record = recordLines();
      const done = record.intent({ id: 'done', timeMs: NOON });
      record.intent({ id: 'killed', timeMs: NOON });
      record.outcome({ id: 'done', timeMs: NOON, intent: done });
      record.opened(NOON + 1);
      const { found } = await (await readerOf(record.lines)).search({ server: 'files' }, { limit: 10 });
      expect(found.map(({ record: { requestId, outcome } }) => [requestId, outcome])).toEqual([
        ['done', 'ok'],
        ['killed', 'interrupted'],
      ]);
      expect(await ids(record.lines, { outcome: 'interrupted' })).toEqual(['killed']);
    });

    it('calls no call interrupted whose outcome stood on the page before', async () => {
      const record = recordLines();
      const intents = Array.from({ length: 20 }, (_, index) => record.intent({ id: `r-${index}`, timeMs: NOON }));
      for (const [index, intent] of intents.entries()) record.outcome({ id: `r-${index}`, timeMs: NOON, intent });
      const reader = await readerOf(record.lines);
      const first = await reader.search({}, { limit: 15 });
      const second = await reader.search({}, { limit: 15, ...(first.next === undefined ? {} : { after: first.next }) });
      expect(second.found.map(({ record: { requestId, outcome } }) => `${requestId} ${outcome}`)).toEqual(
        [4, 3, 2, 1, 0].map((index) => `r-${index} ok`),
      );
    });

    it('tells the intent too where the whole story of a request is asked for', async () => {
      const record = recordLines();
      const intent = record.intent({ id: 'a', timeMs: NOON });
      record.outcome({ id: 'b', timeMs: NOON });
      record.outcome({ id: 'a', timeMs: NOON, intent });
      const { found } = await (await readerOf(record.lines)).search({ request: 'a', intents: true }, { limit: 10 });
      expect(found.map(({ record: { event } }) => event)).toEqual(['outcome', 'intent']);
    });

    it.each([
      ['nothing', ''],
      ['a letter', 'x'],
      ['a path', '../../etc/passwd'],
      ['numbers', '1.99999999....'],
      ['the middle of a record', '1.1...'],
      ['marks', '!!'],
      ['far too much', 'a'.repeat(20_000)],
    ])('refuses a cursor that it did not give out: %s', async (_, after) => {
      const record = recordLines();
      record.outcome({ id: 'a', timeMs: NOON });
      const searching = (await readerOf(record.lines)).search({}, { limit: 1, after });
      const failed: unknown = await searching.then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failed instanceof Refusal && failed.failure.code).toBe('invalid-cursor');
    });

    it('ends a search that nobody waits for', async () => {
      const record = recordLines();
      record.outcome({ id: 'a', timeMs: NOON });
      const searching = (await readerOf(record.lines)).search({}, { limit: 1, signal: AbortSignal.abort() });
      await expect(searching).rejects.toMatchObject({ failure: { code: 'cancelled' } });
    });

    it('gives every record of a time, the oldest first', async () => {
      const record = recordLines();
      for (const id of ['a', 'b', 'c', 'd']) record.outcome({ id, timeMs: NOON + record.lines.length });
      const lines: string[] = [];
      const range = { sinceMs: NOON + 1, untilMs: NOON + 3 };
      for await (const line of (await readerOf(record.lines)).lines(range)) lines.push(line);
      expect(lines).toEqual(record.lines.slice(1, 3));
    });

    it('is empty where nothing was written', async () => {
      expect(await (await readerOf([])).search({}, { limit: 5 })).toEqual({ found: [] });
    });
  });
}
