/**
 * The MCP headers of an HTTP request, picked out of the raw list in one pass. Raw, because a header that was sent twice
 * must be seen twice: a proxy may read the first and a server the last.
 */

export type McpHeaders = {
  /** `MCP-Protocol-Version`. */
  readonly protocolVersion?: string;
  /** `Mcp-Session-Id`. */
  readonly sessionId?: string;
  /** `Mcp-Method`. */
  readonly method?: string;
  /** `Mcp-Name`, still encoded. */
  readonly name?: string;
  /** `Mcp-Param-*` by lower-case name without the prefix, still encoded. */
  readonly params: Readonly<Record<string, string>>;
  /** The first header of these that was sent more than once: such a request is refused. */
  readonly repeated?: string;
};

type Field = 'protocolVersion' | 'sessionId' | 'method' | 'name';

const FIELDS: ReadonlyMap<string, Field> = new Map([
  ['mcp-protocol-version', 'protocolVersion'],
  ['mcp-session-id', 'sessionId'],
  ['mcp-method', 'method'],
  ['mcp-name', 'name'],
]);

const PARAM_PREFIX = 'mcp-param-';
const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({});

/** RFC 9110, 5.5: optional whitespace around a field value is no part of it. */
function trim(value: string): string {
  const isBlank = (index: number): boolean => value.charCodeAt(index) === 0x20 || value.charCodeAt(index) === 0x09;
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(start)) start += 1;
  while (end > start && isBlank(end - 1)) end -= 1;
  return end - start === value.length ? value : value.slice(start, end);
}

const isMcp = (name: string): boolean => {
  const first = name.charCodeAt(0);
  return (first === 0x6d || first === 0x4d) && name.length > 7 && name.charCodeAt(3) === 0x2d;
};

/** `rawHeaders` alternates names and values, as `node:http` gives them. */
export function readMcpHeaders(rawHeaders: readonly string[]): McpHeaders {
  const found: { -readonly [K in keyof McpHeaders]: McpHeaders[K] } = { params: NO_PARAMS };
  let params: Map<string, string> | undefined;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name === undefined || !isMcp(name)) continue;
    const lower = name.toLowerCase();
    const value = trim(rawHeaders[index + 1] ?? '');
    const field = FIELDS.get(lower);
    if (field !== undefined) {
      if (found[field] !== undefined) found.repeated ??= lower;
      found[field] = value;
    } else if (lower.startsWith(PARAM_PREFIX)) {
      params ??= new Map();
      const key = lower.slice(PARAM_PREFIX.length);
      if (params.has(key)) found.repeated ??= lower;
      params.set(key, value);
    }
  }
  if (params !== undefined) found.params = Object.freeze(Object.fromEntries(params));
  return found;
}
