import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Config } from './config.ts';
import { loadConfig } from './load.ts';
import { formatProblem } from './problem.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sallyport-identity-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(yaml: string): Config | readonly string[] {
  const file = path.join(folder, 'sallyport.yaml');
  writeFileSync(file, yaml);
  const loaded = loadConfig(file, { env: {} });
  return loaded.ok ? loaded.value.config : loaded.error.map(formatProblem);
}

const identity = (text: string): string => `identity: { ${text} }`;
const issuer = (settings: string): string => identity(`issuers: [{ issuer: "https://idp.example", ${settings} }]`);
const domain = '{ name: example.org, bundle: ./bundle.pem }';

describe('the identity of callers', () => {
  it('has defaults that ask for tokens of the endpoint and for no scopes', () => {
    expect(load('')).toMatchObject({
      identity: {
        audience: 'endpoint',
        scopes: { required: [], implies: {} },
        workloads: { trustDomains: [], meshProxies: [] },
      },
    });
    expect(load('')).not.toHaveProperty('tls');
  });

  it('takes the settings of an issuer', () => {
    expect(load(issuer('algorithms: [ES256, EdDSA], clockSkew: 1m, tenantClaim: org'))).toMatchObject({
      identity: {
        issuers: [{ algorithms: ['ES256', 'EdDSA'], clockSkewSeconds: 60, tenantClaim: 'org', audiences: [] }],
      },
    });
    const config = load(issuer('tenantClaim: org'));
    expect(config).not.toHaveProperty(['identity', 'issuers', 0, 'tenant']);
  });

  it('takes trust domains and proxies, with the files where they are', () => {
    expect(
      load(identity(`workloads: { trustDomains: [${domain}], mesh: { proxies: [10.0.0.0/8, "::1/128"] } }`)),
    ).toMatchObject({
      identity: {
        workloads: {
          trustDomains: [{ name: 'example.org', bundleFile: path.join(folder, 'bundle.pem'), tenant: 'default' }],
          meshProxies: ['10.0.0.0/8', '::1/128'],
        },
      },
    });
  });

  it('takes scopes for servers and tools', () => {
    const yaml = 'servers: { a: { url: "http://127.0.0.1/", scopes: [use], tools: { "w*": { scopes: [write] } } } }';
    expect(load(yaml)).toMatchObject({ servers: [{ scopes: ['use'], traits: [{ traits: { scopes: ['write'] } }] }] });
  });

  it('makes the public URL https with TLS', () => {
    expect(load('tls: { certificate: ./tls.pem, key: ./tls.key }')).toMatchObject({
      publicUrl: 'https://127.0.0.1:8080',
      tls: {
        certificateFile: path.join(folder, 'tls.pem'),
        keyFile: path.join(folder, 'tls.key'),
        clientCertificates: 'off',
      },
    });
  });

  it.each<[string, string, RegExp]>([
    ['a symmetric algorithm', issuer('algorithms: [HS256]'), /algorithms\[0\]/u],
    ['no algorithm at all', issuer('algorithms: []'), /algorithms/u],
    ['a clock skew beyond five minutes', issuer('clockSkew: 6m'), /clockSkew.*five minutes/su],
    ['a tenant and a claim for it', issuer('tenant: a, tenantClaim: b'), /tenantClaim.*Keep one of them/su],
    ['an issuer on an unprotected way', identity('issuers: [{ issuer: "http://idp.example" }]'), /must be https/u],
    ['keys on an unprotected way', issuer('jwksUri: "http://127.evil.example/keys"'), /must be https/u],
    ['another audience', identity('audience: everything'), /audience/u],
    ['a scope with a space', identity('scopes: { required: ["a b"] }'), /required\[0\]/u],
    ['a scope with a quote', identity("scopes: { required: ['a\"b'] }"), /required\[0\]/u],
    ['offline_access', identity('scopes: { required: [offline_access] }'), /offline_access/u],
    ['a scope that includes nothing', identity('scopes: { implies: { admin: [] } }'), /admin/u],
    [
      'a trust domain with its scheme',
      identity('workloads: { trustDomains: [{ name: "spiffe://a", bundle: b }] }'),
      /name/u,
    ],
    ['a trust domain twice', identity(`workloads: { trustDomains: [${domain}, ${domain}] }`), /twice/u],
    [
      'a proxy that is no address',
      identity(`workloads: { trustDomains: [${domain}], mesh: { proxies: [proxy.example] } }`),
      /10\.0\.0\.0\/8/u,
    ],
    [
      'a range that is none',
      identity(`workloads: { trustDomains: [${domain}], mesh: { proxies: [10.0.0.0/33] } }`),
      /10\.0\.0\.0\/8/u,
    ],
    ['proxies without trust domains', identity('workloads: { mesh: { proxies: [10.0.0.1] } }'), /needs trustDomains/u],
    [
      'certificates without trust domains',
      'tls: { certificate: a, key: b, clientCertificates: optional }',
      /trustDomains/u,
    ],
    ['TLS without a key', 'tls: { certificate: a }', /tls/u],
  ])('refuses %s', (_, yaml, problem) => {
    const problems = load(yaml);
    expect(problems).toEqual([expect.stringMatching(problem)]);
  });
});
