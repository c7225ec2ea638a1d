/** "Did you mean": the known name closest to the one that was given. Small and pure, for every message that suggests. */

/** Longer names are never compared: the cost of one comparison stays below 64 x 64 steps. */
const MAX_LENGTH = 64;

/** More candidates than this are not looked at, so that a hostile list of names costs little. */
const MAX_CANDIDATES = 512;

/**
 * The candidate that is a plausible slip of `name`, or `undefined` when none is near: at most a third of the longer
 * name's characters may differ (inserted, dropped, replaced or two neighbours swapped), and at least one is allowed.
 * Case counts for nothing. The earliest of equally near candidates wins. Only pass names that the reader may know of.
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length === 0 || name.length > MAX_LENGTH) return undefined;
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  let seen = 0;
  for (const candidate of candidates) {
    if (++seen > MAX_CANDIDATES) break;
    if (candidate.length === 0 || candidate.length > MAX_LENGTH) continue;
    const allowed = Math.max(1, Math.floor(Math.max(name.length, candidate.length) / 3));
    if (Math.abs(candidate.length - name.length) > allowed) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    // A one-letter name is one edit away from every other one-letter name: that is no slip.
    if (distance > allowed || distance >= Math.max(name.length, candidate.length)) continue;
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Optimal string alignment: insert, drop, replace, or swap two neighbours, each for one. Three rows of memory. */
export function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from.charCodeAt(row - 1) === to.charCodeAt(column - 1);
      let cost = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (same ? 0 : 1),
      );
      if (
        row > 1 &&
        column > 1 &&
        from.charCodeAt(row - 1) === to.charCodeAt(column - 2) &&
        from.charCodeAt(row - 2) === to.charCodeAt(column - 1)
      ) {
        cost = Math.min(cost, at(beforePrevious, column - 2) + 1);
      }
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, to.length);
}

/** Every index asked for exists; infinity keeps the type honest and can never win a minimum. */
const at = (row: readonly number[], column: number): number => row[column] ?? Number.POSITIVE_INFINITY;
