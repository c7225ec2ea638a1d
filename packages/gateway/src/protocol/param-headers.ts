/**
 * `Mcp-Param-*`: tool arguments that a schema's `x-mcp-header` mirrors into HTTP headers (MCP 2026-07-28, basic/transports/
 * streamable-http, Custom Headers from Tool Parameters). As a server we check them against the body, as a client we write
 * them.
 */

import { failure, type Failure } from '../model/failure.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import { err, ok, type Result } from '../model/result.ts';
import { decodeHeaderValue, encodeHeaderValue } from './header-value.ts';

export type ParamHeader = {
  /** The argument's place: property names from the root of the arguments. */
  readonly path: readonly string[];
  /** As declared; compared without regard to case. */
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean';
};

const KEYWORD = 'x-mcp-header';
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const DECIMAL = /^-?\d+(?:\.0+)?$/;

/** A schema deeper than this is not searched: it is invalid for us. */
const MAX_SCHEMA_DEPTH = 64;

/** Keywords whose value is data, not schema: an annotation inside is a value that merely looks like one. */
const DATA_KEYWORDS: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples']);

const isParamType = (type: unknown): type is ParamHeader['type'] =>
  type === 'string' || type === 'integer' || type === 'boolean';

type Scan = { readonly found: ParamHeader[]; readonly names: Set<string> };

/**
 * The declarations of a tool's input schema, or the sentence that says why they break the rules: an HTTP client must then
 * leave the tool out of its list.
 */
export function scanParamHeaders(inputSchema: JsonObject): Result<readonly ParamHeader[], string> {
  const scan: Scan = { found: [], names: new Set() };
  const fault = scanSchema(inputSchema, [], scan);
  return fault === undefined ? ok(scan.found) : err(fault);
}

/** Schemas are immutable once listed. The walk costs 5 us for eight parameters, the look-up next to nothing. */
const scanned = new WeakMap<JsonObject, Result<readonly ParamHeader[], string>>();

function declarationsOf(inputSchema: JsonObject): readonly ParamHeader[] {
  let result = scanned.get(inputSchema);
  if (result === undefined) {
    result = scanParamHeaders(inputSchema);
    scanned.set(inputSchema, result);
  }
  return result.ok ? result.value : [];
}

const at = (path: readonly string[]): string => (path.length === 0 ? 'the root' : path.join('.'));

/** A schema that a chain of `properties` reaches from the root. */
function scanSchema(schema: JsonObject, path: readonly string[], scan: Scan): string | undefined {
  if (path.length > MAX_SCHEMA_DEPTH) return 'the input schema is nested too deeply to be searched for x-mcp-header';
  const declared = schema[KEYWORD];
  if (declared !== undefined) {
    const fault = declare(declared, schema.type, path, scan);
    if (fault !== undefined) return fault;
  }
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === 'properties' && isJsonObject(value)) {
      for (const [name, property] of Object.entries(value)) {
        const fault = isJsonObject(property) ? scanSchema(property, [...path, name], scan) : undefined;
        if (fault !== undefined) return fault;
      }
    } else if (!DATA_KEYWORDS.has(keyword) && holdsDeclaration(value, path.length)) {
      return `x-mcp-header under ${keyword} of ${at(path)} is not reachable through properties alone`;
    }
  }
  return undefined;
}

function declare(name: Json, type: Json | undefined, path: readonly string[], scan: Scan): string | undefined {
  if (path.length === 0) return 'x-mcp-header stands at the root of the schema, where there is no argument';
  if (typeof name !== 'string' || !TOKEN.test(name)) return `x-mcp-header of ${at(path)} is not a header name`;
  if (!isParamType(type)) return `x-mcp-header of ${at(path)} needs type string, integer or boolean`;
  const key = name.toLowerCase();
  if (scan.names.has(key)) return `x-mcp-header ${name} is declared more than once`;
  scan.names.add(key);
  scan.found.push({ path, name, type });
  return undefined;
}

/** Anything below a place that `properties` alone does not reach. Too deep counts as a declaration: it is refused. */
function holdsDeclaration(value: Json | undefined, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth > MAX_SCHEMA_DEPTH) return true;
  if (!isJsonObject(value)) return value.some((element) => holdsDeclaration(element, depth + 1));
  if (typeof value[KEYWORD] === 'string') return true;
  return Object.entries(value).some(([key, member]) => !DATA_KEYWORDS.has(key) && holdsDeclaration(member, depth + 1));
}

function argumentAt(args: JsonObject, path: readonly string[]): Json | undefined {
  let value: Json | undefined = args;
  for (const step of path) {
    if (!isJsonObject(value) || !Object.hasOwn(value, step)) return undefined;
    value = value[step];
  }
  return value;
}

/** Undefined for what has no header form: then the schema, which is checked too, is broken as well. */
function textOf(value: Json | undefined): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'boolean' || typeof value === 'number' ? String(value) : undefined;
}

const differs = (name: string, why: string): Failure =>
  failure('header-mismatch', { message: `The Mcp-Param-${name} header ${why}.` });

/**
 * Compares what the client mirrored with what it sent in the body. `headers` are `meta.paramHeaders`; headers that the
 * schema does not declare are not ours to judge. An argument that is absent or null must have no header.
 */
export function checkParamHeaders(
  inputSchema: JsonObject,
  args: JsonObject,
  headers: Readonly<Record<string, string>>,
): Failure | undefined {
  for (const { path, name, type } of declarationsOf(inputSchema)) {
    const sent = Object.hasOwn(headers, name.toLowerCase()) ? headers[name.toLowerCase()] : undefined;
    const value = argumentAt(args, path);
    if (value === undefined || value === null) {
      if (sent !== undefined) return differs(name, `was sent, but the argument ${at(path)} is not in the body`);
      continue;
    }
    const text = textOf(value);
    if (text === undefined) continue;
    if (sent === undefined) return differs(name, `is missing; it must repeat the argument ${at(path)}`);
    const decoded = decodeHeaderValue(sent);
    if (decoded === undefined) return differs(name, 'holds characters or base64 that are not allowed');
    const equal =
      type === 'integer' && typeof value === 'number' && DECIMAL.test(decoded)
        ? Number(decoded) === value
        : decoded === text;
    if (!equal) return differs(name, `differs from the argument ${at(path)}`);
  }
  return undefined;
}

/**
 * The headers of a `tools/call` to an upstream, lower-case. Declared ones are made from the arguments; what the client sent
 * beyond them (`forwarded`, from `meta.paramHeaders`) goes on, as an intermediary must let it.
 */
export function encodeParamHeaders(
  inputSchema: JsonObject | undefined,
  args: JsonObject,
  forwarded: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name in forwarded) headers[`mcp-param-${name}`] = forwarded[name] ?? '';
  if (inputSchema === undefined) return headers;
  for (const { path, name } of declarationsOf(inputSchema)) {
    const text = textOf(argumentAt(args, path));
    const header = `mcp-param-${name.toLowerCase()}`;
    if (text === undefined) delete headers[header];
    else headers[header] = encodeHeaderValue(text);
  }
  return headers;
}
