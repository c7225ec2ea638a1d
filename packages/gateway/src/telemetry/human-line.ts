/** Log lines for a person at a terminal: calm, aligned, one per event. JSON is for machines. */

import { inspect } from 'node:util';

import type { LogFields } from './logger.ts';

export type LogLevelName = 'debug' | 'info' | 'warn' | 'error';

export type HumanLine = {
  readonly level: LogLevelName;
  readonly fields: LogFields;
  readonly message: string;
  readonly time: Date;
  readonly color: boolean;
  /** Of `fields.err`, instead of what is made of it here. */
  readonly errorText?: string;
};

const PRINCIPAL_CHARS = 10;
const TARGET_CHARS = 34;
const OUTCOME_CHARS = 16;
const DURATION_CHARS = 7;

/** Fields that a call's line shows in their own places. */
const CALL_FIELDS = new Set([
  'principal',
  'method',
  'target',
  'outcome',
  'durationMs',
  'requestId',
  // For machines: the request id finds it, too.
  'traceId',
  'reason',
  'err',
]);

/** One line, or more where a fault of ours has a stack; without the last newline. */
export function humanLine(line: HumanLine): string {
  const { fields } = line;
  const paint = line.color ? colored : plain;
  const text = fields.outcome !== undefined && fields.target !== undefined ? call(line, paint) : event(line, paint);
  const time = paint('dim', line.time.toTimeString().slice(0, 8));
  return `${time}  ${text}${stack(line)}`;
}

/** `alice  files/read_text_file  ok  12 ms`; what did not go well also has its reason and the id to look it up by. */
function call({ fields, level }: HumanLine, paint: Paint): string {
  const outcome = textOf(fields.outcome);
  const method = textOf(fields.method);
  const target = textOf(fields.target) + (method === '' || method === 'tools/call' ? '' : ` ${method}`);
  const tone = outcome === 'ok' ? 'green' : level === 'error' || level === 'warn' ? 'red' : 'yellow';
  const parts = [
    (textOf(fields.principal) || '-').padEnd(PRINCIPAL_CHARS),
    target.padEnd(TARGET_CHARS),
    paint(tone, outcome.padEnd(OUTCOME_CHARS)),
    durationText(fields.durationMs).padStart(DURATION_CHARS),
  ];
  if (outcome !== 'ok') {
    const reason = textOf(fields.reason);
    if (reason !== '') parts.push(reason);
    parts.push(paint('dim', `(request ${textOf(fields.requestId)})`));
  }
  const rest = otherFields(fields, CALL_FIELDS);
  if (rest !== '') parts.push(paint('dim', rest));
  return parts.join('  ').trimEnd();
}

function event({ fields, level, message }: HumanLine, paint: Paint): string {
  const mark = level === 'error' ? paint('red', 'error  ') : level === 'warn' ? paint('yellow', 'warning  ') : '';
  const rest = otherFields(fields, new Set(['err']));
  return `${mark}${safe(message)}${rest === '' ? '' : `  ${paint('dim', rest)}`}`;
}

const otherFields = (fields: LogFields, shown: ReadonlySet<string>): string =>
  Object.entries(fields)
    .filter(([name, value]) => value !== undefined && !shown.has(name))
    .map(([name, value]) => `${name}=${quoted(textOf(value))}`)
    .join(' ');

const quoted = (text: string): string => (/[\s"]/.test(text) ? JSON.stringify(text) : text);

function durationText(value: unknown): string {
  if (typeof value !== 'number') return '';
  return value < 1 ? '<1 ms' : value < 10_000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

/** `inspect` honours what a secret says of itself. */
function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return safe(typeof value === 'string' ? value : inspect(value, { depth: 3, breakLength: Infinity }));
}

/** C0, C1, zero-width and bidirectional characters: names that clients and servers choose must not drive the terminal. */
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

const safe = (text: string): string =>
  text.replace(UNSAFE, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

function stack({ fields, level, errorText }: HumanLine): string {
  const error = fields.err;
  if (error === undefined || error === null) return '';
  const text = errorText ?? (error instanceof Error ? inspect(error) : textOf(error));
  const lines = text.split('\n').map(safe);
  // A warning names its cause in a line; only our own faults deserve the whole stack.
  if (level !== 'error') return `  ${lines[0] ?? ''}`;
  return lines.map((each) => `\n    ${each}`).join('');
}

type Tone = 'dim' | 'green' | 'yellow' | 'red';
type Paint = (tone: Tone, text: string) => string;

const TONES: Readonly<Record<Tone, string>> = { dim: '2', green: '32', yellow: '33', red: '31' };

const colored: Paint = (tone, text) => `\u001b[${TONES[tone]}m${text}\u001b[0m`;
const plain: Paint = (_tone, text) => text;
