import { describe, expect, it } from 'vitest';

import { parseForwardedCertificate } from './forwarded-certificate.ts';
import { createAddressSet } from './mesh-proxies.ts';
import { parseSpiffeId } from './spiffe-id.ts';
import { uriNames } from './uri-names.ts';

const ID = 'spiffe://example.org/ns/prod/agent';

describe('a SPIFFE id', () => {
  it.each([ID, 'spiffe://a/b', 'spiffe://trust_domain-1.example/A.b-c_9', 'spiffe://10.1.2.3/x', 'spiffe://a/...'])(
    'may be %s',
    (id) => {
      expect(parseSpiffeId(id)).toMatchObject({ ok: true, value: { id } });
    },
  );

  it.each([
    '',
    'spiffe://',
    'spiffe://example.org',
    'spiffe://example.org/',
    'spiffe:///agent',
    'SPIFFE://example.org/agent',
    'spiffe://Example.org/agent',
    'spiffe://example.org/agent/',
    'spiffe://example.org//agent',
    'spiffe://example.org/./agent',
    'spiffe://example.org/a/../agent',
    'spiffe://example.org/a%2fagent',
    'spiffe://example.org/agent?x=1',
    'spiffe://example.org/agent#x',
    'spiffe://example.org:8443/agent',
    'spiffe://user@example.org/agent',
    'spiffe://exämple.org/agent',
    'spiffe://example.org/agent ',
    'spiffe://example.org/agent\n',
    'https://example.org/agent',
    `spiffe://example.org/${'a'.repeat(2048)}`,
    `spiffe://${'a'.repeat(256)}/agent`,
  ])('is not %j', (id) => {
    expect(parseSpiffeId(id)).toMatchObject({ ok: false });
  });
});

describe('the URIs of a certificate', () => {
  it.each<[string | undefined, readonly string[] | undefined]>([
    [undefined, []],
    [`URI:${ID}`, [ID]],
    [`DNS:a.example, URI:${ID}, IP Address:192.0.2.1, othername:<unsupported>`, [ID]],
    ['URI:spiffe://a/b, URI:spiffe://c/d', ['spiffe://a/b', 'spiffe://c/d']],
    // A DNS name that looks like two names is quoted by Node, and stays one.
    [`DNS:"a, URI:spiffe://evil/x", URI:${ID}`, [ID]],
    ['URI:"spiffe://a/b, URI:spiffe://c/d"', ['"spiffe://a/b, URI:spiffe://c/d"']],
    ['URI:spiffe://a/b"', undefined],
    ['what is this', undefined],
    ['URI:"spiffe://a/b', undefined],
  ])('of %j are %j', (text, uris) => {
    expect(uriNames(text)).toEqual(uris);
  });
});

describe('a forwarded certificate', () => {
  const hash = 'Hash=468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688';

  it.each([
    `URI=${ID}`,
    `By=spiffe://example.org/proxy;${hash};Subject="/C=US/O=\\"Acme, Inc.\\";x=y";URI=${ID};DNS=a.example;DNS=b.example`,
    `${hash};Cert="-----BEGIN%20CERTIFICATE-----%0AMII%3D";Subject="";uri="${ID}"`,
  ])('is understood: %s', (header) => {
    expect(parseForwardedCertificate(header)).toMatchObject({
      ok: true,
      value: { id: ID, trustDomain: 'example.org' },
    });
  });

  it('tells the thumbprint of the certificate where the proxy does', () => {
    const thumbprint = Buffer.from(hash.slice('Hash='.length), 'hex').toString('base64url');
    expect(parseForwardedCertificate(`${hash};URI=${ID}`)).toMatchObject({ value: { thumbprint } });
    expect(parseForwardedCertificate(`Hash=00ff;URI=${ID}`)).toMatchObject({
      ok: false,
      error: expect.stringContaining('Hash'),
    });
  });

  it.each<[string, RegExp]>([
    ['', /form/u],
    [hash, /no SPIFFE id/u],
    [`${hash};URI=`, /no SPIFFE id/u],
    [`${hash};URI=https://example.org/agent`, /no SPIFFE id/u],
    [`URI=spiffe://example.org`, /not the SPIFFE id/u],
    [`URI=${ID};URI=spiffe://example.org/other`, /URI twice/u],
    [`URI=${ID};uri=${ID}`, /uri twice/u],
    [`${hash};${hash};URI=${ID}`, /Hash twice/u],
    [`URI=spiffe://example.org/first,URI=${ID}`, /more than one element/u],
    [`URI=${ID},`, /more than one element/u],
    [`URI=${ID};`, /form/u],
    [`;URI=${ID}`, /form/u],
    [`URI=${ID};Evil=1`, /form/u],
    [`URI = ${ID}`, /form/u],
    [`URI="${ID}`, /form/u],
    [`URI="${ID}"x`, /form/u],
    [`Subject=a=b;URI=${ID}`, /form/u],
    [`Subject="a";b";URI=${ID}`, /form/u],
    [`${'x'.repeat(32 * 1024)};URI=${ID}`, /longer/u],
  ])('is refused: %s', (header, reason) => {
    expect(parseForwardedCertificate(header)).toMatchObject({ ok: false, error: expect.stringMatching(reason) });
  });

  it('is not mistaken by a subject that speaks of a URI', () => {
    const header = `Subject="CN=x\\";URI=spiffe://example.org/admin;\\"";URI=${ID}`;
    expect(parseForwardedCertificate(header)).toMatchObject({ ok: true, value: { id: ID } });
  });
});

describe('the proxies of the mesh', () => {
  const isProxy = createAddressSet(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1/128']);

  it.each(['10.255.0.1', '::ffff:10.1.2.3', '::FFFF:192.0.2.7', '192.0.2.7', '2001:db8::5', '::1'])(
    'are %s',
    (address) => {
      expect(isProxy(address)).toBe(true);
    },
  );

  it.each(['11.0.0.1', '192.0.2.8', '::ffff:11.0.0.1', '2001:db9::1', '::2', '', 'localhost', '10.0.0.1, 1.2.3.4'])(
    'are not %j',
    (address) => {
      expect(isProxy(address)).toBe(false);
    },
  );

  it('are nobody when none is configured, and never by mistake', () => {
    expect(createAddressSet([])('127.0.0.1')).toBe(false);
    expect(() => createAddressSet(['example.org'])).toThrow(RangeError);
  });
});
