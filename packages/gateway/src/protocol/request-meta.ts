/** `params._meta` of a request, taken apart: what is ours to read, and what travels on unchanged. */

import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';

/** Keys under this prefix belong to MCP (basic, `_meta`): each side of us writes its own, and no client's travels on. */
const RESERVED_PREFIX = 'io.modelcontextprotocol/';

export type ReadMeta = { readonly progressToken?: string | number; readonly vendor: JsonObject };

const NOTHING: JsonObject = Object.freeze({});
const EMPTY: ReadMeta = Object.freeze({ vendor: NOTHING });

export function readMeta(meta: Json | undefined): ReadMeta {
  if (!isJsonObject(meta)) return EMPTY;
  let vendor: Record<string, Json | undefined> | undefined;
  for (const key of Object.keys(meta)) {
    if (key === 'progressToken' || key.startsWith(RESERVED_PREFIX)) continue;
    vendor ??= {};
    vendor[key] = meta[key];
  }
  const token = meta.progressToken;
  if (typeof token === 'string' || typeof token === 'number')
    return { progressToken: token, vendor: vendor ?? NOTHING };
  return vendor === undefined ? EMPTY : { vendor };
}
