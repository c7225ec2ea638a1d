/** The port of the index: the record in a database, to be searched quickly, by all gateways that write to it. */

import type { AuditQuery } from '../search.ts';
import type { RecordClass } from './record-class.ts';
import type { SinkPosition } from './sink-position.ts';

/** One record as it is looked for. Texts are cut to what an index takes; the line is whole. */
export type IndexRow = {
  readonly uid: string;
  readonly authority: string;
  readonly chain: string;
  readonly sequence: number;
  readonly timeMs: number;
  readonly class: RecordClass;
  readonly event: string;
  readonly tenant: string;
  readonly who: string;
  readonly client: string;
  readonly clientId: string;
  readonly kind: string;
  readonly server: string;
  readonly target: string;
  readonly decision: string;
  readonly outcome: string;
  readonly result: string;
  readonly requestId: string;
  readonly runId: string;
  readonly line: string;
  /** Of an outcome: the id of the intent that was recorded before the call. */
  readonly closes: string | undefined;
};

/** Where a page ends: that record is on it. */
export type IndexCursor = { readonly timeMs: number; readonly sequence: number; readonly uid: string };

export type IndexPage = {
  /** `interrupted`: an intent that no outcome followed. */
  readonly lines: readonly { readonly line: string; readonly interrupted: boolean }[];
  readonly next?: IndexCursor;
};

export type Reached = {
  /** Whose position it is: one for each audit file that is followed. */
  readonly source: string;
  readonly position: SinkPosition;
};

export interface AuditIndex {
  position(source: string): Promise<SinkPosition | undefined>;
  /** All of them and the position, or nothing. A record that is there already stays as it is. */
  add(lines: readonly string[], reached: Reached): Promise<void>;
  /** Newest first. */
  search(query: AuditQuery, page: { readonly limit: number; readonly after?: IndexCursor }): Promise<IndexPage>;
  /** Oldest first, the end excluded. */
  range(range: { readonly sinceMs: number; readonly untilMs: number }, after?: IndexCursor): Promise<IndexPage>;
  /** Deletes some that are older; true when there may be more. */
  deleteSome(recordClass: RecordClass, beforeMs: number): Promise<boolean>;
}
