/** Patterns for SQL's LIKE, escaped with a backslash. What a person asks for is never a pattern by accident. */

const escaped = (text: string): string => text.replaceAll(/[\\%_]/g, (found) => `\\${found}`);

/** Of a glob: `*` for any characters, `?` for one. Undefined when it has no wildcards. */
export function likePattern(glob: string): string | undefined {
  if (!/[*?]/.test(glob)) return undefined;
  return escaped(glob).replaceAll('*', '%').replaceAll('?', '_');
}

/** Anywhere, in lower case. */
export const textPattern = (text: string): string => `%${escaped(text.toLowerCase())}%`;
