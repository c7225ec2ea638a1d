/** A result with our own word on it: under `_meta` for programs, as a last text block for the model. */

import { isJsonObject, type Json, type JsonObject } from './json.ts';
import type { Raw } from './outcome.ts';

export type Annotation = {
  /** A key of our own prefix, and what stands under it. */
  readonly key: string;
  readonly value: JsonObject;
  readonly text: string;
};

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The result object as text; undefined while it is still arriving. */
export function resultText(result: Raw): string | undefined {
  if (result.kind === 'value') return JSON.stringify(result.value);
  const { head, resultStart, resultEnd, rest } = result.message;
  if (resultEnd === undefined || rest !== undefined) return undefined;
  try {
    return decoder.decode(head.subarray(resultStart, resultEnd));
  } catch {
    return undefined;
  }
}

/** Undefined for what is no result of a tool. */
export function annotated(text: string, { key, value, text: note }: Annotation): Raw | undefined {
  const parsed: unknown = JSON.parse(text);
  if (!isJsonObject(parsed)) return undefined;
  const { _meta: meta, content, resultType: _ours, ...rest } = parsed;
  const blocks: readonly Json[] = isList(content) ? content : [];
  return {
    kind: 'value',
    value: {
      ...rest,
      content: [...blocks, { type: 'text', text: note }],
      _meta: { ...(isJsonObject(meta) ? meta : {}), [key]: value },
    },
  };
}

const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);
