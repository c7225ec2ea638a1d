/**
 * Which arguments a tool wants mirrored into headers (`x-mcp-header`, MCP 2026-07-28). A client on stdio mirrors none, so
 * this remembers what lists of tools say, and does it for the client.
 */

import { isJsonObject, type Json, type JsonObject } from '../../model/json.ts';
import { encodeParamHeaders } from '../../protocol/param-headers.ts';

/** Tools that want it; most want nothing and take no room. */
const MAX_TOOLS = 10_000;

export type ToolHeaders = {
  /** A result of `tools/list`. */
  learn(result: JsonObject): void;
  /** For a `tools/call` with these params. */
  headersFor(params: JsonObject): Readonly<Record<string, string>>;
};

export function createToolHeaders(): ToolHeaders {
  const schemas = new Map<string, JsonObject>();
  return {
    learn({ tools }) {
      for (const tool of Array.isArray(tools) ? tools : []) {
        if (!isJsonObject(tool) || typeof tool['name'] !== 'string') continue;
        const schema = tool['inputSchema'];
        schemas.delete(tool['name']);
        if (isJsonObject(schema) && mentions(schema) && schemas.size < MAX_TOOLS) schemas.set(tool['name'], schema);
      }
    },
    headersFor(params) {
      const name: Json | undefined = params['name'];
      const schema = typeof name === 'string' ? schemas.get(name) : undefined;
      const args = params['arguments'];
      return schema === undefined ? {} : encodeParamHeaders(schema, isJsonObject(args) ? args : {}, undefined);
    },
  };
}

const mentions = (schema: JsonObject): boolean => JSON.stringify(schema).includes('"x-mcp-header"');
