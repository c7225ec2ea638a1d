/**
 * Reads an audit file for a question: which records match, in their order. One pass in little memory, whatever the size of
 * the file. An intent is shown only when no outcome followed: then a call may have been made, and nobody knows how it ended.
 */

import { globMatches } from '../model/glob.ts';
import { toldRecord, type RecordKind, type ToldRecord } from './told-record.ts';

export type AuditQuery = {
  /** Patterns (`*`, `?`) over the caller's name, `server/tool`, and the server. */
  readonly who?: string;
  readonly tool?: string;
  readonly server?: string;
  /** A pattern over what the client calls itself, and over its OAuth client. */
  readonly client?: string;
  readonly tenant?: string;
  readonly kind?: RecordKind;
  /** The run that the client claimed, exactly. */
  readonly run?: string;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly decision?: 'allowed' | 'denied';
  /** `ok`, `refused`, `failed`, `tool_error`, `input_required`, `interrupted`, or the code of a failure. */
  readonly outcome?: string;
  readonly request?: string;
  /**
   * Exactly this tenant's records: what keeps tenants apart, so never a pattern, and set from a credential alone. Absent:
   * everyone's, and what belongs to nobody: the writer's own records, failed authentications.
   */
  readonly onlyTenant?: string;
  /** Intents as well, though their outcome followed: one request's whole story. */
  readonly intents?: true;
  /** Anywhere in the line, whatever its case. */
  readonly text?: string;
};

export type Found = { readonly record: ToldRecord; readonly line: string };

export type Search = {
  /** Takes the next line of the file; what it found, if anything. */
  take(line: string): readonly Found[];
  /** Intents that are still without an outcome at the end of the file. */
  end(): readonly Found[];
  /** Lines that were no records. */
  readonly unreadable: number;
  readonly read: number;
};

/** Intents without an outcome yet: as many as calls were ever in flight at a time, and a bound in case they are not. */
const MAX_OPEN_INTENTS = 100_000;

export function createSearch(query: AuditQuery): Search {
  const open = new Map<number, Found>();
  const isMatch = matcherOf(query);
  let unreadable = 0;
  let read = 0;

  const matching = (found: readonly Found[]): readonly Found[] => found.filter(isMatch);

  const interrupted = (): readonly Found[] => {
    const left = [...open.values()].map(({ record, line }) => ({ record: { ...record, outcome: INTERRUPTED }, line }));
    open.clear();
    return left;
  };

  return {
    take(line) {
      if (line === '') return [];
      read += 1;
      const record = toldRecord(line);
      if (record === undefined) {
        unreadable += 1;
        return [];
      }
      if (record.event === 'intent') {
        if (query.intents === true) return matching([{ record, line }]);
        open.set(record.sequence, { record, line });
        const [oldest] = open.keys();
        if (open.size <= MAX_OPEN_INTENTS || oldest === undefined) return [];
        open.delete(oldest);
        return [];
      }
      if (record.intentSequence !== undefined) open.delete(record.intentSequence);
      // A new writer: what the one before had begun has no outcome any more.
      const before = record.event === 'opened' ? interrupted() : [];
      return matching([...before, { record, line }]);
    },
    end: () => matching(interrupted()),
    get unreadable() {
      return unreadable;
    },
    get read() {
      return read;
    },
  };
}

export const INTERRUPTED = 'interrupted';

/** Is this one of those that are asked for? Which intents are shown is the reader's matter. */
export function matcherOf(query: AuditQuery): (found: Found) => boolean {
  const text = query.text?.toLowerCase();
  return ({ record, line }) => matches(record, query) && (text === undefined || line.toLowerCase().includes(text));
}

function matches(record: ToldRecord, query: AuditQuery): boolean {
  const { who, tool, server, client, tenant, kind, run, sinceMs, untilMs, decision, outcome, request, onlyTenant } =
    query;
  return (
    // First: whose a record is comes before everything that it says. No record is of the tenant "".
    (onlyTenant === undefined || (onlyTenant !== '' && record.tenant === onlyTenant)) &&
    (kind === undefined || record.kind === kind) &&
    (run === undefined || record.run === run) &&
    (tenant === undefined || globMatches(tenant, record.tenant)) &&
    (client === undefined || globMatches(client, record.client) || globMatches(client, record.clientId)) &&
    (who === undefined || globMatches(who, record.who)) &&
    (tool === undefined || globMatches(tool, record.target)) &&
    (server === undefined || globMatches(server, record.server)) &&
    (sinceMs === undefined || record.timeMs >= sinceMs) &&
    (untilMs === undefined || record.timeMs < untilMs) &&
    (decision === undefined || record.decision === decision) &&
    (outcome === undefined || record.outcome === outcome || record.result === outcome) &&
    (request === undefined || record.requestId === request)
  );
}
