import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { loadConfig } from './load.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-sinks-'));
afterAll(() => rmSync(folder, { recursive: true }));

function load(audit: string) {
  const file = path.join(folder, 'sallyport.yaml');
  writeFileSync(file, `audit: ${audit}\n`);
  return loadConfig(file, { env: {} });
}

function auditOf(text: string) {
  const loaded = load(text);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return loaded.value.config.audit;
}

function problemsOf(text: string) {
  const loaded = load(text);
  if (loaded.ok) throw new Error('it was accepted');
  return loaded.error;
}

const DAY_MS = 86_400_000;

describe('audit.index', () => {
  it('is on with PostgreSQL, without a word', () => {
    expect(auditOf('{}').index).toMatchObject({ on: 'postgres', keepMs: { calls: 90 * DAY_MS } });
    expect(auditOf('{ index: auto }').index).toEqual(auditOf('{}').index);
  });

  it('is on with any database when it has settings, and off when it is off', () => {
    expect(auditOf('{ index: {} }').index).toMatchObject({ on: 'any' });
    expect(auditOf('{ index: off }').index).toBeUndefined();
  });

  it('keeps each class as long as it is told to', () => {
    const { index } = auditOf('{ index: { keep: { calls: 12h, reads: 2w, administration: forever } } }');
    expect(index?.keepMs).toEqual({
      calls: DAY_MS / 2,
      reads: 14 * DAY_MS,
      authentication: 366 * DAY_MS,
      sessions: 90 * DAY_MS,
      refusals: 30 * DAY_MS,
      administration: Infinity,
      writer: 3 * 366 * DAY_MS,
    });
  });

  it.each(['0d', '3', 'never', '30m', '-1d', '1.5y'])('does not know the age %s', (age) => {
    expect(problemsOf(`{ index: { keep: { calls: ${age} } } }`)).toHaveLength(1);
  });
});

describe('audit.sinks', () => {
  it('are none by default', () => {
    expect(auditOf('{}').sinks).toEqual([]);
  });

  it('have a name, references that are followed later, and paths relative to the configuration', () => {
    const { sinks } = auditOf(
      '{ sinks: [{ kind: otlp, url: "http://collector:4318/v1/logs" }, ' +
        '{ kind: http, name: splunk, url: "env:SPLUNK_URL", headers: { Authorization: "Splunk file:./hec" }, format: splunk-hec, compression: gzip, timeout: 5s }] }',
    );
    expect(sinks).toEqual([
      {
        name: 'otlp',
        url: { kind: 'literal', value: 'http://collector:4318/v1/logs' },
        headers: {},
        timeoutMs: 30_000,
        compression: 'gzip',
        format: 'otlp',
      },
      {
        name: 'splunk',
        url: { kind: 'env', name: 'SPLUNK_URL', prefix: '' },
        headers: { Authorization: { kind: 'file', path: path.join(folder, 'hec'), prefix: 'Splunk ' } },
        timeoutMs: 5000,
        compression: 'gzip',
        format: 'splunk-hec',
      },
    ]);
  });

  it.each([
    ['a secret in a header', '{ kind: http, url: "https://siem", headers: { Authorization: "Splunk abc" } }'],
    ['a secret under a name of its own', '{ kind: http, url: "https://siem", headers: { X-Api-Key: "abc" } }'],
    ['a password in its URL', '{ kind: http, url: "https://me:pass@siem/" }'],
    ['a token in its URL', '{ kind: http, url: "https://siem/in?access_token=abc" }'],
    ['a URL that is none', '{ kind: http, url: "siem" }'],
    ['another scheme', '{ kind: http, url: "file:" }'],
    ['a URL with a scheme of another kind', '{ kind: otlp, url: "grpc://collector:4317" }'],
    ['a kind that there is not', '{ kind: kafka, url: "https://siem" }'],
    ['a format that there is not', '{ kind: http, url: "https://siem", format: cef }'],
    ['a name that is no name', '{ kind: http, name: "../x", url: "https://siem" }'],
    ['the name of the index', '{ kind: http, name: index, url: "https://siem" }'],
    ['a header that is none', '{ kind: http, url: "https://siem", headers: { "a b": c } }'],
    ['the name of another one', '{ kind: http, url: "https://one" }, { kind: http, url: "https://two" }'],
  ])('are refused with %s', (_, sink) => {
    const problems = problemsOf(`{ sinks: [${sink}] }`);
    expect(problems.length).toBeGreaterThan(0);
    expect(JSON.stringify(problems)).not.toMatch(/abc|me:pass/u);
  });
});
