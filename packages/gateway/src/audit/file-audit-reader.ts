/**
 * Reads the record from its files: one gateway's own. A search begins at the newest record and goes back in small pieces, so
 * that it holds nobody up; a page looks through so many bytes and no more, and `next` goes on from there.
 */

import { refuse } from '../model/failure.ts';
import { quote } from './ascii-json.ts';
import type { AuditReader, FoundPage, PageWanted, TimeRange } from './audit-reader.ts';
import { piecesBackwards, readRange, type PlacedLine } from './backward-lines.ts';
import { decodeCursor, encodeCursor, type RecordCursor } from './record-cursor.ts';
import { openRecordFile, recordFiles, type OpenedFile } from './record-files.ts';
import { INTERRUPTED, matcherOf, type AuditQuery, type Found } from './search.ts';
import { toldRecord } from './told-record.ts';
import { MAX_LINE_CHARS } from './verify.ts';

export type FileAuditReaderOptions = {
  /** The file that is written to; those before it lie beside it. */
  readonly path: string;
  /** What one page looks through. */
  readonly maxPageBytes?: number;
  /** Searches at a time; further ones are refused. */
  readonly maxSearches?: number;
};

/** A gateway's clock may be set back: records are in the order of the chain, and only nearly in that of time. */
const SLACK_MS = 3_600_000;

export function createFileAuditReader(options: FileAuditReaderOptions): AuditReader {
  const { path, maxPageBytes = 32 * 1024 * 1024, maxSearches = 4 } = options;
  if (!(maxPageBytes >= 1 && maxSearches >= 1)) throw new RangeError('maxPageBytes and maxSearches must be above 0.');
  let searches = 0;
  return {
    async search(query, page) {
      if (searches >= maxSearches) {
        const message = 'The record is being searched as often as it may be at a time. Try again shortly.';
        throw refuse('overloaded', { message, retryAfterMs: 1_000 });
      }
      searches += 1;
      try {
        return await searchFiles(path, query, page, maxPageBytes);
      } finally {
        searches -= 1;
      }
    },
    lines: (range) => recordLines(path, range),
  };
}

async function searchFiles(
  path: string,
  query: AuditQuery,
  { limit, after, signal }: PageWanted,
  maxBytes: number,
): Promise<FoundPage> {
  const cursor = after === undefined ? undefined : decodeCursor(after);
  if (after !== undefined && cursor === undefined) throw refuse('invalid-cursor');
  const files = (await recordFiles(path)).toReversed();
  const from = cursor === undefined ? 0 : files.indexOf(cursor.file);
  if (from === -1) {
    throw refuse('invalid-cursor', { message: 'The records from here on are not kept any more. Search again.' });
  }
  const search = new BackwardSearch(query, limit, cursor);
  let bytes = 0;
  for (const [index, first] of files.slice(from).entries()) {
    const opened = await openRecordFile(path, first);
    if (opened === undefined) continue;
    await using file = opened.file;
    const end = cursor !== undefined && index === 0 ? await checkedEnd(opened, cursor) : opened.bytes;
    if (query.untilMs !== undefined && opened.timeMs >= query.untilMs + SLACK_MS) continue;
    for await (const piece of piecesBackwards(file, end)) {
      if (signal?.aborted === true) throw refuse('cancelled');
      bytes += piece.bytes;
      const at = search.take(piece.lines);
      if (search.tooOld) return { found: search.found };
      if (at === undefined && bytes < maxBytes) continue;
      const stopped = at ?? piece.lines.at(-1)?.at ?? 0;
      return { found: search.found, next: encodeCursor({ file: first, end: stopped, ...search.memory }) };
    }
  }
  return { found: search.found };
}

/** Takes records from the newest to the oldest: the outcome of a call before its intent. */
class BackwardSearch {
  readonly found: Found[] = [];
  /** What is still to come is older than anything asked for. */
  tooOld = false;
  readonly #query: AuditQuery;
  readonly #limit: number;
  readonly #isMatch: (found: Found) => boolean;
  /** A text that every record asked for holds: most lines need not be parsed. */
  readonly #needle: string;
  readonly #settled: Set<number>;
  readonly #unsure: RecordCursor['unsure'];

  constructor(query: AuditQuery, limit: number, cursor: RecordCursor | undefined) {
    this.#query = query;
    this.#limit = limit;
    this.#isMatch = matcherOf(query);
    this.#needle = needleOf(query);
    this.#settled = new Set(cursor?.settled);
    this.#unsure = cursor?.unsure;
  }

  get memory(): Pick<RecordCursor, 'settled' | 'unsure'> {
    const settled = [...this.#settled];
    return this.#unsure === undefined ? { settled } : { settled, unsure: this.#unsure };
  }

  /** Where it stopped, once the page is full. */
  take(lines: readonly PlacedLine[]): number | undefined {
    for (const { line, at } of lines) {
      if (this.#takeLine(line) && this.found.length >= this.#limit) return at;
      if (this.tooOld) return at;
    }
    return undefined;
  }

  #takeLine(line: string): boolean {
    if (!line.includes(this.#needle)) return false;
    const record = toldRecord(line);
    if (record === undefined) return false;
    const { sinceMs = 0 } = this.#query;
    this.tooOld = record.timeMs < sinceMs - SLACK_MS;
    const found = record.event === 'intent' ? this.#intent({ record, line }) : { record, line };
    if (record.intentSequence !== undefined) this.#settled.add(record.intentSequence);
    if (found === undefined || !this.#isMatch(found)) return false;
    this.found.push(found);
    return true;
  }

  #intent(found: Found): Found | undefined {
    const { sequence } = found.record;
    const isSettled = this.#settled.delete(sequence);
    if (isSettled) return this.#query.intents === true ? found : undefined;
    const [from, to] = this.#unsure ?? [1, 0];
    if (sequence >= from && sequence <= to) return this.#query.intents === true ? found : undefined;
    return { line: found.line, record: { ...found.record, outcome: INTERRUPTED } };
  }
}

/** An outcome and its intent have the same tenant and the same request, so that neither is passed over alone. */
function needleOf({ request, onlyTenant }: AuditQuery): string {
  if (request !== undefined) return quote(request);
  return onlyTenant === undefined ? '' : `"tenant_uid":${quote(onlyTenant)}`;
}

/** A place that is no end of a line was made up by somebody. */
async function checkedEnd({ file, bytes }: OpenedFile, { end }: RecordCursor): Promise<number> {
  if (end === 0) return 0;
  const [before] = end > bytes ? [] : await readRange(file, end - 1, end);
  if (before !== 0x0a) throw refuse('invalid-cursor');
  return end;
}

/** Is told how many bytes of how many were read. */
export type Progress = (readBytes: number, totalBytes: number) => void;

/** Every record of that time, oldest first; files that lie outside of it are not read. */
export async function* recordLines(path: string, range: TimeRange, progress?: Progress): AsyncGenerator<string> {
  const files = await filesWithin(path, range);
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let before = 0;
  for (const { first, bytes } of files) {
    const opened = await openRecordFile(path, first);
    if (opened === undefined) continue;
    // No further than it reached when it was looked at: what is written meanwhile has no end. The stream closes the file.
    const stream = opened.file.createReadStream({ encoding: 'latin1', highWaterMark: PIECE_BYTES, end: bytes - 1 });
    let read = 0;
    let rest = '';
    for await (const chunk of stream) {
      const text = String(chunk);
      read += text.length;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE_CHARS) rest = '';
      for (const line of lines) if (isWithin(line, range)) yield line;
      progress?.(before + read, total);
    }
    before += bytes;
  }
}

const PIECE_BYTES = 64 * 1024;

async function filesWithin(
  path: string,
  { sinceMs, untilMs }: TimeRange,
): Promise<readonly { readonly first: number; readonly bytes: number }[]> {
  const found: { first: number; bytes: number; timeMs: number }[] = [];
  for (const first of await recordFiles(path)) {
    const opened = await openRecordFile(path, first);
    if (opened === undefined) continue;
    await opened.file.close();
    if (opened.bytes > 0) found.push({ first, bytes: opened.bytes, timeMs: opened.timeMs });
  }
  return found.filter(({ timeMs }, index) => {
    const next = found[index + 1]?.timeMs ?? Infinity;
    return timeMs < untilMs + SLACK_MS && next >= sinceMs - SLACK_MS;
  });
}

/** Every record begins with what it is, and then its time: nothing that a client chose stands before it. */
const TIME = /"time":(\d{1,16})[,}]/;

function isWithin(line: string, { sinceMs, untilMs }: TimeRange): boolean {
  const timeMs = Number(TIME.exec(line)?.[1]);
  return timeMs >= sinceMs && timeMs < untilMs;
}
