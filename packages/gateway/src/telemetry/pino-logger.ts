/** The logger: JSON lines through pino for machines, aligned lines for a person. Secrets print as `[redacted]` in both. */

import { inspect } from 'node:util';

import { pino, type DestinationStream } from 'pino';

import type { Redactor } from '../model/redaction.ts';
import { humanLine, type LogLevelName } from './human-line.ts';
import type { LogFields, Logger } from './logger.ts';

export type LoggerOptions = {
  readonly level: LogLevelName;
  /** `auto`: readable lines on a terminal, JSON elsewhere. */
  readonly format: 'auto' | 'pretty' | 'json';
  /** Where lines go: standard output, or a test's stream. */
  readonly destination?: LogDestination;
  /** `NO_COLOR` is set (no-color.org), or the terminal cannot show colours. */
  readonly noColor?: boolean;
  readonly now?: () => Date;
  /** Takes secrets and personal data out of messages, of every text among the fields, and of errors with their causes. */
  readonly redactText?: Redactor['text'];
};

export type LogDestination = { write(line: string): unknown; readonly isTTY?: boolean };

export interface ClosableLogger extends Logger {
  /** Writes what is still buffered. The last thing before the process ends. */
  close(): void;
}

const LEVELS: readonly LogLevelName[] = ['debug', 'info', 'warn', 'error'];

/** A consumer that stopped reading must not stop the gateway: beyond this many unread bytes, lines are dropped. */
const MAX_UNREAD_BYTES = 16 * 1_048_576;

/** Names under which a credential could come by mistake; `Secret` covers those that come as they should. */
const REDACTED_NAMES = new Set(['authorization', 'cookie', 'token', 'accessToken', 'password', 'secret', 'apiKey']);

/** Lines below `level` cost a comparison. */
export function createLogger(options: LoggerOptions): ClosableLogger {
  const pretty =
    options.format === 'pretty' ||
    (options.format === 'auto' && (options.destination ?? process.stdout).isTTY === true);
  return pretty ? prettyLogger(options) : jsonLogger(options);
}

function jsonLogger({ level, destination, redactText }: LoggerOptions): ClosableLogger {
  const { fields: shownFields, text } = redaction(redactText);
  const own =
    destination === undefined ? pino.destination({ dest: 1, sync: false, maxLength: MAX_UNREAD_BYTES }) : undefined;
  const stream: DestinationStream = own ?? { write: (line) => void destination?.write(line) };
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // What was redacted is no error any more, and is written as it is.
      serializers: { err: (error: unknown) => (error instanceof Error ? pino.stdSerializers.err(error) : error) },
      // Not pino's own redaction: its patterns cost more than the rest of the line.
      formatters: { level: (label) => ({ level: label }), log: shownFields },
    },
    stream,
  );
  return {
    debug: LEVELS.indexOf(level) > 0 ? nothing : (fields, message) => logger.debug(fields, text(message)),
    info: LEVELS.indexOf(level) > 1 ? nothing : (fields, message) => logger.info(fields, text(message)),
    warn: LEVELS.indexOf(level) > 2 ? nothing : (fields, message) => logger.warn(fields, text(message)),
    error: (fields, message) => logger.error(fields, text(message)),
    close: () => own?.flushSync(),
  };
}

function prettyLogger(options: LoggerOptions): ClosableLogger {
  const destination: LogDestination = options.destination ?? process.stdout;
  const color = destination.isTTY === true && options.noColor !== true;
  const threshold = LEVELS.indexOf(options.level);
  const now = options.now ?? ((): Date => new Date());
  const { fields: shownFields, text } = redaction(options.redactText);
  const at = (level: LogLevelName) => {
    if (LEVELS.indexOf(level) < threshold) return nothing;
    return (fields: LogFields, message: string): void => {
      const errorText = fields.err instanceof Error ? { errorText: text(inspect(fields.err)) } : {};
      const line = { level, fields: shownFields(fields), message: text(message), time: now(), color, ...errorText };
      destination.write(`${humanLine(line)}\n`);
    };
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), close: () => undefined };
}

const nothing = (): void => undefined;

/** Names of ours, and of people as the gateway verified them: who it was is what a line is for. */
const AS_THEY_ARE = new Set(['principal', 'requestId', 'method', 'outcome', 'level']);

/** As deep as anyone logs headers or options. */
const MAX_DEPTH = 4;
const MAX_ITEMS = 100;

type Redaction = {
  readonly fields: (fields: LogFields) => Record<string, unknown>;
  readonly text: (text: string) => string;
};

/** Names first, which costs next to nothing; then, where there is somebody who redacts, every text. */
function redaction(redactText: Redactor['text'] | undefined): Redaction {
  const text = redactText === undefined ? (one: string): string => one : (one: string): string => redactText(one).value;

  const shownMember = (name: string, value: unknown, depth: number): unknown => {
    if (REDACTED_NAMES.has(name)) return '[redacted]';
    return AS_THEY_ARE.has(name) && typeof value === 'string' ? value : shown(value, depth);
  };
  const shown = (value: unknown, depth: number): unknown => {
    if (typeof value === 'string') return text(value);
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Error) return redactText === undefined ? value : shownError(value, depth);
    if (depth === 0) return redactText === undefined ? value : '[redacted]';
    if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item: unknown) => shown(item, depth - 1));
    return isPlain(value) ? shownObject(value, depth - 1) : value;
  };
  const shownObject = (value: object, depth: number): Record<string, unknown> =>
    Object.fromEntries(Object.entries(value).map(([name, member]) => [text(name), shownMember(name, member, depth)]));
  /** As pino would write it: message and stack with those of the causes. */
  const shownError = (error: Error, depth: number): unknown =>
    shownObject({ ...pino.stdSerializers.err(error) }, Math.min(depth, 1));

  return {
    text,
    fields(fields) {
      const all: Record<string, unknown> = {};
      for (const [name, value] of Object.entries(fields)) all[name] = shownMember(name, value, MAX_DEPTH);
      return all;
    },
  };
}

/** Errors, secrets and the like have a form of their own that a copy would lose. */
const isPlain = (value: object): boolean => Object.getPrototypeOf(value) === Object.prototype;
