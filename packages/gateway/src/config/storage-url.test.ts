import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { loadConfig } from './load.ts';
import { formatProblem } from './problem.ts';
import { parseStorageUrl } from './storage-url.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-storage-url-'));
afterAll(() => rmSync(folder, { recursive: true }));

function load(url?: string) {
  const file = path.join(folder, 'sallyport.yaml');
  writeFileSync(file, url === undefined ? 'servers: {}\n' : `servers: {}\nstorage:\n  url: ${url}\n`);
  return loadConfig(file, { env: {} });
}

describe('storage.url', () => {
  it.each([
    [undefined, { kind: 'sqlite', file: path.join(folder, 'data/sallyport.db') }],
    ['sqlite:x.db', { kind: 'sqlite', file: path.join(folder, 'x.db') }],
    ['sqlite:///var/x.db', { kind: 'sqlite', file: '/var/x.db' }],
    ['"memory:"', { kind: 'memory' }],
    ['postgres://app@db.internal:5433/x', { kind: 'postgres', url: 'postgres://app@db.internal:5433/x' }],
    ['env:DATABASE_URL', { kind: 'reference', source: { kind: 'env', name: 'DATABASE_URL', prefix: '' } }],
    ['file:./url', { kind: 'reference', source: { kind: 'file', path: path.join(folder, 'url'), prefix: '' } }],
  ])('%s is understood, relative to the configuration', (url, expected) => {
    const loaded = load(url);
    expect(loaded.ok && loaded.value.config.storage).toEqual(expected);
  });

  it.each([
    'postgres://app:hunter2@db/x',
    'postgres://app:hun/ter2#x@db/x',
    'postgresql://db/x?user=app&password=hunter2',
  ])('%s is refused: the line, and what to write instead', (url) => {
    const loaded = load(`"${url}"`);
    const problems = loaded.ok ? [] : loaded.error.map(formatProblem);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/sallyport\.yaml:3:8 {2}storage\.url\n.*password[^]*url: env:DATABASE_URL/u);
    expect(problems[0]).not.toMatch(/hunter2|hun\//u);
  });

  it.each([
    'mysql://db/x',
    'sqlite:',
    'sqlite::memory:',
    'sqlite://data/x.db',
    'postgres:x',
    'env:no-name',
    'file:',
    'x',
  ])('%s is refused without being quoted', (url) => {
    const parsed = parseStorageUrl(url);
    expect(parsed.ok).toBe(false);
    expect(load(`"${url}"`).ok).toBe(false);
    expect(parsed.ok ? '' : parsed.error).not.toContain('mysql');
  });
});
