/**
 * Where a search of the files goes on: behind which record, in which file, and of which intents the outcome was seen
 * already. A file is named by its first record, because at a rotation it gets another name. Not a secret and not trusted:
 * whoever hands it to a client seals it, and what comes back is checked against the files.
 */

export type RecordCursor = {
  /** The number of the first record of the file. */
  readonly file: number;
  /** Where in it the records end that are still to be looked through, in bytes. */
  readonly end: number;
  /** Intents whose outcome stands behind `end`: they were not interrupted. */
  readonly settled: readonly number[];
  /** Between these numbers more of them were seen than a cursor holds: there no intent is called interrupted. */
  readonly unsure?: readonly [from: number, to: number];
};

/** Calls that were in flight at one moment and are not read-only. With these a sealed cursor is below 4 KiB. */
const MAX_SETTLED = 400;

export function encodeCursor({ file, end, settled, unsure }: RecordCursor): string {
  const newest = settled.toSorted((a, b) => b - a);
  const left = newest.slice(MAX_SETTLED);
  const [from, to] = unsure ?? [];
  const lowest = Math.min(left.at(-1) ?? Infinity, from ?? Infinity);
  const highest = Math.max(left[0] ?? 0, to ?? 0);
  const range = lowest === Infinity ? ['', ''] : [lowest.toString(36), highest.toString(36)];
  // Neighbours differ by little: most of them take one or two characters.
  const steps = newest.slice(0, MAX_SETTLED).map((one, index) => ((newest[index - 1] ?? one) - one).toString(36));
  return [file.toString(36), end.toString(36), ...range, newest[0]?.toString(36) ?? '', ...steps.slice(1)].join('.');
}

const MAX_CHARS = 8_192;

/** Undefined when it is none of ours. */
export function decodeCursor(text: string): RecordCursor | undefined {
  if (text.length > MAX_CHARS || !/^[0-9a-z.]+$/.test(text)) return undefined;
  const [file, end, from, to, newest = '', ...steps] = text.split('.');
  if (steps.length >= MAX_SETTLED) return undefined;
  const settled: number[] = [];
  let at = newest === '' ? undefined : whole(newest);
  if (newest !== '' && at === undefined) return undefined;
  if (newest === '' && steps.length > 0) return undefined;
  if (at !== undefined) settled.push(at);
  for (const step of steps) {
    const by = whole(step);
    if (at === undefined || by === undefined) return undefined;
    at -= by;
    settled.push(at);
  }
  const place = { file: whole(file), end: whole(end) };
  if (place.file === undefined || place.end === undefined) return undefined;
  const range = from === '' && to === '' ? [] : [whole(from), whole(to)];
  const [low, high] = range;
  if (range.length === 2 && (low === undefined || high === undefined)) return undefined;
  return {
    file: place.file,
    end: place.end,
    settled,
    ...(low === undefined || high === undefined ? {} : { unsure: [low, high] }),
  };
}

function whole(text: string | undefined): number | undefined {
  const value = text === undefined || text === '' ? Number.NaN : Number.parseInt(text, 36);
  return Number.isSafeInteger(value) ? value : undefined;
}
