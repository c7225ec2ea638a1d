import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import type { Config } from './config.ts';
import { loadConfig } from './load.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-telemetry-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(telemetry: string): Config['telemetry'] | readonly string[] {
  const file = path.join(folder, 'sallyport.yaml');
  writeFileSync(file, `telemetry: ${telemetry}\n`);
  const loaded = loadConfig(file, { env: {} });
  return loaded.ok ? loaded.value.config.telemetry : loaded.error.map((problem) => JSON.stringify(problem));
}

const AT = 'endpoint: "http://127.0.0.1:4318"';

describe('telemetry', () => {
  it('goes nowhere unless there is a collector', () => {
    expect(load('{}')).toBeUndefined();
    expect(load('{ traces: { sample: 1 } }')).toBeUndefined();
  });

  it('to a collector is one request in a hundred, and the metrics once a minute', () => {
    expect(load(`{ otlp: { ${AT} } }`)).toEqual({
      endpoint: 'http://127.0.0.1:4318',
      headers: {},
      timeoutMs: 10_000,
      resource: {},
      traces: { sample: 0.01, trustParent: false, parentPerSecond: 50 },
      metrics: { everyMs: 60_000 },
    });
  });

  it('may be traces alone, or metrics alone', () => {
    expect(load(`{ otlp: { ${AT} }, metrics: { every: off } }`)).not.toHaveProperty('metrics');
    expect(load(`{ otlp: { ${AT} }, traces: { sample: off } }`)).not.toHaveProperty('traces');
  });

  it('finds the secrets of its headers beside the configuration', () => {
    const headers = 'headers: { Authorization: "Bearer file:./token" }';
    expect(load(`{ otlp: { ${AT}, ${headers} } }`)).toMatchObject({
      headers: { Authorization: { kind: 'file', path: path.join(folder, 'token'), prefix: 'Bearer ' } },
    });
  });

  it.each([
    ['{ otlp: { endpoint: "ftp://x" } }', /endpoint/],
    [`{ otlp: { ${AT}, headers: { "x y": "1" } } }`, /headers/],
    [`{ otlp: { ${AT} }, traces: { sample: 2 } }`, /sample/],
    [`{ otlp: { ${AT} }, metrics: { every: 100ms } }`, /shorter than a second/],
    [`{ otlp: { ${AT}, headers: { Authorization: "Bearer abcdefghijklmnop" } } }`, /written out/],
  ])('is refused: %s', (text, said) => {
    expect(JSON.stringify(load(text))).toMatch(said);
  });
});
