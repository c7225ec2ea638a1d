/**
 * How the record is read back, wherever it lies: the files themselves (one replica's own), or a database that all replicas
 * write to. What is read is the line as it was written.
 */

import type { AuditQuery, Found } from './search.ts';

export type PageWanted = {
  /** At most so many. */
  readonly limit: number;
  /** `next` of the page before, of the same query. */
  readonly after?: string;
  /** Ends the search when nobody waits for it any more. */
  readonly signal?: AbortSignal;
};

export type FoundPage = {
  /** Newest first. */
  readonly found: readonly Found[];
  /** Absent on the last page. A page may hold less than `limit`, or nothing, and still have it: there is more to look through. */
  readonly next?: string;
};

export interface AuditReader {
  /** @throws Refusal `invalid-cursor` for an `after` that leads nowhere, `overloaded`, or `cancelled` */
  search(query: AuditQuery, page: PageWanted): Promise<FoundPage>;
  /** Every record of that time (milliseconds, the end excluded), oldest first. */
  lines(range: TimeRange): AsyncIterable<string>;
}

export type TimeRange = { readonly sinceMs: number; readonly untilMs: number };
