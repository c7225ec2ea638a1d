/**
 * How the record is read back, wherever it lies: the files themselves (one replica's own), or a database that all replicas
 * write to. What is read is the line as it was written.
 */

import type { AuditQuery, Found } from './search.ts';

export type PageWanted = {
  /** At most so many. */
  readonly limit: number;
  /** `next` of the page before. */
  readonly after?: string;
};

export type FoundPage = {
  /** Newest first. */
  readonly found: readonly Found[];
  /** Absent on the last page. */
  readonly next?: string;
};

export interface AuditReader {
  search(query: AuditQuery, page: PageWanted): Promise<FoundPage>;
  /** Every record of that time (milliseconds, the end excluded), oldest first. */
  lines(range: { readonly sinceMs: number; readonly untilMs: number }): AsyncIterable<string>;
}
