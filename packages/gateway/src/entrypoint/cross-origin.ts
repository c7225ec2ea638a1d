/** CORS (WHATWG Fetch, 3.3) for web clients whose origin was allowed. Others were refused before this. */

const METHODS = 'GET, POST, DELETE, OPTIONS';
const EXPOSED = 'Mcp-Session-Id, WWW-Authenticate, Retry-After';
const MAX_AGE_SECONDS = '600';
const REQUEST_HEADERS: ReadonlySet<string> = new Set([
  'accept',
  'authorization',
  'content-type',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
]);
/** One for each annotated argument of a tool, so their names are not known beforehand. */
const PARAM_HEADER = /^mcp-param-[a-z0-9!#$%&'*+.^_`|~-]+$/;

const NONE: readonly string[] = [];

/** Headers of every answer to `origin`, names and values in turn. None for a request that is not from the web. */
export const crossOriginHeaders = (origin: string | undefined): readonly string[] =>
  origin === undefined
    ? NONE
    : ['Access-Control-Allow-Origin', origin, 'Access-Control-Expose-Headers', EXPOSED, 'Vary', 'Origin'];

/** What a preflight is told beside `crossOriginHeaders`. */
export function preflightHeaders(requestedHeaders: string | undefined): readonly string[] {
  const requested = (requestedHeaders ?? '').split(',').map((name) => name.trim().toLowerCase());
  const allowed = requested.filter((name) => REQUEST_HEADERS.has(name) || PARAM_HEADER.test(name));
  const headers = ['Access-Control-Allow-Methods', METHODS, 'Access-Control-Max-Age', MAX_AGE_SECONDS];
  return allowed.length === 0 ? headers : [...headers, 'Access-Control-Allow-Headers', allowed.join(', ')];
}
