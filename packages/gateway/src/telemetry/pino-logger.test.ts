import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { refuse } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import { createLogger, type LoggerOptions } from './pino-logger.ts';

const SECRET = 'sk-live-4f9c2e7a';
const now = (): Date => new Date(2026, 10, 21, 12, 1, 3);

// oxlint-disable-next-line no-control-regex
const TWO_SAFE_LINES = /^[^\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]*\n[^\u0000-\u001f]*\n$/;

function recording(options: Partial<LoggerOptions> & { isTTY?: boolean }) {
  const lines: string[] = [];
  const destination = { write: (line: string) => lines.push(line), isTTY: options.isTTY ?? false };
  return { lines, logger: createLogger({ level: 'info', format: 'auto', now, ...options, destination }) };
}

const call = {
  requestId: 'r-1',
  principal: 'alice',
  method: 'tools/call',
  target: 'files/read_text_file',
  outcome: 'ok',
  durationMs: 12.3,
};

describe('a line for a person', () => {
  const cases: readonly [string, object, string, string][] = [
    [
      'a call that went well',
      call,
      'tools/call',
      '12:01:03  alice       files/read_text_file                ok                  12 ms',
    ],
    [
      'a refused call, with the reason and the id to look it up by',
      { ...call, outcome: 'forbidden', reason: 'Policy does not allow it.', durationMs: 0.4 },
      'tools/call',
      '12:01:03  alice       files/read_text_file                forbidden           <1 ms  Policy does not allow it.  (request r-1)',
    ],
    [
      'a list, with its method, by nobody',
      { ...call, principal: undefined, method: 'tools/list', target: '/mcp', outcome: 'unauthenticated' },
      'tools/list',
      '12:01:03  -           /mcp tools/list                     unauthenticated     12 ms  (request r-1)',
    ],
    [
      'an event, with its fields',
      { server: 'files', note: 'a b' },
      'server is healthy',
      '12:01:03  server is healthy  server=files note="a b"',
    ],
  ];

  it.each(cases)('shows %s', (_, fields, message, expected) => {
    const { lines, logger } = recording({ format: 'pretty' });
    logger.info({ ...fields }, message);
    expect(lines).toEqual([`${expected}\n`]);
  });

  it('marks warnings and errors, and shows the stack of our own faults only', () => {
    const { lines, logger } = recording({ format: 'pretty' });
    logger.warn({ err: new Error('disk full') }, 'cannot write');
    logger.error({ err: new Error('broken') }, 'bug');
    expect(lines[0]).toBe('12:01:03  warning  cannot write  Error: disk full\n');
    expect(lines[1]).toMatch(/^12:01:03 {2}error {2}bug\n {4}Error: broken\n {4}.*at /);
  });

  it('is coloured on a terminal, unless NO_COLOR asks for none', () => {
    const terminal = recording({ isTTY: true });
    terminal.logger.info(call, 'tools/call');
    expect(terminal.lines[0]).toContain('\u001b[32mok');
    const quiet = recording({ isTTY: true, noColor: true });
    quiet.logger.info(call, 'tools/call');
    expect(quiet.lines[0]).not.toContain('\u001b');
  });

  it('stays one line and free of control characters, whatever names clients choose', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (principal, text) => {
        const { lines, logger } = recording({ format: 'pretty' });
        logger.info({ ...call, principal, target: text }, text);
        logger.info({ text }, text);
        expect(lines.join('')).toMatch(TWO_SAFE_LINES);
      }),
    );
  });
});

describe('a line for a machine', () => {
  it('is one JSON object with level, time, fields and message', () => {
    const { lines, logger } = recording({ format: 'json' });
    logger.warn({ server: 'files' }, 'hello\nworld');
    expect(lines).toHaveLength(1);
    const line: unknown = JSON.parse(lines[0] ?? '');
    expect(line).toMatchObject({ level: 'warn', server: 'files', msg: 'hello\nworld' });
    expect(line).toHaveProperty('time', expect.stringMatching(/^\d{4}-.*Z$/));
  });

  it('is chosen when the destination is not a terminal', () => {
    const { lines, logger } = recording({ isTTY: false });
    logger.info({}, 'x');
    expect(() => JSON.parse(lines[0] ?? '') as unknown).not.toThrow();
  });

  it('tells an error with its cause and stack', () => {
    const { lines, logger } = recording({ format: 'json' });
    logger.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'bug');
    expect(lines[0]).toContain('outer: inner');
  });
});

describe('a line that is redacted', () => {
  const redactText = (text: string) => ({ value: text.replaceAll(SECRET, '[redacted:test]'), rules: [] });

  it.each(['json', 'pretty'] as const)('shows no secret that stands in a text, whichever it is (%s)', (format) => {
    const { lines, logger } = recording({ format, level: 'debug', redactText });
    const cause = new Error(`cause ${SECRET}`);
    const error = Object.assign(new Error(`it failed with ${SECRET}`, { cause }), { detail: { body: SECRET } });
    logger.info(
      { url: `http://x/?k=${SECRET}`, list: [SECRET, { deep: [SECRET] }], named: { [SECRET]: 1 } },
      `message ${SECRET}`,
    );
    logger.error({ err: error }, 'failed');
    logger.warn({ err: error, other: error }, 'warned');
    logger.debug({ a: { b: { c: { d: { e: { f: SECRET } } } } } }, 'deep');
    expect(lines).toHaveLength(4);
    expect(lines.join('')).not.toContain(SECRET);
    expect(lines[1]).toContain('it failed with [redacted:test]');
    expect(lines[1]).toContain('cause [redacted:test]');
    expect(lines[1]).toMatch(/at /);
  });

  it('names the caller as the gateway verified them, and what is no text as it is', () => {
    const { lines, logger } = recording({ format: 'json', redactText: () => ({ value: '[gone]', rules: [] }) });
    logger.info({ ...call, count: 3, none: null, secret: new Secret(SECRET) }, 'x');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      principal: 'alice',
      requestId: 'r-1',
      durationMs: 12.3,
      count: 3,
      none: null,
      secret: '[redacted]',
      msg: '[gone]',
    });
  });
});

describe('any line', () => {
  it.each(['json', 'pretty'] as const)('never shows a secret, however deep it lies (%s)', (format) => {
    const { lines, logger } = recording({ format, level: 'debug' });
    const secret = new Secret(SECRET);
    logger.info({ secret, nested: { list: [{ secret }] }, text: String(secret) }, `value ${String(secret)}`);
    logger.error({ err: refuse('internal', { cause: secret }), authorization: `Bearer ${SECRET}` }, 'failed');
    logger.debug({ headers: { authorization: SECRET, 'x-other': [secret] } }, 'x');
    expect(lines).toHaveLength(3);
    expect(lines.join('')).not.toContain(SECRET);
    expect(lines.join('')).toContain('[redacted]');
  });

  it.each(['json', 'pretty'] as const)('below the level is not written (%s)', (format) => {
    const { lines, logger } = recording({ format, level: 'warn' });
    logger.debug({}, 'a');
    logger.info({}, 'b');
    logger.warn({}, 'c');
    expect(lines).toHaveLength(1);
  });
});
