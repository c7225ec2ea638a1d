/** The logger: JSON lines through pino for machines, aligned lines for a person. Secrets print as `[redacted]` in both. */

import { pino, type DestinationStream } from 'pino';

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

function jsonLogger({ level, destination }: LoggerOptions): ClosableLogger {
  const own =
    destination === undefined ? pino.destination({ dest: 1, sync: false, maxLength: MAX_UNREAD_BYTES }) : undefined;
  const stream: DestinationStream = own ?? { write: (line) => void destination?.write(line) };
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // Not pino's own redaction: its patterns cost more than the rest of the line.
      formatters: { level: (label) => ({ level: label }), log: (fields) => redacted(fields) },
    },
    stream,
  );
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    close: () => own?.flushSync(),
  };
}

function prettyLogger(options: LoggerOptions): ClosableLogger {
  const destination: LogDestination = options.destination ?? process.stdout;
  const color = destination.isTTY === true && options.noColor !== true;
  const threshold = LEVELS.indexOf(options.level);
  const now = options.now ?? ((): Date => new Date());
  const at = (level: LogLevelName) => {
    if (LEVELS.indexOf(level) < threshold) return (): void => undefined;
    return (fields: LogFields, message: string): void => {
      destination.write(`${humanLine({ level, fields: redacted(fields), message, time: now(), color })}\n`);
    };
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), close: () => undefined };
}

/** Looks at the fields and at theirs, as deep as anyone logs headers or options. Copies only where something was found. */
function redacted(fields: LogFields): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) shown[name] = shownValue(name, value, 1);
  return shown;
}

function shownValue(name: string, value: unknown, depth: number): unknown {
  if (REDACTED_NAMES.has(name)) return '[redacted]';
  if (depth === 0 || typeof value !== 'object' || value === null || !isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, shownValue(key, member, depth - 1)]));
}

/** Errors, secrets and the like have a form of their own that a copy would lose. */
const isPlain = (value: object): boolean => Object.getPrototypeOf(value) === Object.prototype;
