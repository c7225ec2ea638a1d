/** The URIs among the subject alternative names of a certificate, from the text that Node makes of them. Pure. */

/**
 * `kind:value` or `kind:"a JSON string"`, after each a comma and a space or the end. Node quotes every value that could be
 * taken for more than one name (CVE-2021-44532), so what does not fit this shape as a whole is not guessed at.
 */
const NAME = /(?<kind>[A-Za-z][A-Za-z0-9 ]*):(?<value>"(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;

/** Undefined when the text is of no known shape. */
export function uriNames(subjectAltName: string | undefined): readonly string[] | undefined {
  if (subjectAltName === undefined) return [];
  const uris: string[] = [];
  NAME.lastIndex = 0;
  for (let at = 0; at < subjectAltName.length; at = NAME.lastIndex) {
    NAME.lastIndex = at;
    const { kind, value = '' } = NAME.exec(subjectAltName)?.groups ?? {};
    if (kind === undefined) return undefined;
    // A quoted value has characters that no SPIFFE id has: it stays in its quotes, and is refused as an id.
    if (kind === 'URI') uris.push(value);
  }
  return uris;
}
