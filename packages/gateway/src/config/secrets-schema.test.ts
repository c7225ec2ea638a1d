import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { loadConfig } from './load.ts';
import { usedReferences } from './used-references.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-secrets-'));
afterAll(() => rmSync(folder, { recursive: true }));

function load(yaml: string) {
  const file = path.join(folder, 'sallyport.yaml');
  writeFileSync(file, yaml);
  return loadConfig(file, { env: {} });
}

/** `line path: message mend` of everything that is wrong. */
function problems(yaml: string): readonly string[] {
  const loaded = load(yaml);
  const all = loaded.ok ? loaded.value.problems : loaded.error;
  return all.map(({ line, path: at, message, mend = '' }) => `${line} ${at}: ${message} ${mend}`.trim());
}

const VAULT =
  'secrets: { vault: { address: "https://vault.example:8200", auth: { method: token, token: env:VAULT_TOKEN } } }\n';
const server = (value: string): string =>
  `servers:\n  crm: { url: "https://crm.example/mcp", headers: { X-Key: "${value}" } }\n`;

describe('references to stores', () => {
  it.each([
    ['vault:secret/data/crm#token', 'secrets.vault is not there. Add secrets.vault;'],
    ['aws-sm:prod/crm', 'secrets.aws-sm is not there.'],
    ['exec:op/crm', 'secrets.exec has none of that name. Add it:'],
  ])('such as %s are a problem of their line while the store is not configured', (reference, said) => {
    expect(problems(server(reference))).toEqual([
      expect.stringMatching(new RegExp(`^2 servers.crm.headers.X-Key: .*${said}`)),
    ]);
  });

  it('to a command name the one that was meant', () => {
    const yaml = 'secrets: { exec: { onepass: { command: [op, read, "{}"] } } }\n';
    expect(problems(yaml + server('exec:onepas/crm'))[0]).toContain('Did you mean onepass?');
    expect(problems(yaml + server('exec:onepass/crm'))).toEqual([]);
  });

  it.each([
    ['vault:secret/data/crm', 'Write vault:secret/data/path#field.'],
    ['vault:../sys/x#y', 'Write vault:secret/data/path#field.'],
    ['vault:secret/../x#y', 'Write vault:secret/data/path#field.'],
    ['exec:op/--help', 'Write exec:name/argument'],
    ['valut:secret/data/crm#token', 'Did you mean vault:?'],
    ['flie:/run/secrets/crm', 'Did you mean file:?'],
  ])('%s is refused with a word on how it is written', (reference, said) => {
    expect(problems(VAULT + server(reference))[0]).toContain(said);
  });

  it.each(['en:de', 'http://vault:8200', 'cafe:8080', 'urn:isbn:1', 'a:b'])('%s is a text and no slip', (text) => {
    expect(problems(server(text))).toEqual([]);
  });
});

describe('the settings of stores', () => {
  it.each([
    ['a token that is written out', 'auth: { method: token, token: root }', 'stands in the file'],
    [
      'a token that lies in the store which it opens',
      'auth: { method: token, token: "vault:secret/data/x#y" }',
      'opens a store',
    ],
    ['a method that does not exist', 'auth: { method: kubernets, role: x }', 'secrets.vault.auth.method'],
    ['a setting that does not exist', 'auth: { method: token, token: env:T }, adress: x', 'Did you mean address?'],
  ])('refuse %s', (_, settings, said) => {
    const yaml = `secrets:\n  vault: { address: "https://vault.example:8200", ${settings} }\n`;
    expect(problems(yaml).join('\n')).toContain(said);
  });

  it('refuse a secret in the arguments of a command', () => {
    const yaml = 'secrets: { exec: { op: { command: [op, --token=sk-live-4f9c2e7a, read] } } }\n';
    expect(problems(yaml)).toEqual([expect.stringContaining('hands over a secret in the argument --token')]);
  });

  it('have what they say nothing about, with paths from the folder of the file', () => {
    const loaded = load(
      'secrets: { vault: { address: "https://vault.example:8200/", ca: ./ca.pem, auth: { method: kubernetes, role: gw } } }',
    );
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
    expect(loaded.value.config.secrets).toEqual({
      exec: {},
      vault: {
        address: 'https://vault.example:8200',
        caFile: path.join(folder, 'ca.pem'),
        auth: {
          method: 'kubernetes',
          mount: 'kubernetes',
          role: 'gw',
          jwt: { kind: 'file', path: '/var/run/secrets/kubernetes.io/serviceaccount/token', prefix: '' },
        },
        cacheMs: 30_000,
        keepMs: 3_600_000,
        timeoutMs: 5_000,
      },
    });
  });
});

it('every reference of a configuration is known by the setting that it stands in', () => {
  const loaded = load(
    `${VAULT}storage: { url: "vault:database/config#url" }
telemetry: { otlp: { endpoint: "http://127.0.0.1:4318", headers: { Authorization: "Bearer env:OTLP" } } }
audit: { sinks: [{ kind: http, url: "https://siem.example/", headers: { X-Key: "file:/run/siem" } }] }
${server('vault:secret/data/crm#token')}`,
  );
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  expect(usedReferences(loaded.value.config).map(({ usedBy, source }) => `${usedBy} ${source.kind}`)).toEqual([
    'servers.crm.headers.X-Key vault',
    'telemetry.otlp.headers.Authorization env',
    'the headers of the sink http.X-Key file',
    'secrets.vault.auth.token env',
    'storage.url vault',
  ]);
});

describe("the key of people's tokens", () => {
  const wrapping = (text: string): unknown => {
    const loaded = load(text);
    return loaded.ok
      ? loaded.value.config.credentials.wrapping
      : loaded.error.map(({ path: at, message }) => `${at} ${message}`);
  };

  it('is a ring of its own, or a transit key of the Vault, by their names', () => {
    expect(wrapping('')).toEqual({ kind: 'ring', file: path.join(folder, 'data/grants.keys.json') });
    expect(wrapping('credentials: { keyRing: ./ring.json }')).toEqual({
      kind: 'ring',
      file: path.join(folder, 'ring.json'),
    });
    expect(wrapping(`${VAULT}credentials: { transit: { key: grants } }`)).toEqual({
      kind: 'transit',
      mount: 'transit',
      key: 'grants',
    });
  });

  it.each([
    ['both', `${VAULT}credentials: { keyRing: ./ring.json, transit: { key: grants } }`, 'stands beside keyRing'],
    ['no Vault', 'credentials: { transit: { key: grants } }', 'secrets.vault, which is not there'],
    [
      'a way out of its mount',
      `${VAULT}credentials: { transit: { mount: transit/.., key: grants } }`,
      'credentials.transit.mount',
    ],
    ['a key that is a path', `${VAULT}credentials: { transit: { key: ../sys } }`, 'credentials.transit.key'],
  ])('is refused with %s', (_, text, said) => {
    expect(wrapping(text)).toEqual([expect.stringContaining(said)]);
  });
});
