import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { configurationDigest, configurationLoaded } from './loaded-configuration.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-loaded-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Settings = {
  readonly storage?: string;
  readonly header?: string;
  readonly query?: string;
  readonly args?: string;
  readonly limit?: string;
};

function configOf({ storage = 'a', header = 'b', query = 'c', args = 'd', limit = '1/s' }: Settings = {}): Config {
  const file = path.join(folder, 'sallyport.yaml');
  writeFileSync(
    file,
    [
      'servers:',
      `  web: { url: "https://web.example/mcp?team=${query}", headers: { x-team: "${header}" } }`,
      `  files: { command: [cat, "--team", "${args}", "--mode=${args}"], env: { TEAM: "${header}" } }`,
      `limits: [{ rate: "${limit}", per: principal }]`,
    ].join('\n'),
  );
  const loaded = loadConfig(file, { env: {} });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  // What the loader would refuse: it knows many secrets, and the digest must not depend on that.
  return { ...loaded.value.config, storage: { kind: 'postgres', url: `postgres://app:${storage}@db.example/x` } };
}

describe('the configuration in the record', () => {
  it('has the same digest for the same settings, and another for others', () => {
    expect(configurationDigest(configOf())).toBe(configurationDigest(configOf()));
    expect(configurationDigest(configOf({ limit: '2/s' }))).not.toBe(configurationDigest(configOf()));
  });

  it.each<Settings>([{ storage: 'z' }, { header: 'z' }, { query: 'z' }, { args: 'z' }])(
    'has a digest that tells nothing of %o: it cannot be tried out',
    (settings) => {
      expect(configurationDigest(configOf(settings))).toBe(configurationDigest(configOf()));
    },
  );

  it('names its servers and the version of its policies', () => {
    const event = configurationLoaded({ config: configOf(), file: '/x.yaml', version: '1.2.3', policyVersion: 'p1' });
    expect(event).toMatchObject({
      operation: 'configuration/load',
      activity: 'activate',
      entity: { name: '/x.yaml', after: configurationDigest(configOf()) },
      facts: { policy_version: 'p1', servers: [{ id: 'web' }, { id: 'files' }] },
    });
  });
});
