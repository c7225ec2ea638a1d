import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { AuditConfig } from './config.ts';
import { loadConfig } from './load.ts';
import { formatProblem } from './problem.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sallyport-audit-config-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(yaml: string): AuditConfig | readonly string[] {
  const file = path.join(folder, 'sallyport.yaml');
  writeFileSync(file, yaml);
  const loaded = loadConfig(file, { env: {} });
  return loaded.ok ? loaded.value.config.audit : loaded.error.map(formatProblem);
}

const at = (file: string): string => path.join(folder, file);
const MEBIBYTE = 1_048_576;
const DAY_MS = 86_400_000;

describe('the settings of the record', () => {
  it('rotate, make checkpoints and keep everything when nothing is said', () => {
    expect(load('')).toMatchObject({
      file: at('data/audit.jsonl'),
      rotate: { maxBytes: 256 * MEBIBYTE, maxAgeMs: DAY_MS },
      resultDigests: false,
      keepMs: undefined,
      spoolFile: undefined,
      checkpoints: { everyRecords: 100_000, everyMs: 600_000, keyFile: at('data/audit-signing-key.pem') },
    });
    expect(load('audit: {}')).toEqual(load(''));
  });

  it.each<[string, Partial<AuditConfig>]>([
    ['audit: { rotate: off }', { rotate: undefined }],
    ['audit: { rotate: { size: off } }', { rotate: { maxBytes: Infinity, maxAgeMs: DAY_MS } }],
    ['audit: { rotate: { size: 1MiB, every: off } }', { rotate: { maxBytes: MEBIBYTE, maxAgeMs: Infinity } }],
    ['audit: { keep: 400d, spool: ./other/spool }', { keepMs: 400 * DAY_MS }],
    ['audit: { checkpoints: off }', { checkpoints: undefined }],
    ['audit: { resultDigests: true }', { resultDigests: true }],
  ])('%s', (yaml, expected) => {
    expect(load(yaml)).toMatchObject(expected);
  });

  it('put the signing key beside the key ring, or where they say', () => {
    const key = (yaml: string): unknown => {
      const audit = load(yaml);
      return 'file' in audit ? audit.checkpoints?.keyFile : audit;
    };
    expect(key('keys: { file: ./secret/keys.json }')).toBe(at('secret/audit-signing-key.pem'));
    expect(key('audit: { checkpoints: { key: ./own.pem } }')).toBe(at('own.pem'));
  });

  it('delete nothing without checkpoints, which what is left is proved from', () => {
    expect(load('audit: { keep: 30d, checkpoints: off }')).toEqual([
      expect.stringContaining('needs audit.checkpoints: without them'),
    ]);
  });
});
