/**
 * What an operator needs to know of a failure beside its code: what the caller was told, what the server answered and wrote
 * to stderr meanwhile, and where our own code failed. These are other people's words, or may hold them, so all of it is
 * redacted first and then cut, 4 kB of ASCII in all.
 */

import { FAILURES, type Failure, type FailureCode } from '../model/failure.ts';
import type { Redactor } from '../model/redaction.ts';
import { canonicalStart } from './argument-digest.ts';
import { quoteWithin } from './ascii-json.ts';
import type { AuditEvent } from './audit-log.ts';
import { stackText } from './stack-text.ts';

/** Characters of ASCII, escapes included; 4 kB in all with the names of the members. */
const MAX_ASCII = { message: 500, upstreamMessage: 500, data: 800, stack: 1200, stderr: 800 } as const;

/** What is looked at before it is cut: a secret that is cut in two is not known for one any more. */
const MAX_LOOKED_AT = 8192;
const MAX_STDERR_LINES = 20;
const MAX_RULES = 16;

/** Empty where nothing is to be told. */
export function diagnosis(event: AuditEvent, redactText: Redactor['text']): string {
  const { failure, principal, outcome } = event;
  if (outcome === 'ok') return '';
  const rules = new Set<string>();
  const shown = (text: string, maxAscii: number): string => {
    const redacted = redactText(text.slice(0, MAX_LOOKED_AT));
    for (const rule of redacted.rules) rules.add(rule);
    return quoteWithin(redacted.value, maxAscii);
  };
  const parts = [
    // Whoever is not known may have written a credential where none belongs.
    ...(principal === undefined ? [] : messageOf(failure, shown)),
    ...upstreamError(failure, shown),
    ...stderrOf(event, shown),
    ...(failure?.code === 'internal' ? [`"stack":${shown(stackText(failure.cause), MAX_ASCII.stack)}`] : []),
  ];
  if (parts.length === 0) return '';
  const found = [...rules].slice(0, MAX_RULES).map((rule) => quoteWithin(rule, 64));
  return `,"diagnosis":{${parts.join(',')}${found.length === 0 ? '' : `,"redacted":[${found.join(',')}]`}}`;
}

type Show = (text: string, maxAscii: number) => string;

/**
 * What a caller is told of its own doing can quote its arguments, as the question for an approval does: of those only what
 * names no values. What is told of servers and of us never does.
 */
const TELLS_NO_VALUES: ReadonlySet<FailureCode> = new Set([
  'invalid-arguments',
  'insufficient-scope',
  'quota-exceeded',
  'unknown-server',
  'unknown-tool',
  'unknown-prompt',
  'unknown-resource',
]);

function messageOf(failure: Failure | undefined, shown: Show): readonly string[] {
  if (failure?.message === undefined) return [];
  const { code, message } = failure;
  if (FAILURES[code].fault === 'caller' && !TELLS_NO_VALUES.has(code)) return [];
  return [`"message":${shown(message, MAX_ASCII.message)}`];
}

function upstreamError(failure: Failure | undefined, shown: Show): readonly string[] {
  const upstream = failure?.upstream;
  if (upstream === undefined) return [];
  const { code, message, data } = upstream;
  const told = data === undefined ? '' : `,"data":${shown(canonicalStart(data, MAX_LOOKED_AT), MAX_ASCII.data)}`;
  return [`"upstream":{"code":${Math.trunc(code)},"message":${shown(message, MAX_ASCII.upstreamMessage)}${told}}`];
}

/** The last lines that fit, of the last attempts that wrote any. A process that serves several calls wrote for all of them. */
function stderrOf({ attempts = [] }: AuditEvent, shown: Show): readonly string[] {
  const lines = attempts.flatMap(({ stderr = [] }) => stderr).slice(-MAX_STDERR_LINES);
  const kept: string[] = [];
  let left: number = MAX_ASCII.stderr;
  for (const line of lines.toReversed()) {
    const text = shown(line, Math.max(left, 40));
    if (text.length > left) break;
    kept.unshift(text);
    left -= text.length + 1;
  }
  return kept.length === 0 ? [] : [`"stderr":[${kept.join(',')}]`];
}
