import { describe, expect, it } from 'vitest';

import { stackText } from './stack-text.ts';

function thrown(message: string, at: string, cause?: unknown): Error {
  const error = new TypeError(message, { cause });
  error.stack = `TypeError: ${message}\n    at ${at}`;
  return error;
}

describe('the stack of a fault', () => {
  it.each([
    ['run (file:///home/eve/sallyport/packages/gateway/src/pipeline/run.ts:1:2)', 'run (src/pipeline/run.ts:1:2)'],
    ['/usr/lib/node_modules/@sallyport/gateway/dist/run.js:1:2', 'node_modules/@sallyport/gateway/dist/run.js:1:2'],
    [
      'x (C:\\\\work\\\\node_modules\\\\undici\\\\x.js:1:2)'.replaceAll('\\\\', '\\'),
      'x (node_modules/undici/x.js:1:2)',
    ],
    [
      'process.processTicks (node:internal/process/task_queues:103:5)',
      'process.processTicks (node:internal/process/task_queues:103:5)',
    ],
    ['open (/etc/secret-place/plugin.js:1:2)', 'open (plugin.js:1:2)'],
  ])('names %s as %s', (at, shown) => {
    expect(stackText(thrown('no', at))).toBe(`TypeError: no\n    at ${shown}`);
  });

  it('leaves no path of the machine in a message, and URLs as they are', () => {
    const text = stackText(thrown("ENOENT, open '/home/eve/data/keys.json' for http://127.0.0.1/mcp", 'x'));
    expect(text).toContain("open 'keys.json' for http://127.0.0.1/mcp");
  });

  it('has its causes, up to a bound', () => {
    let error = thrown('deep', 'x');
    for (let depth = 0; depth < 20; depth++) error = thrown(`over ${depth}`, 'x', error);
    expect(stackText(error).match(/caused by/g)).toHaveLength(3);
  });

  it('of what is no error says what it was, and nothing of it', () => {
    expect(stackText('hunter2')).toBe('thrown: string');
    expect(stackText(undefined)).toBe('nothing is known of the cause');
  });
});
