/** Reads the record back from an index: of all gateways that write to it, however old, without reading their files. */

import { refuse } from '../../model/failure.ts';
import type { AuditReader } from '../audit-reader.ts';
import { INTERRUPTED, matcherOf, type Found } from '../search.ts';
import { toldRecord } from '../told-record.ts';
import type { AuditIndex, IndexCursor } from './audit-index.ts';

export function createIndexReader(index: AuditIndex): AuditReader {
  return {
    async search(query, { limit, after, signal }) {
      const cursor = after === undefined ? undefined : parseCursor(after);
      if (after !== undefined && cursor === undefined) throw refuse('invalid-cursor');
      if (signal?.aborted === true) throw refuse('cancelled');
      const { lines, next } = await available(
        index.search(query, { limit, ...(cursor !== undefined && { after: cursor }) }),
      );
      const isMatch = matcherOf(query);
      const found = lines.flatMap(({ line, interrupted }): readonly Found[] => {
        const record = toldRecord(line);
        if (record === undefined) return [];
        const isLost = interrupted && query.intents !== true;
        return [{ line, record: isLost ? { ...record, outcome: INTERRUPTED } : record }];
      });
      // The database only narrows it down: whose record a line is, is read from the line itself.
      return { found: found.filter(isMatch), ...(next !== undefined && { next: cursorText(next) }) };
    },
    async *lines(range) {
      let after: IndexCursor | undefined;
      do {
        const page = await available(index.range(range, after));
        for (const { line } of page.lines) yield line;
        after = page.next;
      } while (after !== undefined);
    },
  };
}

/** A database that is away is nobody's fault who asks. */
async function available<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const message = 'The database of the audit index does not answer. Try again shortly.';
    throw refuse('overloaded', { message, retryAfterMs: 1_000, cause });
  }
}

const cursorText = ({ timeMs, sequence, uid }: IndexCursor): string =>
  Buffer.from(JSON.stringify([timeMs, sequence, uid])).toString('base64url');

/** It may come from anyone. What it leads to is judged by the query, so that a made-up one shows nothing more. */
function parseCursor(text: string): IndexCursor | undefined {
  if (text.length > 512) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed) || parsed.length !== 3) return undefined;
  const [timeMs, sequence, uid]: readonly unknown[] = parsed;
  if (!Number.isSafeInteger(timeMs) || !Number.isSafeInteger(sequence) || typeof uid !== 'string') return undefined;
  if (typeof timeMs !== 'number' || typeof sequence !== 'number' || !/^[\x21-\x7e]{1,200}$/.test(uid)) return undefined;
  return { timeMs, sequence, uid };
}
