/** A world in which every row of the deployment checklist passes, and changes of it. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { afterAll } from 'vitest';

import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import type { ProductionFacts, RunningFacts } from './facts.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-checklist-'));
afterAll(() => rmSync(folder, { recursive: true }));

const GOOD: Readonly<Record<string, string>> = {
  listen: '127.0.0.1:8080',
  operations: '127.0.0.1:9090',
  drainDelay: '10s',
  limits: '[{ per: principal, rate: 600/minute }]',
  identity: '{ issuers: [{ issuer: "https://login.example.com" }] }',
  servers: '{ crm: { url: "https://crm.example.com/mcp", allow: [{ group: sales, tools: ["*"] }] } }',
};

function configOf(changes: Readonly<Record<string, string | undefined>>): Config {
  const lines = Object.entries({ ...GOOD, ...changes }).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}: ${value}`],
  );
  const file = path.join(folder, 'sallyport.yaml');
  writeFileSync(file, `${lines.join('\n')}\n`);
  const loaded = loadConfig(file, { env: {} });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return loaded.value.config;
}

export const NOW_MS = Date.parse('2027-01-01T00:00:00Z');
export const OPERATIONS = 'http://127.0.0.1:9090';
export const there = (file: string, mode = 0o600) => ({ path: file, state: 'there', mode }) as const;

export const RUNNING: Extract<RunningFacts, { state: 'answers' }> = {
  state: 'answers',
  url: OPERATIONS,
  series: 123,
  notReady: undefined,
  unwell: [],
  dependencies: [{ name: 'audit', kind: 'file', up: true, sinceMs: 1 }],
  credentials: [],
  otherFile: undefined,
  policiesRefused: false,
};

export const AUDIT: ProductionFacts['audit'] = {
  file: there('/data/audit.jsonl'),
  folder: '/data',
  writable: true,
  freeBytes: 50 * 1024 ** 3,
  medium: 'disk',
};

export type Changes = Partial<Omit<ProductionFacts, 'config'>> & {
  readonly yaml?: Readonly<Record<string, string | undefined>>;
};

export const facts = ({ yaml = {}, ...changes }: Changes): ProductionFacts => ({
  config: configOf(yaml),
  problems: [],
  policies: { count: 3, permitEverything: [] },
  ownFiles: [there('/etc/sallyport.yaml', 0o644)],
  keyRing: there('/data/keys.json'),
  references: [{ name: 'file:/secrets/crm', usedBy: 'servers.crm.headers.Authorization', kind: 'file', mode: 0o400 }],
  storedKeys: { state: 'read', good: 2, endless: [] },
  audit: AUDIT,
  running: RUNNING,
  prometheus: { state: 'answers', url: 'http://prometheus', rules: 30, scraped: 2 },
  backup: {
    state: 'there',
    folder: '/backup',
    copies: [
      { of: '/data/keys.json', state: 'same' },
      { of: '/data/audit.jsonl', state: 'aged', ageMs: 3_600_000 },
    ],
  },
  nowMs: NOW_MS,
  ...changes,
});
