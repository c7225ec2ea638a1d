import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { loadConfig } from '../config/load.ts';
import { consentWarnings } from './consent-warnings.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-consent-'));
afterAll(() => rmSync(folder, { recursive: true }));

function warningsFor(yaml: string): readonly string[] {
  const file = path.join(folder, 'sallyport.yaml');
  writeFileSync(file, yaml);
  const loaded = loadConfig(file, { env: {} });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return consentWarnings(loaded.value.config);
}

const CRM = 'servers: { crm: { url: "https://crm.example.com/mcp", auth: { type: oauth } } }\n';
const LOGIN = 'identity: { issuers: [{ issuer: "https://id.example.com", login: { clientId: gateway } }] }\n';
const HTTPS = 'publicUrl: https://gateway.example.com\n';

describe('a server that wants people’s consent', () => {
  it.each([
    ['is warned of where nobody can log in with a browser', CRM, [/"crm".*identity\.issuers a login/u]],
    [
      'is warned of where people would come back without https',
      `${CRM}${LOGIN}publicUrl: http://gateway.example.com\n`,
      [/not https/u],
    ],
    ['is nothing to warn of on the own machine', CRM + LOGIN, []],
    ['is nothing to warn of with a log-in and https', CRM + LOGIN + HTTPS, []],
    ['is nothing to warn of where there is none', 'servers: { crm: { url: "https://crm.example.com/mcp" } }\n', []],
  ])('%s', (_, yaml, expected) => {
    expect(warningsFor(yaml)).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
  });
});
