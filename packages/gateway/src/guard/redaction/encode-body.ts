/** What the redaction thread does with one body: reads it, takes out what must not be kept, and writes what may. */

import { isJsonObject, type Json, type JsonObject } from '../../model/json.ts';
import type { BodyOf, EncodedBody, RawBody } from '../../model/redaction.ts';
import { closedJson } from './cut-json.ts';
import { redactBody, type Walk } from './redact-body.ts';
import type { TextRedactor } from './redact-text.ts';
import type { SecretlintPass } from './secretlint-pass.ts';
import { pathsFor, withoutPaths, type ToolRule } from './tool-rules.ts';

export type EncodeParts = {
  readonly redactor: TextRedactor;
  readonly tools: readonly ToolRule[];
  readonly secretlint: SecretlintPass;
};

export type BodyJob = { readonly body: RawBody; readonly of: BodyOf; readonly maxBytes: number };

const decoder = new TextDecoder();

export async function encodeBody({ body, of, maxBytes }: BodyJob, parts: EncodeParts): Promise<EncodedBody> {
  const paths = pathsFor(parts.tools, of);
  if (paths === undefined) return { kind: 'withheld', because: 'rule' };
  const read = readBody(body);
  if (read === undefined) return { kind: 'withheld', because: 'unreadable' };
  const walk: Walk = { redactor: parts.redactor, rules: new Set() };
  const own = redactBody(withoutPaths(read.value, paths, walk.rules), walk);
  const text = JSON.stringify(await lintBody(own, walk.rules, parts.secretlint));
  if (Buffer.byteLength(text) <= maxBytes) return { kind: 'redacted', text, rules: [...walk.rules], cut: read.cut };
  // Bytes are at least as many as characters, so this may keep more than it should by what is not ASCII: once more then.
  const kept = closedJson(text.slice(0, (maxBytes * text.length) / Buffer.byteLength(text)));
  if (kept === undefined) return { kind: 'withheld', because: 'unreadable' };
  return { kind: 'redacted', text: kept.json, rules: [...walk.rules], cut: true };
}

type Read = { readonly value: JsonObject; readonly cut: boolean };

function readBody(body: RawBody): Read | undefined {
  if ('value' in body) return { value: body.value, cut: false };
  const text = decoder.decode(body.bytes);
  const closed = body.whole ? { json: text, complete: true } : closedJson(text);
  if (closed === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(closed.json);
    return isJsonObject(parsed) ? { value: parsed, cut: !closed.complete } : undefined;
  } catch {
    return undefined;
  }
}

/** Shorter ones hold nothing that secretlint knows. */
const LEAST_CHARS = 12;

async function lintBody(body: JsonObject, rules: Set<string>, secretlint: SecretlintPass): Promise<Json> {
  const texts: string[] = [];
  mapTexts(body, (text) => {
    texts.push(text);
    return text;
  });
  if (texts.length === 0) return body;
  const linted = (await secretlint(texts, rules))[Symbol.iterator]();
  return mapTexts(body, (text) => linted.next().value ?? text);
}

function mapTexts(value: Json, map: (text: string) => string): Json {
  if (typeof value === 'string') return value.length < LEAST_CHARS ? value : map(value);
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map((item) => mapTexts(item, map));
  const members = Object.entries(value).map(([name, member]) => [name, mapTexts(member ?? null, map)] as const);
  return Object.fromEntries(members);
}

const isList = (value: readonly Json[] | JsonObject): value is readonly Json[] => Array.isArray(value);
