/** Glob patterns over names: `*` is any text, `?` any one character. Time is bounded by pattern times text. */

/** Does the whole of `text` match? Compared code unit by code unit; case counts. */
export function matchesGlob(pattern: string, text: string): boolean {
  let position = 0;
  let at = 0;
  let star = -1;
  let resume = 0;
  while (position < text.length) {
    if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[position]) && pattern[at] !== '*') {
      at += 1;
      position += 1;
    } else if (pattern[at] === '*') {
      star = at;
      resume = position;
      at += 1;
    } else if (star !== -1) {
      // The last star takes one character more. Earlier stars never need another try.
      at = star + 1;
      resume += 1;
      position = resume;
    } else return false;
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}
