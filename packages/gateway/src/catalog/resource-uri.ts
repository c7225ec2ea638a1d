/**
 * URIs of resources: which may be asked for without being listed, and which template one could have come from. Both in
 * time bounded by the URI's length, because a caller chooses it.
 */

const MAX_URI_LENGTH = 8_192;

/** Escapes that hide a separator or a dot; decoded again and again, as a careless server might. */
const HIDDEN = /%(2e|2f|5c|25)/gi;
const PLAIN: Readonly<Record<string, string>> = { '%2e': '.', '%2f': '/', '%5c': '\\', '%25': '%' };
const MAX_DECODINGS = 4;

/**
 * May an unlisted URI be asked for? One with `.` or `..` segments, however they are written, may not: policy compares text,
 * and `file:///docs/../etc/passwd` begins with `file:///docs/`. RFC 3986, 5.2.4 and 6.2.2: a normalised URI has none.
 */
export function isAskableUri(uri: string): boolean {
  if (uri === '' || uri.length > MAX_URI_LENGTH || !uri.isWellFormed()) return false;
  // oxlint-disable-next-line no-control-regex -- controls are what this refuses
  if (/[\u0000-\u0020\u007f-\u009f]/.test(uri)) return false;
  let plain = uri;
  for (let round = 0; round <= MAX_DECODINGS; round++) {
    if (plain.split(/[/\\?#]/).some((segment) => segment === '.' || segment === '..')) return false;
    const decoded = plain.replace(HIDDEN, (escape) => PLAIN[escape.toLowerCase()] ?? escape);
    if (decoded === plain) return true;
    plain = decoded;
  }
  return false;
}

export type TemplateMatcher = (uri: string) => boolean;

const EXPRESSION = /\{([^{}]*)\}/g;

/**
 * Tells whether a URI can be an expansion of the template (RFC 6570). Literals must stand in their order; a plain `{name}`
 * does not reach over `/`, `?` or `#`, as its expansion would escape them (3.2.2). Where a template has operators
 * (`{+path}`, `{?query}`), every variable may be any text. Undefined for a template that names no scheme: it would claim
 * every URI there is.
 */
export function templateMatcher(template: string): TemplateMatcher | undefined {
  const literals = template.split(EXPRESSION).filter((_, index) => index % 2 === 0);
  const expressions = [...template.matchAll(EXPRESSION)].map((match) => match[1] ?? '');
  const [first = '', ...others] = literals;
  const last = others.pop();
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:/.test(first)) return undefined;
  if (last === undefined) return (uri) => uri === template;
  const plain = expressions.every((expression) => /^[A-Za-z0-9_.%,]+$/.test(expression));
  const fits = (uri: string, start: number, end: number): boolean => !plain || !/[/?#]/.test(uri.slice(start, end));
  return (uri) => {
    if (!uri.startsWith(first) || !uri.endsWith(last)) return false;
    const limit = uri.length - last.length;
    let from = first.length;
    // The earliest place for each literal is enough: whatever a later one leaves to the rest, the earlier leaves as well.
    for (const literal of others) {
      const found = uri.indexOf(literal, from);
      if (found === -1 || !fits(uri, from, found)) return false;
      from = found + literal.length;
    }
    return from <= limit && fits(uri, from, limit);
  };
}
