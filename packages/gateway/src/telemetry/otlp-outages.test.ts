import { describe, expect, it } from 'vitest';

import type { LogFields, Logger } from './logger.ts';
import { watchExports } from './otlp-outages.ts';

type Result = { readonly code: number; readonly error?: Error };

function watched() {
  const lines: string[] = [];
  const counted: string[] = [];
  const answers: Result[] = [];
  const log = (level: string) => (fields: LogFields, message: string) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  const inner = { export: (_batch: string, done: (result: Result) => void) => done(answers.shift() ?? { code: 0 }) };
  const exporter = watchExports(inner, 'traces', {
    endpoint: 'http://collector:4318',
    logger,
    instruments: () => ({ exported: (signal, result) => void counted.push(`${signal} ${result}`) }),
  });
  const results: Result[] = [];
  const send = (answer: Result): void => {
    answers.push(answer);
    exporter.export('batch', (result) => void results.push(result));
  };
  return { lines, counted, results, send };
}

const refused = (): Result => ({ code: 1, error: Object.assign(new Error(''), { code: 'ECONNREFUSED' }) });

describe('a collector that is away', () => {
  it('is told of once, and once when it is back, with what was lost', () => {
    const { lines, send } = watched();
    for (const result of [{ code: 0 }, refused(), refused(), refused(), { code: 0 }, { code: 0 }, refused()])
      send(result);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^warn the collector does not take traces.*"reason":"ECONNREFUSED"/);
    expect(lines[1]).toMatch(/^info the collector takes traces again.*"lostBatches":3/);
    expect(lines[2]).toMatch(/^warn/);
  });

  it('is counted with every batch, and the SDK hears what came of it', () => {
    const { counted, results, send } = watched();
    send({ code: 0 });
    send(refused());
    expect(counted).toEqual(['traces sent', 'traces failed']);
    expect(results.map(({ code }) => code)).toEqual([0, 1]);
  });
});
