/** Name patterns as operators write them: `*` for any characters, `?` for one. */

/**
 * Whether a whole name matches. Case counts. At most `pattern.length * name.length` steps, so that no pattern is costly:
 * that is why it is not made into a regular expression.
 */
export function globMatches(pattern: string, name: string): boolean {
  let at = 0;
  let from = 0;
  let star = -1;
  let starFrom = 0;
  while (from < name.length) {
    if (pattern[at] === '*') {
      star = at++;
      starFrom = from;
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[from])) {
      at++;
      from++;
    } else if (star >= 0) {
      // Only the last star needs to take more: what stood before it has matched as early as it could.
      at = star + 1;
      from = ++starFrom;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
