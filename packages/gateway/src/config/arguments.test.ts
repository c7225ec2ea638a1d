/** How ceilings, pins, hidden tools and the kinds of arguments are written in the configuration. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { loadConfig } from './load.ts';
import { formatProblem } from './problem.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-arguments-'));
afterAll(() => rmSync(folder, { recursive: true }));

function load(words: string) {
  const file = path.join(folder, 'sallyport.yaml');
  writeFileSync(file, `servers:\n  db:\n    url: https://db.example.com/mcp\n    tools: { "query*": ${words} }\n`);
  const loaded = loadConfig(file, { env: {} });
  if (!loaded.ok) throw new Error(loaded.error.map(formatProblem).join('\n'));
  return loaded.value;
}

/** What became of the one rule. */
const ruleOf = (words: string) => {
  const { config, problems } = load(words);
  expect(problems.map(formatProblem)).toEqual([]);
  return config.servers[0]?.traits[0];
};

const problemOf = (words: string): string => {
  const { config, problems } = load(words);
  expect(config.disabledServers.map(({ id }) => id)).toEqual(['db']);
  return problems.map(formatProblem).join('\n');
};

describe('arguments', () => {
  it('are declared in a word, or with more about them', () => {
    const { declared } = ruleOf(
      '{ arguments: { path: path, u: url, "files[].name": { kind: path, base: /srv/data }, sql: { kind: sql, dialect: postgres } } }',
    ) ?? { declared: [] };
    expect(declared).toEqual([
      { place: 'path', steps: [{ name: 'path', each: false }], kind: { kind: 'path' } },
      { place: 'u', steps: [{ name: 'u', each: false }], kind: { kind: 'url', schemes: ['http', 'https'] } },
      {
        place: 'files[].name',
        steps: [
          { name: 'files', each: true },
          { name: 'name', each: false },
        ],
        kind: { kind: 'path', base: '/srv/data' },
      },
      {
        place: 'sql',
        steps: [{ name: 'sql', each: false }],
        kind: { kind: 'sql', dialect: 'postgres', functions: [] },
      },
    ]);
  });

  it.each([
    ['{ arguments: { "a..b": path } }', 'no place of an argument'],
    ['{ arguments: { "a[0]": path } }', 'no place of an argument'],
    ['{ arguments: { path: file } }', 'arguments.path'],
    ['{ arguments: { path: { kind: path, base: srv/data } } }', 'base'],
    ['{ arguments: { path: { kind: path, base: /srv/../etc } } }', 'base'],
    ['{ arguments: { path: { kind: path, base: /srv/data/ } } }', 'base'],
    ['{ arguments: { sql: { kind: sql } } }', 'one of postgres'],
    ['{ arguments: { sql: { kind: sql, dialect: oracle } } }', 'one of postgres'],
    ['{ arguments: { u: { kind: url, schemes: [file] } } }', 'one of http'],
    ['{ arguments: { u: { kind: url, schemes: [] } } }', 'schemes'],
    ['{ arguments: { filter: path, "filter.path": path } }', 'lies inside'],
    ['{ arguments: { files: path, "files[]": path } }', 'lies inside'],
  ])('%s disables the server, which is shown', (words, reason) => {
    expect(problemOf(words)).toContain(reason);
  });
});

describe('pins and hidden tools', () => {
  it('may be any JSON', () => {
    expect(ruleOf('{ pins: { root: /srv, limit: 5, deep: { a: [true, null] } }, hidden: false }')).toMatchObject({
      pins: { root: '/srv', limit: 5, deep: { a: [true, null] } },
      hidden: false,
    });
  });

  it('are absent when nothing is said of them', () => {
    expect(ruleOf('{ risk: low }')).toEqual({ of: 'tools', pattern: 'query*', traits: { risk: 'low' } });
  });
});

describe('ceilings', () => {
  it('are off unless the operator sets them', () => {
    const { config } = load('{}');
    expect(config.endpoints.aggregate.readOnly).toBe(false);
    expect(config.servers[0]?.readOnly).toBe(false);
  });
});
